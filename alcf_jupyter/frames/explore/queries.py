"""What is looked for, as vectors: texts are embedded by the model that made the frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from alcf_jupyter.connection import another_service
from alcf_jupyter.connection.session import choose, client
from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.embeddings import embed
from alcf_jupyter.frames.matrix import matrix
from alcf_jupyter.plain import brief

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_EXAMPLE = "Type:  alcf.neighbors(emb, 'what you look for')"


@dataclass(frozen=True, slots=True)
class Queries:
    """Vectors to look for.

    Attributes
    ----------
    vectors
        Shape (m, d), float32, finite, none of them zero.
    names
        What to call each: its text, or its number.
    single
        Whether it was given as one, not as a list of one.
    """

    vectors: NDArray[np.float32]
    names: list[Any]
    single: bool


def queries(
    query: Any,
    emb: pd.DataFrame,
    width: int,
    *,
    model: str | None = None,
    **options: Any,
) -> Queries:
    """Return one or many queries as vectors of the frame's kind.

    Parameters
    ----------
    query
        A text or several, a vector or several, or an embedding frame.
    emb
        The frame that is searched; its ``attrs["alcf"]`` name the model.
    width
        How long its vectors are.
    model
        The frame's model, where the frame does not know it.
    **options
        How texts are embedded: the ``timeout``, ``wait`` and ``observer`` of `embed`.

    Raises
    ------
    UsageError
        The query is empty or no query, or is of another model than the frame.
    """
    if isinstance(query, pd.DataFrame):
        return _frame(query, emb, width)
    single = isinstance(query, str)
    texts = _texts([query] if isinstance(query, str) else query)
    if texts is not None:
        vectors = _embedded(texts, emb, width, model=model, options=options)
        return Queries(vectors, list(texts), single)
    vectors = _numbers(query)
    _check(vectors, width)
    rows = np.atleast_2d(vectors)
    return Queries(rows, list(range(len(rows))), vectors.ndim == 1)


def _texts(query: Any) -> list[str] | None:
    """Return the query as texts, or None where it is made of numbers."""
    if isinstance(query, np.ndarray) and query.dtype.kind not in "OUT":
        return None
    if query is None or not hasattr(query, "__iter__"):
        raise _no_query(query)
    values = list(query)
    if not values:
        raise UsageError("There is no query.", do=_EXAMPLE)
    if not any(isinstance(value, str) for value in values):
        return None
    for number, value in enumerate(values):
        if not isinstance(value, str) or not value.strip():
            which = "The query" if len(values) == 1 else f"Query {number}"
            wrong = "is empty" if isinstance(value, str) or value is None else "is not a text"
            raise UsageError(f"{which} {wrong}.", do=_EXAMPLE)
    return [str(value) for value in values]


def _no_query(query: Any) -> UsageError:
    kinds = {type(None): "nothing", int: "a number", float: "a number"}
    kind = kinds.get(type(query), f"of the kind {type(query).__name__}")
    return UsageError(f"A query is a text or a vector, and this is {kind}.", do=_EXAMPLE)


def _numbers(query: Any) -> NDArray[np.float32]:
    try:
        found = np.asarray(query if isinstance(query, np.ndarray) else list(query), np.float32)
    except (ValueError, TypeError):
        raise UsageError(
            "These queries are neither texts nor vectors of one length.", do=_EXAMPLE
        ) from None
    if found.ndim not in (1, 2) or not found.size:
        raise UsageError(
            f"Queries are one vector or a matrix of them, not of shape {found.shape}.", do=_EXAMPLE
        )
    return found


def _check(vectors: NDArray[np.float32], width: int) -> None:
    if vectors.shape[-1] != width:
        raise UsageError(
            f"The query has {vectors.shape[-1]:,} numbers, and the embeddings have {width:,}.",
            why="It was made by another model, or with other dimensions.",
            do="Give the query as a text, or embed it with the frame's model.",
        )
    rows = np.atleast_2d(vectors)
    with np.errstate(over="ignore"):
        infinite, zero = ~np.isfinite(np.linalg.norm(rows, axis=1)), ~rows.any(axis=1)
    for bad, what in (
        (infinite, "has values that are not finite, or too large"),
        (zero, "is zero, so that it has no direction"),
    ):
        if bad.any():
            which = "The query" if len(rows) == 1 else f"Query {int(bad.argmax())}"
            raise UsageError(f"{which} {what}.", do=_EXAMPLE)


def _frame(query: pd.DataFrame, emb: pd.DataFrame, width: int) -> Queries:
    mine, theirs = (frame.attrs.get("alcf", {}).get("model") for frame in (query, emb))
    if mine and theirs and mine != theirs:
        raise _another_model(f"The query was embedded by {brief(mine, 80)}", theirs)
    vectors = matrix(query)
    if not len(vectors):
        raise UsageError("There is no query.", do=_EXAMPLE)
    _check(vectors, width)
    names = query.get("text", query.index)
    return Queries(vectors, names.tolist(), single=False)


def _embedded(
    texts: Sequence[str],
    emb: pd.DataFrame,
    width: int,
    *,
    model: str | None,
    options: dict[str, Any],
) -> NDArray[np.float32]:
    """Embed texts as the frame was: the same model on the same service, the same length."""
    known = emb.attrs.get("alcf", {})
    made_by = known.get("model")
    if model is not None and made_by and choose(model, "embed") != made_by:
        raise _another_model(f"model= would have it embedded by {brief(model, 80)}", made_by)
    if model is None and not made_by:
        raise UsageError(
            "It is not known which model made these embeddings.",
            why="The table lost that on its way, as in a merge or from a file.",
            do="Name it:  alcf.neighbors(emb, 'a text', model='…')",
        )
    if known.get("service"):
        another_service.check(
            "These embeddings come from",
            known["service"],
            client().profile.name,
            "The query has to be embedded by the same model as the texts.",
        )
    cluster = known.get("cluster") or None
    for dimensions in (None, width):  # those of the frame may have been shortened
        made = embed(
            texts,
            model=model or made_by,
            cluster=cluster,
            dimensions=dimensions,
            **options,
        )
        assert isinstance(made, pd.DataFrame)  # noqa: S101 - it is not in the background
        if made.attrs["alcf"]["dimensions"] == width:
            break
    failed = made[made["status"] != "ok"]
    if len(failed):
        raise UsageError(
            "A query could not be embedded.",
            why=brief(failed["reason"].iloc[0]),
            do="Say it in other words.",
        )
    vectors = matrix(made)
    _check(vectors, width)
    return vectors


def _another_model(what: str, model: str) -> UsageError:
    return UsageError(
        f"{what}, and the embeddings by {brief(model, 80)}.",
        why="Vectors of two models cannot be compared.",
        do="Give the query as a text, or embed both with one model.",
    )
