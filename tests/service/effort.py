"""How much the fuzzing tests try: a little every day, ``FUZZ=100`` times as much for a release."""

import os
import random

from hypothesis import HealthCheck, settings

FACTOR = float(os.environ.get("FUZZ", "1"))
SEED = int(os.environ.get("FUZZ_SEED", "20261121"))


def cases(number):
    """How many inputs to try where `number` are enough for a day."""
    return max(1, int(number * FACTOR))


def thorough(number):
    """Settings of a property that holds for `number` examples a day; the same ones every day."""
    return settings(
        max_examples=cases(number),
        deadline=None,
        database=None,
        derandomize=FACTOR == 1,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def dice(salt):
    """A source of chance that gives the same every time, named in no other test."""
    return random.Random(f"{SEED} {salt}")
