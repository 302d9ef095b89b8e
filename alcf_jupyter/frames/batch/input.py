"""A table as the input of a batch, written to be looked at or submitted later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alcf_jupyter import progress
from alcf_jupyter.connection.session import client
from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames import tables
from alcf_jupyter.frames.batch import manifest as batch_manifest
from alcf_jupyter.frames.batch import places
from alcf_jupyter.frames.batch.draft import draft
from alcf_jupyter.frames.batch.writer import keep, write_files

if TYPE_CHECKING:
    import os
    from pathlib import Path


def write_batch_input(
    data: Any,
    template: str | None,
    path: str | os.PathLike[str],
    *,
    model: str | None = None,
    cluster: str | None = None,
    kind: str = "chat",
    system: str | None = None,
    schema: Any = None,
    prefix: str = "",
    output_folder: str | None = None,
    **params: Any,
) -> list[Path]:
    """Write a table as the input of a batch, to look at or to submit later.

    The files are written at once or not at all. Beside them comes a manifest with the table's
    index, so that the results find back to its rows; `submit_batch` submits them.

    Parameters
    ----------
    data, template
        A table, and the prompt of its rows, as for `map`. For embeddings the template may be left
        out where the table has one column.
    path
        A ``.jsonl`` file on the cluster's file system. Of more than 150,000 rows it becomes
        several, ``NAME-1of3.jsonl`` and so on.
    model, cluster
        Which model; the default set with `use` where not given.
    kind
        ``"chat"`` or ``"embed"``.
    system, schema, prefix
        As for `map`; of chats only.
    output_folder
        Where the results are to go; beside the input by default.
    **params
        Whatever else the service accepts, such as ``max_tokens``; ``dimensions`` of embeddings.

    Returns
    -------
    list of pathlib.Path
        The files.

    Raises
    ------
    UsageError, TemplateError, ModelNotChosenError
        Something cannot be sent; or the service could not read the files or write its results,
        and the message says what to type.
    """
    profile = client().profile
    place = places.find(path, profile)
    if not place.name.endswith(".jsonl"):
        raise UsageError(
            f"The input of a batch is a .jsonl file, and {place.name} is none.",
            do="Name it:  path='/eagle/PROJECT/NAME/questions.jsonl'",
        )
    if place.local is None:
        raise UsageError(
            f"{place.parent.remote} is on the cluster's file system, which is not here.",
            do="Write it here, to be transferred:  alcf.submit_batch(df, …, folder='/eagle/…')",
        )
    table = tables.as_frame(data)
    asked, manifest = draft(
        table,
        template,
        place.parent,
        output_folder,
        name=place.name.removesuffix(".jsonl"),
        model=model,
        cluster=cluster,
        kind=kind,
        system=system,
        schema=schema,
        prefix=prefix,
        params=params,
    )
    folder = place.local.parent
    _check_free(folder, manifest.name)
    watcher = progress.observer()
    for words in [*places.warnings_for(place.parent), asked.unsent]:
        if words:
            watcher.note(words)
    watcher.close()
    manifest.parts = write_files(asked, folder, private=place.private).named(manifest.name)
    keep(manifest, folder, table.index, asked.texts)
    return [folder / part.name for part in manifest.parts]


def _check_free(folder: Path, name: str) -> None:
    """Make sure that writing an input takes no batch its input away.

    Raises
    ------
    UsageError
        Files of this name have been submitted.
    """
    there = batch_manifest.read(batch_manifest.path_of(folder, name))
    if there and any(part.batch_id or part.attempted for part in there.parts):
        raise UsageError(
            f"{name}.jsonl has been submitted as a batch; nothing was written.",
            do="Name another file.",
        )
