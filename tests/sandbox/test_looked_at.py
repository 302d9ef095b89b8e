"""On a fast clock no state is missed by whoever is held up, and a list may be older than it is."""

import pytest

COLD = "sandbox/cold"


def state(sandbox):
    """Return the state of the cold model as /jobs tells it."""
    jobs = sandbox.get("/sophia/jobs").json()
    rows = [*jobs["running"], *jobs["queued"]]
    return next((row["Model Status"] for row in rows if COLD in row["Models"].split(",")), None)


def states(sandbox):
    """Return each state of the cold model, looked at too late for all of them but the last."""
    seen = []
    for _ in range(4):
        sandbox.control("POST", "/clock", {"advance": 3600})
        seen.append(state(sandbox))
    return seen


@pytest.mark.parametrize(
    ("options", "seen"),
    [(["--patience=60"], ["queued", "starting"]), ([], ["running", "running"])],
)
def test_a_state_lasts_until_somebody_has_looked(start, options, seen):
    with start("--no-rate-limit", *options) as sandbox:
        sandbox.control("POST", "/clock", {"speed": 600})
        assert sandbox.chat("hi", model=COLD, stream=True).status_code == 200
        assert states(sandbox) == [*seen, "running", "running"]


def test_but_not_for_ever(start):
    with start("--no-rate-limit", "--patience=60") as sandbox:
        sandbox.chat("hi", model=COLD, stream=True)
        sandbox.control("POST", "/clock", {"advance": 60 * 60 + 240 + 480})
        assert state(sandbox) == "running"


def test_a_list_may_say_live_until_somebody_has_asked(start):
    gone = {"model": COLD, "state": "Offline", "jobs_say": "Live", "until_asked": True}
    gone["queue_seconds"] = 1e6
    with start("--no-rate-limit") as sandbox:
        sandbox.control("POST", "/state", gone)
        assert state(sandbox) == "running"
        sandbox.chat("hi", model=COLD, stream=True)
        assert state(sandbox) == "queued"
