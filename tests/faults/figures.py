"""What the tests found, in numbers; ``python -m tools.guarantees`` makes the page of them."""

import json
import time
from pathlib import Path

from tests.faults.size import NAME, SEED

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / "build" / "guarantees"


def record(name, *, tried, seeds="", wrong=None, told=""):
    """Note the figures of one test, in place of what it noted before.

    Parameters
    ----------
    name
        As `tools.guarantees` knows it.
    tried
        How many cases.
    seeds
        What the cases were made from.
    wrong
        How often each thing went wrong that must not; empty for nothing.
    told
        What was measured, in words.
    """
    if SEED is not None:  # one case, to look at it
        return
    PLACE.mkdir(parents=True, exist_ok=True)
    found = {
        "size": NAME,
        "tried": tried,
        "seeds": seeds,
        "wrong": {what: count for what, count in (wrong or {}).items() if count},
        "told": told,
        "day": time.strftime("%Y-%m-%d", time.gmtime()),
    }
    path = PLACE / f"{name}.{NAME}.json"
    path.with_suffix(".new").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    path.with_suffix(".new").replace(path)
