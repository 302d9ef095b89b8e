"""%alcf help contacts: whom to write to, and where errors point there."""

import json

import pytest

from alcf_jupyter import errors
from alcf_jupyter.notebook.commands import table
from alcf_jupyter.service.failures import failure


def test_it_names_alcfs_support_for_each_subject():
    shown = table.COMMANDS["help"]("contacts")
    assert "support@alcf.anl.gov" in shown
    for words in ("not served yet", "stays up longer", "reserved", "of your own", "batch"):
        assert words in shown


def test_a_site_sets_its_own(clean_environ, tmp_path):
    clean_environ["JUPYTER_CONFIG_PATH"] = str(tmp_path)
    (tmp_path / "alcf_jupyter.toml").write_text(
        '[contacts]\nsupport = "help@site.example"\nreservations = "plan@site.example"\n'
    )
    shown = table.COMMANDS["help"]("contacts")
    assert "support@alcf.anl.gov" not in shown
    before, _, after = shown.partition("plan@site.example\n")
    assert before.startswith("help@site.example")
    assert after.startswith("  for nodes reserved")


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (401, {"message": "Permission denied due to Globus Group restrictions."}, "Restricted"),
        (500, {"message": "Internal Server Error", "error_id": "a1b2"}, "ServerFailure"),
    ],
)
def test_errors_that_need_it_point_there(status, error, kind):
    found = failure(status, json.dumps({"error": {"code": "x", **error}}).encode())
    assert isinstance(found, getattr(errors, f"{kind}Error"))
    assert "%alcf help contacts" in found.do


def test_a_topic_that_does_not_exist_names_the_nearest():
    with pytest.raises(errors.UsageError, match="%alcf help contacts"):
        table.COMMANDS["help"]("contact")
