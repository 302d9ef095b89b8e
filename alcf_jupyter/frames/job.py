"""What a run does: its units, how they become requests, and how answers become a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Sequence

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from alcf_jupyter.connection.call import Call
    from alcf_jupyter.errors import AlcfError
    from alcf_jupyter.frames.cost import Estimate
    from alcf_jupyter.frames.record.journal_lines import Row
    from alcf_jupyter.frames.run_progress import Progress
    from alcf_jupyter.frames.sending.engine import Engine
    from alcf_jupyter.frames.sending.packs import Pack
    from alcf_jupyter.service.dialect import Answer, Usage, Vectors


COLUMNS = 80
"""So many characters of their names tell a run from others."""


@dataclass(frozen=True, slots=True)
class Landed:
    """What became of some units.

    Attributes
    ----------
    units
        Their numbers.
    rows
        One for each.
    vectors
        One row for each; None where they have none.
    usage
        What the request took, as the service tells.
    lasting
        Whether the same request would end the same way, so that it is not sent again.
    """

    units: Sequence[int]
    rows: list[Row]
    vectors: NDArray[Any] | None = None
    usage: Usage | None = None
    lasting: bool = True


class Work(Protocol):
    """How units become requests, and answers become rows."""

    route: str

    def body(self, pack: Pack) -> dict[str, Any]:
        """Return the request of a pack; may take long, and runs in a thread where `slow`."""

    def longest(self, pack: Pack) -> int:
        """Return how many bytes an answer may have at the most."""

    @property
    def slow(self) -> bool:
        """Whether `body` is better run beside the loop."""

    def read(self, value: Any, pack: Pack) -> Answer | Vectors:
        """Return the answer of a request; raises AnswerError where it is none."""

    def landed(self, answer: Answer | Vectors, pack: Pack, call: Call) -> Landed:
        """Return what became of the units of a pack that was answered."""

    def failed(self, error: AlcfError, pack: Pack) -> Landed:
        """Return what became of the units of a pack that is given up."""


class Job(Work, Protocol):
    """What a run does: rows, the units they need, and the frame they make."""

    kind: str
    columns: str
    """The names of the columns that are sent, which tell it from others; a prompt is not kept."""

    about: str
    """What it asks, for people who see several: how the prompt begins, or the columns."""

    rows: int
    keys: list[str]
    """Of each unit."""

    weights: list[int] | None
    """How many rows each unit stands for; None where it is one."""

    unsent: Counter[str]
    """Rows that need nothing sent, by status."""

    width: int | None
    """How long the vectors are that have come so far."""

    def packs(self, units: Sequence[int]) -> Iterable[Pack]:
        """Cut units into requests."""

    def estimate(self, units: Sequence[int], call: Call) -> Estimate:
        """Return what units will take."""

    def frame(self, found: Sequence[Row | None], outcome: Outcome) -> pd.DataFrame:
        """Return the result; a unit that is None is pending."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to, besides its rows.

    Attributes
    ----------
    vectors
        (units, d); None where there are none. Rows of units without a vector are undefined.
    engine
        What was asked, and how it went.
    progress
        The counts.
    requests
        How many were answered.
    """

    vectors: NDArray[np.float32] | None
    engine: Engine
    progress: Progress
    requests: int
