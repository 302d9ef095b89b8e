"""A prompt over every row of a table: ``alcf.map``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from alcf_jupyter.connection.call import Call
from alcf_jupyter.connection.deadline import Deadline
from alcf_jupyter.connection.session import choose, client
from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames import tables
from alcf_jupyter.frames.batch.submit import submit_batch
from alcf_jupyter.frames.launch import TIMEOUT
from alcf_jupyter.frames.plan import Plan
from alcf_jupyter.frames.prompt_column import Asking, PromptColumn
from alcf_jupyter.frames.prompts import prompts_of
from alcf_jupyter.frames.record.row_keys import identity
from alcf_jupyter.frames.result_file import ResultFile, write_parquet
from alcf_jupyter.prompt.parameters import CHAT_PARAMETERS, given
from alcf_jupyter.prompt.schema import of as schema_of
from alcf_jupyter.typed import named, typed

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from alcf_jupyter.frames.batch.campaign import Batch
    from alcf_jupyter.frames.run import Run
    from alcf_jupyter.progress import RunObserver


@overload
def map(  # noqa: A001 - the public name
    data: Any, template: str, *, background: Literal[True], **options: Any
) -> Run: ...
@overload
def map(  # noqa: A001 - the public name
    data: Any, template: str, *, background: Literal[False] = ..., **options: Any
) -> pd.DataFrame: ...
def map(  # noqa: A001, PLR0913 - the public name; all that can be said, each by its name
    data: Any,
    template: str,
    *,
    model: str | None = None,
    cluster: str | None = None,
    system: str | None = None,
    schema: Any = None,
    images: Any = None,
    checkpoint: str | Path | None = None,
    concurrency: int | None = None,
    on_error: str = "keep",
    fresh: bool = False,
    out: str | Path | None = None,
    prefix: str = "",
    timeout: str | float = TIMEOUT,
    wait: bool = True,
    via: str = "requests",
    folder: str | Path | None = None,
    background: bool = False,
    observer: RunObserver | None = None,
    **params: Any,
) -> pd.DataFrame | Run | Batch:
    """Ask a model about every row of a table, and return its answers as columns.

    Finished rows are recorded as they come: after an interrupt, a restart or a failure the same
    call goes on where it was, and sends no finished row again.

    Parameters
    ----------
    data
        A DataFrame or Series of pandas, a table of Arrow or Polars, a list of dicts, a dict of
        columns, or an iterable of single values, whose column is then called ``text``.
    template
        The prompt; each ``{{column}}`` is the row's value in that column.
    model, cluster
        Which model; the default set with `use` where not given. It is waited for if it is not Live.
    system
        The system prompt, the same for all rows.
    schema
        The form of each answer, as in `chat`; its fields become columns.
    images
        A column with an image for each row (a file, a PIL image, an array), or its name.
    checkpoint
        A folder to record the run in, which can be given away; the state directory by default.
    concurrency
        Requests at once; found by itself where not given.
    on_error
        ``"keep"`` failed rows, or ``"raise"`` at the first one.
    fresh
        Begin anew; what was recorded is set aside.
    out
        A Parquet file to write the result to as well, once it is whole.
    prefix
        Put before the names of the answer's columns.
    timeout
        For the whole run, the queue included. Rows that have not come by then are pending.
    wait
        False to fail at once when the model is not Live.
    via
        ``"batch"`` to send the table through the service's batches, as `submit_batch` does, and
        wait for them: the way for many thousands of rows. The same call finds the same batch.
    folder
        With ``via="batch"``: a folder on the cluster's file system, as for `submit_batch`.
    background
        Return a `Run` at once, or with ``via="batch"`` the `Batch`.
    observer
        Told how far it is.
    **params
        Whatever else the service accepts: ``temperature``, ``max_tokens``, ``seed``, ...

    Returns
    -------
    pandas.DataFrame
        One row for each of `data`, in order and with its index: ``reply`` or the schema's fields,
        ``status`` (ok, truncated, failed, skipped or pending), ``reason``, ``finish_reason``,
        ``attempts``, ``tokens`` (in and out), ``seconds``. ``attrs["alcf"]`` says where they come
        from. After an interrupt the rest is pending.

    Raises
    ------
    TemplateError, UsageError, ModelNotChosenError
        Before anything is sent.
    JournalError
        The record cannot be used, or not be written; what had come is in the error's `result`.
    SignInError, NoConnectionError, ServiceError
        What ended the whole run; the error's `result` is the frame so far, recorded.
    """
    if for_batches(
        via,
        folder,
        images=images,
        checkpoint=checkpoint,
        concurrency=concurrency,
        on_error=on_error,
        wait=wait,
        out=out,
        background=background,
    ):
        written = ResultFile(out, write_parquet) if out is not None else None
        batch = submit_batch(
            tables.as_frame(data),
            template,
            model=model,
            cluster=cluster,
            system=system,
            schema=schema,
            prefix=prefix,
            folder=folder,
            fresh=fresh,
            **params,
        )
        if background:
            return batch.wait(background=True)
        return _results_of(batch.wait(timeout, observer=observer), written)
    planned = plan(
        data,
        template,
        model=model,
        cluster=cluster,
        system=system,
        schema=schema,
        images=images,
        checkpoint=checkpoint,
        concurrency=concurrency,
        on_error=on_error,
        fresh=fresh,
        out=out,
        prefix=prefix,
        timeout=timeout,
        wait=wait,
        **params,
    )
    return planned.carry_out(background=background, observer=observer)


def plan(  # noqa: PLR0913 - as map
    data: Any,
    template: str,
    *,
    model: str | None = None,
    cluster: str | None = None,
    system: str | None = None,
    schema: Any = None,
    images: Any = None,
    checkpoint: str | Path | None = None,
    concurrency: int | None = None,
    on_error: str = "keep",
    fresh: bool = False,
    out: str | Path | None = None,
    prefix: str = "",
    timeout: str | float = TIMEOUT,
    wait: bool = True,
    **params: Any,
) -> Plan:
    """Return what `map` would do, checked as far as it can be; see there for the parameters."""
    table = tables.as_frame(data)
    written = ResultFile(out, write_parquet) if out is not None else None
    talk = client()
    asking = Asking(
        template=template,
        system=system,
        settings=given(
            params, CHAT_PARAMETERS, gateway=talk.profile.is_gateway, kind="a chat", own=map
        ),
        schema=None if schema is None else schema_of(schema),
        prefix=prefix,
    )
    rows = prompts_of(table, template, images)
    call = Call(
        "chat/completions",
        choose(model, "chat"),
        cluster,
        asking.body,
        Deadline.after(timeout),
        wait,
    )
    run_identity = identity(
        kind="map", service=talk.service, model=call.model, cluster=cluster, **asking.facts
    )
    job = PromptColumn(asking, rows, table.index, run_identity, talk.profile)
    return Plan(job, call, run_identity, checkpoint, fresh, concurrency, on_error, written)


def for_batches(
    via: str = "requests",
    folder: str | Path | None = None,
    *,
    images: Any = None,
    checkpoint: str | Path | None = None,
    concurrency: int | None = None,
    on_error: str = "keep",
    wait: bool = True,
    out: str | Path | None = None,
    background: bool = False,
    **_others: Any,
) -> bool:
    """Tell whether a table goes through batches; see `map` for the parameters.

    Raises
    ------
    UsageError
        The way to send is none, or an option is given that is not for batches.
    """
    if via == "requests" and folder is None:
        return False
    if via != "batch":
        raise UsageError(
            f"via={via!r} is no way to send a table; nothing was sent."
            if via != "requests"
            else f"{named('folder')} is for batches; nothing was sent.",
            do=f"Leave it out, or:  {typed(via='batch')}",
        )
    is_given = {
        named("images"): images is not None,
        named("checkpoint"): checkpoint is not None,
        named("concurrency"): concurrency is not None,
        named("on_error"): on_error != "keep",
        named("wait"): not wait,
        f"{named('out')} in the background": background and out is not None,
    }
    strange = next((option for option, is_used in is_given.items() if is_used), None)
    if strange is not None:
        raise UsageError(
            f"{strange} is not for batches; nothing was submitted.",
            do=f"Leave {strange.partition(' ')[0].rstrip('=')} out.",
        )
    return True


def _results_of(batch: Batch, written: ResultFile | None) -> pd.DataFrame:
    frame = batch.results()
    if written is not None:
        written.write(frame)
    return frame
