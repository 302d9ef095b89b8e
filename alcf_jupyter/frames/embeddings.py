"""A column of texts to an embedding frame: ``alcf.embed``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, overload

import pandas as pd

from alcf_jupyter.connection.call import Call
from alcf_jupyter.connection.deadline import Deadline
from alcf_jupyter.connection.session import choose, client
from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.embedding_file import save_embeddings
from alcf_jupyter.frames.launch import TIMEOUT
from alcf_jupyter.frames.plan import Plan
from alcf_jupyter.frames.record.row_keys import identity
from alcf_jupyter.frames.result_file import ResultFile
from alcf_jupyter.frames.text_column import Embedding, TextColumn
from alcf_jupyter.plain import brief
from alcf_jupyter.typed import by_magic

if TYPE_CHECKING:
    from pathlib import Path

    from alcf_jupyter.frames.run import Run
    from alcf_jupyter.progress import RunObserver


@overload
def embed(texts: Iterable[Any], *, background: Literal[True], **options: Any) -> Run: ...
@overload
def embed(
    texts: Iterable[Any], *, background: Literal[False] = ..., **options: Any
) -> pd.DataFrame: ...
def embed(  # type: ignore[misc]  # noqa: PLR0913 - all that can be said, each by its name
    texts: Iterable[Any],
    *,
    model: str | None = None,
    cluster: str | None = None,
    dimensions: int | None = None,
    normalize: bool = False,
    checkpoint: str | Path | None = None,
    concurrency: int | None = None,
    per_request: int | None = None,
    on_error: str = "keep",
    fresh: bool = False,
    out: str | Path | None = None,
    timeout: str | float = TIMEOUT,
    wait: bool = True,
    background: bool = False,
    observer: RunObserver | None = None,
) -> pd.DataFrame | Run:
    """Return the embedding of each text.

    Texts that occur twice are sent once. Finished ones are recorded as they come: after an
    interrupt, a restart or a failure the same call goes on where it was.

    Parameters
    ----------
    texts
        A Series, whose index is kept, a dict, whose keys are the index then, or any iterable or
        column of strings.
    model, cluster
        Which model; the default set with `use` where not given. It is waited for if it is not Live.
    dimensions
        Length of the embeddings, for models that can shorten them.
    normalize
        Scale each embedding to length 1.
    checkpoint
        A folder to record the run in, which can be given away; the state directory by default. A
        run that is a single request is recorded only where a folder is named.
    concurrency
        Requests at once; found by itself where not given.
    per_request
        Texts in a request at the most, for servers that take few.
    on_error
        ``"keep"`` failed texts, or ``"raise"`` at the first one.
    fresh
        Begin anew; what was recorded is set aside.
    out
        A Parquet file to write the result to as well, as `save_embeddings` does, once it is whole.
    timeout
        For the whole run, the queue included. Texts that have not come by then are pending.
    wait
        False to fail at once when the model is not Live.
    background
        Return a `Run` at once.
    observer
        Told how far it is.

    Returns
    -------
    pandas.DataFrame
        One row for each text, in order: ``text``, ``embedding`` (an Arrow fixed-size list of
        float32), ``status`` (ok, failed, skipped or pending), ``reason``, ``tokens``. Of a request
        with several texts the service tells only the sum of their tokens: each of them has
        ``<NA>``, and ``attrs["alcf"]["prompt_tokens"]`` is the sum of all requests. Missing and
        blank texts are skipped. ``attrs["alcf"]`` says where they come from. After an interrupt
        the rest is pending.

    Raises
    ------
    UsageError, ModelNotChosenError
        Before anything is sent.
    JournalError
        The record cannot be used, or not be written; what had come is in the error's `result`.
    SignInError, NoConnectionError, ServiceError
        What ended the whole run; the error's `result` is the frame so far.
    """
    planned = plan(
        texts,
        model=model,
        cluster=cluster,
        dimensions=dimensions,
        normalize=normalize,
        checkpoint=checkpoint,
        concurrency=concurrency,
        per_request=per_request,
        on_error=on_error,
        fresh=fresh,
        out=out,
        timeout=timeout,
        wait=wait,
    )
    return planned.carry_out(background=background, observer=observer)


def plan(  # noqa: PLR0913 - as embed
    texts: Iterable[Any],
    *,
    model: str | None = None,
    cluster: str | None = None,
    dimensions: int | None = None,
    normalize: bool = False,
    checkpoint: str | Path | None = None,
    concurrency: int | None = None,
    per_request: int | None = None,
    on_error: str = "keep",
    fresh: bool = False,
    out: str | Path | None = None,
    timeout: str | float = TIMEOUT,
    wait: bool = True,
) -> Plan:
    """Return what `embed` would do, checked as far as it can be; see there for the parameters."""
    talk = client()
    embedding = Embedding(dimensions, normalize, per_request)
    written = ResultFile(out, save_embeddings) if out is not None else None
    call = Call(
        "embeddings", choose(model, "embed"), cluster, embedding.body, Deadline.after(timeout), wait
    )
    run_identity = identity(
        kind="embed",
        service=talk.service,
        model=call.model,
        cluster=cluster,
        dimensions=dimensions,
    )
    name = texts.name if isinstance(texts, pd.Series) else None
    job = TextColumn(embedding, *values_of(texts), run_identity, talk.profile, name)
    return Plan(job, call, run_identity, checkpoint, fresh, concurrency, on_error, written)


def values_of(texts: Iterable[Any]) -> tuple[list[Any], pd.Index[Any] | None]:
    """Return what stands in a column, and its index, where it has one.

    Raises
    ------
    UsageError
        It is no column.
    """
    if isinstance(texts, (str, bytes)):
        raise UsageError(
            "embed takes several texts, and this is one string.", do="Type:  " + _line("['…']")
        )
    if isinstance(texts, pd.DataFrame):
        column = texts.columns[0] if len(texts.columns) else "text"
        raise UsageError(
            "embed takes one column, and this is a whole table.",
            do=f"Type:  {_line(f'df[{column!r}]')}",
        )
    if isinstance(texts, Mapping):
        texts = pd.Series(dict(texts), dtype=object)
    if isinstance(texts, pd.Series):
        return texts.tolist(), texts.index
    for name in ("to_pylist", "to_list", "tolist"):  # of Arrow, of Polars, of NumPy
        if hasattr(texts, name):
            found = getattr(texts, name)()
            return found if isinstance(found, list) else [found], None
    if not isinstance(texts, Iterable):
        raise UsageError(
            f"embed takes several texts, and this is {brief(repr(texts), 40)}.",
            do="Type:  " + _line("['…']"),
        )
    return list(texts), None


def _line(texts: str) -> str:
    return f"%alcf_embed {texts}" if by_magic() else f"alcf.embed({texts})"
