"""Random columns through random faults: every row ends where it must, as often as it must."""

from collections import Counter

import pytest

from tests.faults import figures
from tests.faults.columns import run_all
from tests.faults.schedules import schedule
from tests.faults.size import SEED, SIZE

SEEDS = range(SIZE.schedules) if SEED is None else range(SEED, SEED + 1)
BLOCK = 250
met, kinds, all_wrong = Counter(), Counter(), Counter()
"""What came up in the blocks so far."""


@pytest.mark.parametrize("first", SEEDS[::BLOCK])
def test_nothing_is_lost_doubled_misplaced_wrong_or_hung(first):
    many = [schedule(seed) for seed in range(first, min(first + BLOCK, SEEDS.stop))]
    wrong, told = Counter(), []
    for trial in run_all(many):
        befell = trial.ledger.faults(trial.schedule.name)
        met.update(rows=len(trial.schedule.texts), faults=befell.total(), schedules=1)
        kinds.update(befell)
        wrong.update(word.partition(":")[0] for word in trial.wrong)
        told += [f"seed={trial.schedule.seed} {trial.wrong[:3]}"] if trial.wrong else []
    all_wrong.update(wrong)
    figures.record(
        "schedules",
        tried=met["schedules"],
        seeds=f"{SEEDS.start} to {many[-1].seed}",
        wrong=all_wrong,
        told=f"{met['rows']:,} rows, {met['faults']:,} faults of {len(kinds)} kinds",
    )
    assert not told, "\n".join([f"{len(told)} of {len(many)}: {dict(wrong)}", *told[:10]])
