"""Random columns and random faults, each from one number."""

import random
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from tests.faults import answers
from tests.faults.faults import FAULTS

ENDS_THE_RUN = {
    "401-no-header",
    "401-unknown",
    "401-expired",
    "401-policy",
    "401-provider",
    "401-group",
    "403",
    "404-cluster",
    "404-model",
    "400-endpoint",
}
"""What says that no other row would fare better."""

LASTING = {
    "400-json",
    "400-framework",
    "404-route",
    "413",
    "422",
    "500-inner-400",
    "500-inner-400-new",
    "400-metis",
}
"""What says that the same request fails again: such a row is recorded as failed."""

KINDS = {
    # how often each kind of fault is taken, of all that befall
    "broken": 4,
    "right": 6,
    "wrong": 5,
    "refusal": 4,
    "model": 1,
    "endless": 0.15,
    "smuggled": 0.5,
}
WEATHER = (0.0, 0.05, 0.2, 0.5, 0.9)
"""The share of requests that something befalls."""

_WORDS = ("quark", "Grüße", "→ 🙂", "a\tb", "line\nline", '"quoted"', "\\back", "{{braces}}", "0")
_INDEXES = ("range", "text", "duplicate", "multi", "datetime", "shuffled")


@dataclass(frozen=True)
class Schedule:
    """One column, and what befalls its requests.

    Attributes
    ----------
    texts
        The column's; text, missing, blank, or half characters.
    index
        Which kind of index the frame has.
    faults
        By the order in which requests come; see `server.Served`.
    """

    seed: int
    kind: str
    texts: list
    index: str
    concurrency: int
    faults: list[str]
    latency: tuple[float, float]
    plain: bool = False
    dice: random.Random = field(default=None, repr=False, compare=False)

    @property
    def name(self):
        """The name of its model."""
        return f"schedule/{self.kind}-{self.seed}"

    def frame(self):
        """Return the column in a frame."""
        frame = pd.DataFrame({"text": pd.Series(self.texts, dtype=object)})
        frame.index = _index(self.index, len(frame), self.seed)
        return frame

    def fates(self):
        """Return what is asked for each row; None where nothing can be."""
        return [self.asked(value) for value in self.texts]

    def asked(self, value):
        """Return the prompt or the text that a value becomes, None where it becomes none."""
        if value is None or not value.strip() or _is_half(value):
            return None
        return value if self.kind == "embed" else f"Say {value}!"


def _is_half(value):
    return any("\ud800" <= letter <= "\udfff" for letter in value)


def schedule(seed, *, plain=False):
    """Return the schedule of a number."""
    dice = random.Random(seed)
    kind = dice.choices(("map", "schema", "embed"), (6, 2, 2))[0]
    rows = dice.choices((1, dice.randint(2, 6), dice.randint(7, 16), 40), (1, 8, 4, 0.3))[0]
    texts = [_value(dice, place) for place in range(rows)]
    for _ in range(dice.choice((0, 0, 0, 1, 3))):
        texts[dice.randrange(rows)] = texts[dice.randrange(rows)]  # duplicates
    share = dice.choice(WEATHER)
    pool = _pool("embeddings" if kind == "embed" else "chat", dice, plain=plain)
    faults = [
        _fault(dice, pool) if dice.random() < share else ""
        for _ in range(dice.randint(0, 6) if kind == "embed" else 2 * rows)
    ]
    latency = dice.choice(((0, 0), (0, 0), (0.0, 0.01), (0.01, 0.03)))
    index = dice.choice(_INDEXES)
    return Schedule(seed, kind, texts, index, dice.choice((1, 2, 4, 8)), faults, latency, plain)


def _value(dice, place):
    if dice.random() < 0.06:
        return dice.choice((None, "", "  \n", "half \ud83d"))
    words = [dice.choice(_WORDS) for _ in range(dice.randint(1, 4))]
    return " ".join([f"{place}", *words])


def _pool(route, dice, *, plain):
    """Return the faults to take from by kind: all, or a few that then meet each other often."""
    by_kind = {kind: [] for kind in KINDS}
    for name, fault in FAULTS.items():
        # a plain server has no queue: what says so of its model ends a run
        if fault.kind in by_kind and fault.fits(route) and not (plain and fault.kind == "model"):
            by_kind[fault.kind].append(name)
    if dice.random() < 0.5:
        by_kind = {kind: dice.sample(names, min(2, len(names))) for kind, names in by_kind.items()}
    return {kind: names for kind, names in by_kind.items() if names}


def _fault(dice, pool):
    kinds = list(pool)
    kind = dice.choices(kinds, [KINDS[kind] for kind in kinds])[0]
    name = dice.choice(pool[kind])
    if name in ENDS_THE_RUN and dice.random() < 0.8:
        return "502"  # every one of them costs a whole run
    return name


def _index(kind, rows, seed):
    if kind == "text":
        return pd.Index([f"row {place}" for place in range(rows)], name="label")
    if kind == "duplicate":
        return pd.Index([place // 3 for place in range(rows)])
    if kind == "multi":
        return pd.MultiIndex.from_tuples(
            [(place % 2, place // 2) for place in range(rows)], names=["a", "b"]
        )
    if kind == "datetime":
        return pd.date_range("2026-11-21", periods=rows, freq="h", tz="America/Chicago")
    if kind == "shuffled":
        return pd.Index(np.random.default_rng(seed).permutation(rows))
    return pd.RangeIndex(rows)


def right(kind, asked):
    """Return what a row must hold when it is ok."""
    if kind == "embed":
        return tuple(answers.vector(asked))
    if kind == "schema":
        properties = {"label": {"type": "string"}, "n": {"type": "integer"}}
        return tuple(answers.structured(asked, {"properties": properties}).values())
    return answers.reply(asked)
