"""The run of a column of texts through an embedding model."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from alcf_jupyter.connection.call import BYTES_PER_VECTOR
from alcf_jupyter.connection.record.origin import origin, sha256
from alcf_jupyter.connection.vectors import matrix as read_matrix
from alcf_jupyter.errors import AlcfError, AnswerError, UsageError
from alcf_jupyter.frames import tables
from alcf_jupyter.frames.cost import Estimate
from alcf_jupyter.frames.job import COLUMNS, Landed
from alcf_jupyter.frames.matrix import column as vector_column
from alcf_jupyter.frames.record.journal_lines import Row
from alcf_jupyter.frames.record.row_keys import keys
from alcf_jupyter.frames.sending.packs import Pack
from alcf_jupyter.frames.sending.verdict import is_lasting, reason
from alcf_jupyter.frames.tables import Unfit
from alcf_jupyter.plain import brief
from alcf_jupyter.service import dialect, limits
from alcf_jupyter.typed import typed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from alcf_jupyter.connection.call import Call
    from alcf_jupyter.connection.profiles import Profile
    from alcf_jupyter.frames.job import Outcome

PACK_BYTES = 60_000
"""Of texts in one request: about 15,000 tokens, a quarter of what a minute grants by default. At
nine requests a second that is more than the models embed, and little is lost with a request."""

_PER_TEXT_BYTES = 8
"""Quotes, comma and room for escapes around a text in a request."""

_AROUND_BYTES = 1_000_000
"""What stands around the vectors of an answer, or in their place, is shorter than this."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """How texts are embedded.

    Parameters
    ----------
    dimensions
        Length of the embeddings; the model's own where not given.
    normalize
        Whether each is scaled to length 1.
    per_request
        Texts in a request at the most.

    Raises
    ------
    UsageError
        One is no such number.
    """

    dimensions: int | None = None
    normalize: bool = False
    per_request: int | None = None

    def __post_init__(self) -> None:
        _check_count(self.dimensions, "dimensions", "length of an embedding", None)
        _check_count(self.per_request, "per_request", "number of texts", limits.MAX_INPUTS)

    @property
    def body(self) -> dict[str, Any]:
        """What a request holds besides its texts."""
        shorter = {} if self.dimensions is None else {"dimensions": self.dimensions}
        return {"encoding_format": "base64", **shorter}


def _check_count(given: Any, name: str, what: str, most: int | None) -> None:
    whole = isinstance(given, int) and not isinstance(given, bool)
    if given is not None and not (whole and 1 <= given <= (most or given)):
        raise UsageError(f"{typed(**{name: given})} is no {what}.", do="Leave it out.")


class TextColumn:
    """The run of texts; its units are the different ones, several in a request.

    Parameters
    ----------
    embedding
        How they are embedded.
    values
        The texts, and whatever else stands between them.
    index
        The column's; None for the places.
    run_identity
        For the keys of the texts.
    profile
        The service.
    name
        What the column is called.
    """

    kind = "embed"
    route = "embeddings"
    slow = False

    def __init__(
        self,
        embedding: Embedding,
        values: list[Any],
        index: pd.Index[Any] | None,
        run_identity: str,
        profile: Profile,
        name: Any = None,
    ) -> None:
        self.columns = self.about = brief(name, COLUMNS)
        self._embedding = embedding
        self._index = index
        self._profile = profile
        self.width: int | None = None
        self._rows: list[int | Unfit] = []
        """Of each value: its unit, or why it has none."""
        self._sizes: list[int] = []
        units: dict[str, int] = {}
        self.weights: list[int] | None = []
        self._place(tables.texts(pd.Series(values, dtype=object), formats=False), units)
        self._shown = values
        self._texts = list(units)
        self.rows = len(values)
        self.unsent = Counter(one.status for one in self._rows if isinstance(one, Unfit))
        self.keys = keys(self._texts, run_identity)

    def _place(self, texts: Sequence[str | Unfit], units: dict[str, int]) -> None:
        """Give each text a unit, a new one where it has not been seen."""
        assert self.weights is not None  # noqa: S101 - for the type checker
        for text in texts:
            if isinstance(text, Unfit):
                self._rows.append(text)
            elif (unit := units.get(text)) is not None:
                self.weights[unit] += 1
                self._rows.append(unit)
            elif isinstance(size := tables.size(text), Unfit):
                self._rows.append(size)
            else:
                self._rows.append(len(units))
                self._sizes.append(size)
                self.weights.append(1)
                units[text] = len(units)

    def estimate(self, units: Sequence[int], call: Call) -> Estimate:
        """Return what units will take."""
        sizes = [-(-self._sizes[unit] // limits.BYTES_PER_TOKEN) for unit in units]
        packs = sum(1 for _ in self.packs(units))
        return Estimate.of(
            sizes,
            call,
            unsent=self.unsent,
            recorded=len(self.keys) - len(units),
            requests=packs,
            most_tokens=0,
        )

    def packs(self, units: Sequence[int]) -> Iterator[Pack]:
        """Cut units into requests, none of them near a limit of the service."""
        weights = [self._sizes[unit] + _PER_TEXT_BYTES for unit in units]
        most = self._embedding.per_request or limits.MAX_INPUTS
        for span in limits.pack(weights, most, PACK_BYTES):
            inside = units[span.start : span.stop]
            whole = inside[-1] - inside[0] == len(inside) - 1
            tokens = sum(weights[span.start : span.stop]) // limits.BYTES_PER_TOKEN
            yield Pack(range(inside[0], inside[-1] + 1) if whole else inside, tokens)

    def body(self, pack: Pack) -> dict[str, Any]:
        """Return the request of several texts."""
        return {**self._embedding.body, "input": [self._texts[unit] for unit in pack.units]}

    def longest(self, pack: Pack) -> int:
        """Return how many bytes an answer may have at the most."""
        return _AROUND_BYTES + len(pack.units) * BYTES_PER_VECTOR

    def read(self, value: Any, pack: Pack) -> dialect.Vectors:
        """Return the embeddings of a request, one for each text; raises AnswerError otherwise."""
        return dialect.read_embeddings(value, len(pack.units))

    def landed(self, answer: Any, pack: Pack, _call: Call) -> Landed:
        """Return what became of texts that were answered.

        Raises
        ------
        AnswerError
            An embedding cannot be read, or its length is not that of the others.
        """
        vectors = read_matrix(answer.data)
        self.width = self.width or vectors.shape[1]
        if vectors.shape[1] != self.width:
            raise AnswerError(
                f"The embeddings changed their length from {self.width} to {vectors.shape[1]} "
                "in one run.",
                do=f"Begin anew:  add {typed(fresh=True)}",
            )
        alone = answer.usage.prompt_tokens if len(pack.units) == 1 else None
        rows = [
            Row(self.keys[unit], "ok", tokens=alone, attempts=pack.attempts + 1)
            for unit in pack.units
        ]
        return Landed(pack.units, rows, vectors, answer.usage)

    def failed(self, error: AlcfError, pack: Pack) -> Landed:
        """Return what became of a text that is given up."""
        rows = [
            Row(self.keys[unit], "failed", reason=reason(error), attempts=pack.attempts)
            for unit in pack.units
        ]
        return Landed(pack.units, rows, lasting=is_lasting(error))

    def frame(self, found: Sequence[Row | None], outcome: Outcome) -> pd.DataFrame:
        """Return the embedding frame."""
        rows = [one if isinstance(one, Unfit) else found[one] for one in self._rows]
        done = [row if isinstance(row, Row) else None for row in rows]
        places = np.array(
            [
                unit if row is not None and row.status == "ok" and isinstance(unit, int) else -1
                for unit, row in zip(self._rows, done, strict=True)
            ],
            np.int64,
        )
        plain = all(isinstance(one, int) for one in self._rows)
        frame = pd.DataFrame(
            {
                "text": pd.Series(self._shown, dtype="str" if plain else object),
                "embedding": self._column(places, outcome.vectors),
                "status": tables.series([row.status if row else "pending" for row in rows], "str"),
                "reason": tables.series([row.reason if row else "" for row in rows], "str"),
                "tokens": pd.array([row.tokens if row else None for row in done], dtype="Int64"),
            }
        )
        if self._index is not None:
            frame.index = self._index
        frame.attrs["alcf"] = self._origin(outcome)
        return frame

    def _column(
        self, places: NDArray[np.int64], vectors: NDArray[np.float32] | None
    ) -> pd.Series[Any]:
        missing = places < 0
        if vectors is None:
            nothing = pa.nulls(len(places), pa.list_(pa.float32()))
            return pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([nothing])))
        if missing.any() or not np.array_equal(places, np.arange(len(vectors))):
            vectors = vectors[np.where(missing, 0, places)]
        if self._embedding.normalize:
            vectors = _normalized(vectors)
        return vector_column(vectors, missing)

    def _origin(self, outcome: Outcome) -> dict[str, Any]:
        engine, now, vectors = outcome.engine, outcome.progress, outcome.vectors
        call = engine.call
        call.total_seconds = now.seconds
        return origin(
            call,
            self._profile,
            served=engine.served,
            asked_sha256=sha256(*self._texts),
            answer_sha256=sha256("" if vectors is None else vectors.data.cast("B")),
            usage=dialect.Usage(now.prompt_tokens),
            complete=now.ok + now.skipped == now.rows,
            dimensions=0 if vectors is None else int(vectors.shape[1]),
            normalized=self._embedding.normalize,
            requests=outcome.requests,
            rows=now.by_status,
            reused=now.reused,
        )


def _normalized(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return vectors scaled to length 1; one of zeros stays as it is."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    scaled: NDArray[np.float32] = (vectors / lengths).astype(np.float32, copy=False)
    return scaled
