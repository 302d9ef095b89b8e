"""Each fault alone, in the middle of a column: what becomes of its row, and what it costs."""

import pytest

from tests.faults import figures
from tests.faults.columns import run_all
from tests.faults.faults import FAULTS
from tests.faults.schedules import ENDS_THE_RUN, LASTING, Schedule

ROWS = 6
PASSES = {"broken", "wrong", "refusal", "endless", "model"}


def alone(kind):
    """A column for each fault that can befall it; of embeddings the first request, of chats one."""
    route = "embeddings" if kind == "embed" else "chat"
    before = [] if kind == "embed" else ["", "", ""]
    for number, (name, fault) in enumerate(FAULTS.items()):
        if fault.fits(route) and fault.kind != "huge":
            texts = [f"row {n} of {name}" for n in range(ROWS)]
            yield name, Schedule(number, kind, texts, "text", 1, [*before, name], (0, 0))


@pytest.mark.parametrize("kind", ["map", "embed"])
def test_each_fault_alone(kind):
    cases = dict(alone(kind))
    trials = run_all(cases.values(), at_once=64)
    told = {name: trial.wrong for name, trial in zip(cases, trials, strict=True) if trial.wrong}
    figures.record(
        f"each fault alone in {kind}",
        tried=len(cases),
        wrong={"not as it must be": len(told)},
        told="",
    )
    assert not told
    for name, trial in zip(cases, trials, strict=True):
        check(name, kind, trial)


def check(name, kind, trial):
    """See that the row ended as it must, with no more requests than that takes."""
    statuses = trial.frame["status"].tolist()
    least = 1 if kind == "embed" else ROWS
    extra = len(trial.ledger.of(trial.schedule.name)) - least
    befallen = trial.ledger.faults(trial.schedule.name)
    assert befallen[name] == 1, "it befell"
    if name in LASTING and kind == "map":
        assert statuses.count("failed") == 1, name
        assert extra == 0, f"{name}: what is refused for good is not sent again"
    elif name == "cut-by-length":
        assert statuses.count("truncated") == 1
        assert extra == 0
    elif name in LASTING:
        # halves are sent until the one at fault stands alone, which here is none
        assert statuses.count("ok") == ROWS, name
        assert extra <= 2, name
    else:
        assert statuses == ["ok"] * ROWS, name
        assert extra <= (2 if FAULTS[name].kind == "model" else 1), f"{name}: {befallen}"
        assert extra == 0 or FAULTS[name].kind in PASSES, name
    # ten seconds of nothing are ten minutes here; and who was never there need not be awaited
    if FAULTS[name].kind != "endless" and kind != "embed":
        assert bool(trial.ended_early) == (name in ENDS_THE_RUN), name
