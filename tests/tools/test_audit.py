"""An audit that could ask nothing is not taken for one that found nothing."""

from tools.audit import verdict

FINE = {"name": "a", "version": "1", "vulns": []}
FLAWED = {"name": "b", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["2.1"]}]}
UNKNOWN = {"name": "c", "skip_reason": "c was not found"}


def test_a_vulnerability_fails_and_is_named_with_its_remedy():
    lines, sound = verdict({"dependencies": [FINE, FLAWED]})
    assert not sound
    assert lines[0] == "b 2: CVE-1, mended in 2.1"


def test_what_was_not_asked_is_counted():
    lines, sound = verdict({"dependencies": [FINE, UNKNOWN, UNKNOWN]})
    assert sound
    assert lines[0] == "NOT AUDITED: 2 of 3 packages"
    assert lines[-1] == "audited: 1 packages, no vulnerability known"


def test_when_nothing_could_be_asked_nothing_is_called_sound():
    lines, sound = verdict({"dependencies": [UNKNOWN]})
    assert sound
    assert not any("no vulnerability" in line for line in lines)


def test_a_full_audit_says_so():
    assert verdict({"dependencies": [FINE]}) == (
        ["audited: 1 packages, no vulnerability known"],
        True,
    )
