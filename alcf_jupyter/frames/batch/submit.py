"""alcf.submit_batch: a table or a file becomes a campaign of batches."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from alcf_jupyter import progress
from alcf_jupyter.connection.record import replay
from alcf_jupyter.connection.session import choose, client
from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames import tables
from alcf_jupyter.frames.batch import manifest as batch_manifest
from alcf_jupyter.frames.batch import metrics, places
from alcf_jupyter.frames.batch.campaign import Batch
from alcf_jupyter.frames.batch.check import Checked, check_file
from alcf_jupyter.frames.batch.draft import draft, output
from alcf_jupyter.frames.batch.manifest import Manifest, Part
from alcf_jupyter.frames.batch.writer import keep, write_files
from alcf_jupyter.plain import brief

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import pandas as pd

    from alcf_jupyter.frames.batch.places import Place
    from alcf_jupyter.frames.batch.requests import Requests

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_RUN: Final = re.compile(r"-run(\d+)$")


def submit_batch(  # noqa: PLR0913 - all that can be said, each by its name
    data: Any = None,
    template: str | None = None,
    *,
    input_file: str | os.PathLike[str] | None = None,
    model: str | None = None,
    cluster: str | None = None,
    kind: str = "chat",
    system: str | None = None,
    schema: Any = None,
    prefix: str = "",
    folder: str | os.PathLike[str] | None = None,
    output_folder: str | os.PathLike[str] | None = None,
    name: str = "batch",
    fresh: bool = False,
    **params: Any,
) -> Batch:
    """Submit a table, or a file of requests, as a batch; nothing is submitted twice.

    The same call again, in this kernel or another one, returns the same batch: its files are named
    after what is in them. More than 150,000 rows become several batches, which are submitted one
    after the other as the service's quota lets them.

    Parameters
    ----------
    data, template
        A table, and the prompt of its rows, as for `map`. For embeddings the template may be left
        out where the table has one column.
    input_file
        In place of a table: a file of requests, such as `write_batch_input` writes. Each line is
        looked at before it is submitted, where it is on this machine.
    model, cluster
        Which model; the default set with `use` where not given, or the one that the file names.
    kind
        ``"chat"`` or ``"embed"``.
    system, schema, prefix
        As for `map`; of chats only.
    folder
        A folder on the cluster's file system for the input, which the service can read. Where
        that is not on this machine, the input is written into the current folder, and the line
        that copies it is shown.
    output_folder
        For the results; beside the input by default.
    name
        What the files' names begin with.
    fresh
        Submit it even if the same has been submitted before.
    **params
        Whatever else the service accepts, such as ``max_tokens``; ``dimensions`` of embeddings.

    Returns
    -------
    Batch
        Its `wait`, `results`, `failures` and so on.

    Raises
    ------
    UsageError, TemplateError, ModelNotChosenError
        Before anything is submitted.
    SignInError, NoConnectionError, ServiceError
        The service could not be asked, or refuses it.
    """
    if (data is None) == (input_file is None):
        raise UsageError(
            "A batch is made of a table or of an input file, one of the two.",
            do="Write:  alcf.submit_batch(df, 'Classify: {{title}}', folder='/eagle/…')",
        )
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{brief(name, 60)!r} cannot begin a file's name: letters, digits, -, _ and . only.",
            do="Write:  name='abstracts'",
        )
    replay.pass_over("A batch", "what alcf.map sends row by row")
    if input_file is not None:
        made = _of_file(input_file, model, cluster, output_folder, fresh=fresh)
    else:
        table = tables.as_frame(data)
        place = places.find(folder, client().profile)
        asked, manifest = draft(
            table,
            template,
            place,
            output_folder,
            name=name,
            model=model,
            cluster=cluster,
            kind=kind,
            system=system,
            schema=schema,
            prefix=prefix,
            params=params,
        )
        made = _of_table(manifest, place, asked, table.index, fresh=fresh)
    if not made.transferred:
        _say_transfer(made)
    return made


def _of_table(
    manifest: Manifest, place: Place, asked: Requests, index: pd.Index[Any], *, fresh: bool
) -> Batch:
    """Write the input under a name that says what is in it, unless that has been done."""
    talk = client()
    folder = Path.cwd() if place.local is None else place.local
    written = write_files(asked, folder, private=place.private)
    name = f"{manifest.name}-{written.digest}"
    known = _runs(folder, name)
    unsent = [asked.unsent] if asked.unsent else []
    if known and not fresh:
        written.drop()
        there = batch_manifest.read(batch_manifest.path_of(folder, known[-1]))
        if there is not None:
            there.prefix = manifest.prefix
            _tell(unsent)
            return _begun(Batch(there, folder, talk))
    taking = asked.taking(len(written.parts))
    taking += " · local sandbox" if talk.profile.name == "sandbox" else ""
    many = len(asked.positions) > progress.FEW
    _tell([*places.warnings_for(place), *([taking] if many else []), *unsent])
    manifest.name = f"{name}-run{len(known) + 1}" if known else name
    manifest.parts = written.named(manifest.name)
    keep(manifest, folder, index, asked.texts)
    return _begun(Batch(manifest, folder, talk))


def _runs(folder: Path, name: str) -> list[str]:
    """Return the campaigns of the same requests, the newest last."""

    def run(found: str) -> int:
        told = _RUN.search(found)
        return int(told[1]) if told else 1

    found = [
        one.name.removesuffix(batch_manifest.SUFFIX)
        for one in folder.glob(f"{name}*")
        if one.name.endswith(batch_manifest.SUFFIX)
    ]
    return sorted((one for one in found if _RUN.sub("", one) == name), key=run)


def _begun(made: Batch) -> Batch:
    made.refresh()
    if made.waits:
        made.wait(background=True)
    return made


def _of_file(
    input_file: str | os.PathLike[str],
    model: str | None,
    cluster: str | None,
    output_folder: str | os.PathLike[str] | None,
    *,
    fresh: bool,
) -> Batch:
    talk = client()
    place = places.find(input_file, talk.profile)
    folder = place.local.parent if place.local is not None else Path.cwd()
    name = batch_manifest.stem_of(place.remote)
    there = batch_manifest.read(batch_manifest.path_of(folder, name))
    if there is not None and any(part.name == place.name for part in there.parts):
        if fresh and any(part.batch_id or part.attempted for part in there.parts):
            raise UsageError(
                f"{place.name} has been submitted; a batch needs a file of its own.",
                why="Two batches of one file could not be told apart.",
                do=f"Copy it:  !cp {place.remote} {place.parent.remote}/{name}-2.jsonl",
            )
        _unchanged(there, folder)
        return _begun(Batch(there, folder, talk))
    if place.local is None:
        if model is None:
            choose(model, "chat")
        checked = Checked(0, "", model or "", "")
    else:
        places.check_readable(place)
        checked = check_file(place.local, None)
        if model is not None and choose(model, "chat") != checked.model:
            raise UsageError(
                f"{place.name} is for the model {checked.model}, and not for {model}.",
                why="Each line names it, and the batch must name the same.",
                do=f"Type:  alcf.submit_batch(input_file=…, model={checked.model!r})",
            )
        earlier = [one for one in metrics.listing(talk) or [] if one.input_file == place.remote]
        newest = max(earlier, key=lambda one: one.created or 0.0, default=None)
        if newest is not None and place.local.stat().st_mtime > (newest.created or 0.0):
            raise _changed(place.local, newest.id)
    found = talk.batch_model(choose(checked.model or model, "chat"), cluster)
    manifest = Manifest(
        name,
        checked.kind,
        found.id,
        found.cluster,
        talk.profile.name,
        place.parent.remote,
        output(output_folder, place.parent),
        [Part(place.name, checked.lines, checked.digest)],
        created=batch_manifest.now(),
    )
    batch_manifest.write(manifest, folder)
    return _begun(Batch(manifest, folder, talk))


def _unchanged(manifest: Manifest, folder: Path) -> None:
    """Make sure that what is to be submitted is what was written.

    Raises
    ------
    UsageError
        A file has changed since, and now has a broken line, or other lines than the index knows.
    """
    for part in manifest.parts:
        path = folder / part.name
        if not path.exists():
            continue
        checked = check_file(path, manifest.model)
        if part.digest and checked.digest != part.digest:
            if part.batch_id or part.attempted:
                raise _changed(path, part.batch_id)
            raise UsageError(
                f"{part.name} has changed since it was written; nothing was submitted.",
                why="Its manifest knows which rows it held.",
                do="Write it again:  alcf.write_batch_input(…)",
            )


def _changed(path: Path, batch_id: str) -> UsageError:
    return UsageError(
        f"{path.name} has changed since it was submitted; nothing was submitted.",
        why=f"Its answers are those of batch {batch_id}." if batch_id else "",
        do=f"Give the new requests a file of their own:  !cp {path} {path.stem}-2.jsonl",
    )


def _say_transfer(made: Batch) -> None:
    _tell(
        [
            "The cluster's file system is not on this machine. Copy the input there:",
            *(f"  {line}" for line in made.transfers()),
            f"then submit it:  alcf.batch({made.name!r}).submit()",
        ]
    )


def _tell(lines: Sequence[str]) -> None:
    watcher = progress.observer()
    for words in lines:
        watcher.note(words)
    watcher.close()
