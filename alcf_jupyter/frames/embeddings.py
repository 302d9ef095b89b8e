"""Texts to an embedding frame, and an embedding frame to a matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from alcf_jupyter.connection.call import Call
from alcf_jupyter.connection.deadline import Deadline
from alcf_jupyter.connection.session import choose, client
from alcf_jupyter.connection.vectors import matrix as read_vectors
from alcf_jupyter.errors import AnswerError, RefusedError, TooLargeError, UsageError
from alcf_jupyter.progress import StderrObserver
from alcf_jupyter.service import limits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from alcf_jupyter.progress import Observer
    from alcf_jupyter.service.dialect import Vectors

TIMEOUT = "30m"
_SAME_REFUSALS = 5
"""After so many like answers to the first texts the rest would be refused, too."""

_PER_TEXT_BYTES = 8
"""Quotes, comma and room for escapes around a text in a request."""


@dataclass(slots=True)
class _Row:
    """What became of one text: its vector's place in the matrix, or why it has none."""

    status: str
    reason: str = ""
    place: int = -1
    tokens: int | None = None


def embed(
    texts: Iterable[Any],
    *,
    model: str | None = None,
    cluster: str | None = None,
    dimensions: int | None = None,
    normalize: bool = False,
    timeout: str | float = TIMEOUT,
    wait: bool = True,
    observer: Observer | None = None,
) -> pd.DataFrame:
    """Return the embedding of each text.

    Parameters
    ----------
    texts
        A Series, whose index is kept, or any iterable or column of strings.
    model, cluster
        Which model; the default set with `use` where not given. It is waited for if it is not Live.
    dimensions
        Length of the embeddings, for models that can shorten them.
    normalize
        Scale each embedding to length 1.
    timeout
        For everything, the queue included.
    wait
        False to fail at once when the model is not Live.
    observer
        Told how the queue is; stderr by default.

    Returns
    -------
    pandas.DataFrame
        One row for each text, in order: ``text``, ``embedding`` (an Arrow fixed-size list of
        float32), ``status`` (ok, failed or skipped), ``reason``, ``tokens`` (where the service
        tells them for this text alone). Missing and blank texts are skipped, texts that occur
        twice are sent once. ``attrs["alcf"]`` names model, cluster, dimensions and tokens.

    Raises
    ------
    UsageError
        `texts` is a single string, or there are none.
    AnswerError, SignInError, NoConnectionError, ServiceError
        See `errors`.
    """
    if dimensions is not None and (not isinstance(dimensions, int) or dimensions < 1):
        raise UsageError(
            f"dimensions={dimensions!r} is no length of an embedding.", do="Leave dimensions out."
        )
    found, index = _values(texts)
    # texts of other kinds, as NumPy's, are sent and kept as plain ones
    values = [str.__str__(value) if isinstance(value, str) else value for value in found]
    rows, unique = _sorted_out(values)
    if not unique:
        reason = next((row.reason for row in rows if row.reason), "there are no texts")
        raise UsageError(
            f"There is nothing to embed: {reason}.", do="Type:  alcf.embed(['a text', 'another'])"
        )
    body = {"encoding_format": "base64", "dimensions": dimensions}
    call = Call(
        "embeddings",
        choose(model, "embed"),
        cluster,
        {name: value for name, value in body.items() if value is not None},
        Deadline.after(timeout),
        wait,
    )
    run = _Run(call, observer or StderrObserver())
    for span in limits.pack([size for _, size in unique]):
        run.send(unique[span.start : span.stop])
    vectors = run.vectors()
    if normalize:
        vectors = _normalized(vectors)
    places = {text: run.rows[text] for text, _ in unique}
    for row, value in zip(rows, values, strict=True):
        if row.status == "ok":
            done = places[value]
            row.status, row.reason = done.status, done.reason
            row.place, row.tokens = done.place, done.tokens
    return _frame(values, rows, vectors, index, run)


class _Run:
    """Sends packs of texts and keeps what came for each."""

    def __init__(self, call: Call, observer: Observer) -> None:
        self._client = client()
        self._observer = observer
        self._blocks: list[NDArray[np.float32]] = []
        self._count = 0
        self.call = call
        self.rows: dict[str, _Row] = {}
        self.tokens = 0
        self.served = ""
        self.service = self._client.profile.name

    def send(self, pack: Sequence[tuple[str, int]]) -> None:
        """Send a pack; where it is refused, halves of it, until the text at fault stands alone."""
        texts = [text for text, _ in pack]
        call = self.call
        ask = Call(
            call.route,
            call.model,
            call.cluster,
            {**call.body, "input": texts},
            call.deadline,
            call.patient,
        )
        ask.wait = call.wait  # one wait, whose states all packs add to
        try:
            answer = self._client.embed(ask, self._observer)
            vectors = read_vectors(answer.data)
            self._check_width(vectors)
        except (RefusedError, TooLargeError) as error:
            if len(pack) == 1:
                self._refused(texts[0], error)
                return
            for half in (pack[: len(pack) // 2], pack[len(pack) // 2 :]):
                self.send(half)
            return
        finally:
            call.served = ask.served or call.served
        self._keep(texts, vectors, answer)

    def _refused(self, text: str, error: RefusedError | TooLargeError) -> None:
        """Note a text that was refused; where the first few all were, it is not for the text."""
        why = error.why if isinstance(error, RefusedError) else ""
        self.rows[text] = _Row("failed", why or error.what)
        reasons = [row.reason for row in self.rows.values()]
        if not self._blocks and len(reasons) == _SAME_REFUSALS and len(set(reasons)) == 1:
            raise error

    def _check_width(self, vectors: NDArray[np.float32]) -> None:
        if self._blocks and self._blocks[0].shape[1] != vectors.shape[1]:
            raise AnswerError(
                f"The embeddings changed their length from {self._blocks[0].shape[1]} to "
                f"{vectors.shape[1]} in one run.",
                do="Run the cell again.",
            )

    def _keep(self, texts: list[str], vectors: NDArray[np.float32], answer: Vectors) -> None:
        alone = answer.usage.prompt_tokens if len(texts) == 1 else None
        for offset, text in enumerate(texts):
            self.rows[text] = _Row("ok", "", self._count + offset, alone)
        self._blocks.append(vectors)
        self._count += len(texts)
        self.tokens += answer.usage.prompt_tokens or 0
        self.served = answer.model

    def vectors(self) -> NDArray[np.float32]:
        """Return every vector that came, in the order the texts were sent."""
        if not self._blocks:
            reason = next((row.reason for row in self.rows.values()), "")
            raise RefusedError("No text could be embedded.", why=reason, do="Look at the texts.")
        return self._blocks[0] if len(self._blocks) == 1 else np.concatenate(self._blocks)


def _values(texts: Iterable[Any]) -> tuple[list[Any], pd.Index[Any] | None]:
    if isinstance(texts, (str, bytes)):
        raise UsageError(
            "embed takes several texts, and this is one string.", do="Type:  alcf.embed(['…'])"
        )
    if isinstance(texts, pd.DataFrame):
        column = texts.columns[0] if len(texts.columns) else "text"
        raise UsageError(
            "embed takes one column, and this is a whole table.",
            do=f"Type:  alcf.embed(df[{column!r}])",
        )
    if isinstance(texts, pd.Series):
        return texts.tolist(), texts.index
    if hasattr(texts, "to_pylist"):
        return texts.to_pylist(), None
    return list(texts), None


def _sorted_out(values: list[Any]) -> tuple[list[_Row], list[tuple[str, int]]]:
    """Return a row for each value, and each different text to send with its size in bytes."""
    rows: list[_Row] = []
    unique: dict[str, int] = {}
    for value in values:
        row = _checked(value)
        rows.append(row)
        if row.status == "ok" and value not in unique:
            escapes = value.count("\n") + value.count('"')
            unique[value] = len(value.encode()) + escapes + _PER_TEXT_BYTES
    return rows, list(unique.items())


def _checked(value: Any) -> _Row:
    if not isinstance(value, str):
        if value is None or (pd.api.types.is_scalar(value) and pd.isna(value)):
            return _Row("skipped", "missing value")
        return _Row("failed", f"not a text but {type(value).__name__}")
    if not value.strip():
        return _Row("skipped", "blank text")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        return _Row("failed", "holds half a character (a lone surrogate)")
    if size > limits.SAFE_BODY_BYTES:
        return _Row("failed", f"{size:,} bytes are more than a request holds")
    return _Row("ok")


def _normalized(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    scaled: NDArray[np.float32] = (vectors / lengths).astype(np.float32, copy=False)
    return scaled


def _frame(
    values: list[Any],
    rows: list[_Row],
    vectors: NDArray[np.float32],
    index: pd.Index[Any] | None,
    run: _Run,
) -> pd.DataFrame:
    places = np.array([row.place for row in rows])
    missing = places < 0
    if missing.any() or not np.array_equal(places, np.arange(len(vectors))):
        vectors = vectors[np.where(missing, 0, places)]
    column = pa.FixedSizeListArray.from_arrays(
        pa.array(vectors.reshape(-1)), vectors.shape[1], mask=pa.array(missing)
    )
    frame = pd.DataFrame(
        {
            "text": pd.Series(values, dtype=object if any(missing) else "str", index=index),
            "embedding": pd.Series(
                pd.arrays.ArrowExtensionArray(pa.chunked_array([column])), index=index
            ),
            "status": pd.Series([row.status for row in rows], dtype="str", index=index),
            "reason": pd.Series([row.reason for row in rows], dtype="str", index=index),
            "tokens": pd.array([row.tokens for row in rows], dtype="Int64"),
        },
        index=index,
    )
    served = run.call.served
    frame.attrs["alcf"] = {
        "model": served.id if served else run.call.model,
        "cluster": served.cluster if served else run.call.cluster or "",
        "service": run.service,
        "model_served": run.served,
        "dimensions": int(vectors.shape[1]),
        "prompt_tokens": run.tokens,
        "states": [str(state) for state in run.call.wait.states],
    }
    return frame


def matrix(emb: pd.DataFrame | pd.Series[Any]) -> NDArray[np.float32]:
    """Return the embeddings of a frame as an (n, d) float32 matrix, without a copy where possible.

    Parameters
    ----------
    emb
        What `embed` returned, or its ``embedding`` column.

    Raises
    ------
    UsageError
        There is no such column, or a row has no embedding.
    """
    column = emb["embedding"] if isinstance(emb, pd.DataFrame) and "embedding" in emb else emb
    if not isinstance(column, pd.Series):
        raise UsageError(
            "There is no column 'embedding' in this.", do="Give it what alcf.embed returned."
        )
    lacking = int(column.isna().sum())
    if lacking:
        raise UsageError(
            f"{lacking:,} of {len(column):,} rows have no embedding.",
            do="Leave them out:  alcf.matrix(emb[emb['status'] == 'ok'])",
        )
    try:
        found = _numbers(column)
    except (ValueError, TypeError, pa.ArrowException):
        found = np.empty(0, np.float32)
    if found.ndim != 2:
        raise UsageError(
            "What stands in this column are no embeddings of one length.",
            do="Give it what alcf.embed returned.",
        )
    return found


def _numbers(column: pd.Series[Any]) -> NDArray[np.float32]:
    arrow = pa.chunked_array(pa.array(column))
    whole = arrow.combine_chunks() if arrow.num_chunks != 1 else arrow.chunk(0)
    if not pa.types.is_fixed_size_list(whole.type):
        return np.stack([np.asarray(row, np.float32) for row in column])
    flat = whole.flatten().to_numpy(zero_copy_only=False)
    found: NDArray[np.float32] = flat.reshape(len(whole), whole.type.list_size)
    return found.astype(np.float32, copy=False)
