"""How much the fuzzing tests try: a little every day, 100 times as much for a release.

``FUZZ=10`` tries ten times as much of it without the rest of a release.
"""

import os
import random

from hypothesis import HealthCheck, settings

from tests.faults import figures
from tests.faults.size import RELEASE

FACTOR = float(os.environ.get("FUZZ", "100" if RELEASE else "1"))
SEED = int(os.environ.get("FUZZ_SEED", "20261121"))


def cases(number):
    """How many inputs to try where `number` are enough for a day."""
    return max(1, int(number * FACTOR))


def malformed(what, number):
    """Note that malformed inputs of a kind, `number` a day, were all read as they must be."""
    if "FUZZ" not in os.environ:  # that is neither a change's size nor a release's
        figures.record(f"malformed {what}", tried=cases(number), seeds=str(SEED))


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


PLAIN = [None, True, False, 0, 1, -1, 7, 1.5, 1e308, float("nan"), 10**25, "", " ", "x", "N/A"]
PLAIN += ["é🙂", "\x1b[31mred", "\u202egpj.exe", "a\nb", "\x00", "\ud800", "y" * 5000, "error"]


def strange(chance, names, depth=4):
    """Any JSON value at all; objects take their keys from `names`, mostly."""
    kind = chance.random()
    if depth == 0 or kind < 0.35:
        return chance.choice(PLAIN)
    if kind < 0.55:
        return [strange(chance, names, depth - 1) for _ in range(chance.randrange(4))]
    keys = [chance.choice(names) for _ in range(chance.randrange(7))]
    return {key: strange(chance, names, depth - 1) for key in keys}


def bent(chance, value, names):
    """Return `value` with one thing in it, at any depth, put in the place of another."""
    if not isinstance(value, (dict, list)) or not value or chance.random() < 0.15:
        return strange(chance, names, 2)
    if isinstance(value, dict):
        key = chance.choice(list(value))
        changed = dict(value)
        if chance.random() < 0.2:
            del changed[key]
        else:
            changed[key] = bent(chance, value[key], names)
        return changed
    at = chance.randrange(len(value))
    return [*value[:at], bent(chance, value[at], names), *value[at + 1 :]]
