"""Input files of batches: written whole or not at all, and checked before they are submitted."""

from __future__ import annotations

import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pandas as pd

from alcf_jupyter import progress
from alcf_jupyter.connection.session import choose, client
from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames import batch_manifest, batch_places, tables
from alcf_jupyter.frames.batch_manifest import Manifest, Part
from alcf_jupyter.frames.batch_requests import KINDS, Requests, requests
from alcf_jupyter.frames.tables import Unfit
from alcf_jupyter.plain import brief
from alcf_jupyter.service.batches import MOST_LINES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_DIGEST: Final = 16
_URLS: Final = {url: kind for kind, url in KINDS.items()}


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
    system, schema
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
    place = batch_places.find(path, profile)
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
    chosen = choose(model, kind if kind in KINDS else "chat")
    asked = requests(
        tables.as_frame(data),
        template,
        kind=kind,
        model=client().batch_model(chosen, cluster).id,
        system=system,
        schema=schema,
        params=params,
    )
    found = client().batch_model(chosen, cluster)
    out = place.parent if output_folder is None else batch_places.find(output_folder, profile)
    watcher = progress.on_stderr()
    for words in batch_places.warnings_for(place.parent):
        watcher.note(words)
    for folder in {place.parent.remote: place.parent, out.remote: out}.values():
        batch_places.make_folder(folder)
    batch_places.check_readable(place.parent)
    batch_places.check_writable(out)
    folder, name = place.local.parent, place.name.removesuffix(".jsonl")
    check_free(folder, name)
    written = write_files(asked, folder, private=place.private)
    parts = written.named(name)
    index = tables.as_frame(data).index
    keep(
        Manifest(
            name,
            kind,
            found.id,
            found.cluster,
            client().profile.name,
            place.parent.remote,
            out.remote,
            parts,
            len(asked.texts),
            template or "",
            system or "",
            params,
            batch_manifest.now(),
        ),
        folder,
        index,
        asked.texts,
    )
    return [folder / part.name for part in parts]


def check_free(folder: Path, name: str) -> None:
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


@dataclass
class Written:
    """Files that are written but do not bear their names yet.

    Attributes
    ----------
    folder
        Where they are.
    paths
        The files.
    parts
        What is known of each, but for its name.
    """

    folder: Path
    paths: list[Path]
    parts: list[Part]

    @property
    def digest(self) -> str:
        """A name for what is in them."""
        made = sha256()
        for part in self.parts:
            made.update(part.digest.encode())
        return made.hexdigest()[:_DIGEST]

    def named(self, name: str) -> list[Part]:
        """Give the files their names, and return what is known of them."""
        count = len(self.parts)
        for number, (path, part) in enumerate(zip(self.paths, self.parts, strict=True), 1):
            part.name = f"{name}.jsonl" if count == 1 else f"{name}-{number}of{count}.jsonl"
            path.replace(self.folder / part.name)
        return self.parts

    def drop(self) -> None:
        """Delete what bears no name."""
        for path in self.paths:
            path.unlink(missing_ok=True)


def write_files(asked: Requests, folder: Path, *, private: bool) -> Written:
    """Write the rows that can be sent, at most 150,000 to a file.

    Parameters
    ----------
    asked
        The rows.
    folder
        Where to write.
    private
        Whether nobody else has to read them.

    Raises
    ------
    UsageError
        They cannot be written; nothing is left of them.
    """
    positions = asked.positions
    spans = [positions[at : at + MOST_LINES] for at in range(0, len(positions), MOST_LINES)]
    return write_parts([(asked.lines(span), len(span)) for span in spans], folder, private=private)


def write_parts(
    parts: Sequence[tuple[Iterable[bytes], int]], folder: Path, *, private: bool
) -> Written:
    """Write files of whole lines; see `write_files`.

    Parameters
    ----------
    parts
        The bytes of each file, in pieces, and how many lines they are.
    folder, private
        As for `write_files`.
    """
    made = Written(folder, [], [])
    with ExitStack() as undo:
        undo.callback(made.drop)
        try:
            for pieces, lines in parts:
                path = folder / f".batch-{secrets.token_hex(6)}.part"
                made.paths.append(path)
                made.parts.append(
                    Part("", lines, _write(pieces, path, 0o600 if private else 0o644))
                )
        except OSError as error:
            raise UsageError(
                f"{folder} cannot be written to: {error.strerror}; nothing was submitted.",
                do="Make room, or name another folder:  folder=…",
            ) from None
        undo.pop_all()
    return made


def _write(pieces: Iterable[bytes], path: Path, mode: int) -> str:
    """Write a new file and return its digest; both go on while the next piece is made."""
    made = sha256()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)

    def put(piece: bytes) -> None:
        made.update(piece)
        view = memoryview(piece)
        while view:  # a write is cut short where the room ends
            view = view[file.write(view) :]

    with os.fdopen(handle, "wb", buffering=0) as file, ThreadPoolExecutor(1) as writer:
        os.fchmod(handle, mode)  # whatever the umask: the service reads it as another user
        before = None
        for piece in pieces:
            now = writer.submit(put, piece)
            if before is not None:
                before.result()
            before = now
        if before is not None:
            before.result()
    return made.hexdigest()[:_DIGEST]


def keep(
    manifest: Manifest,
    folder: Path,
    index: pd.Index[Any],
    texts: Sequence[bytes | Unfit],
    positions: Sequence[int] | None = None,
) -> None:
    """Write the manifest and the index of what was written.

    Parameters
    ----------
    manifest
        What to write.
    folder
        Where its files are.
    index
        Of the rows.
    texts
        What each row asks, or why it is not sent.
    positions
        What the custom ids of the rows say; 0, 1, 2, ... by default.
    """
    unfit = [text if isinstance(text, Unfit) else None for text in texts]
    rows = pd.DataFrame(
        {
            batch_manifest.POSITION: range(len(texts)) if positions is None else positions,
            batch_manifest.ROW_STATUS: [one.status if one else "" for one in unfit],
            batch_manifest.ROW_REASON: [one.reason if one else "" for one in unfit],
        }
    )
    batch_manifest.write_index(index, rows, batch_manifest.index_path(folder, manifest.name))
    batch_manifest.write(manifest, folder)


class _Request(msgspec.Struct):
    custom_id: str
    method: str
    url: str
    body: msgspec.Raw


class _Body(msgspec.Struct):
    model: str
    messages: list[dict[str, Any]] | None = None
    input: str | list[Any] | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """What an input file holds: how many lines, of which kind, for which model."""

    lines: int
    kind: str
    model: str
    digest: str


def check_file(path: Path, model: str | None) -> Checked:
    """Look at every line of an input file: one that is broken fails all lines around it.

    Parameters
    ----------
    path
        The file.
    model
        The model that it is for; None: the one that its first line names.

    Raises
    ------
    UsageError
        It cannot be read, is empty or too long, or a line is no request; the message names the
        first such line.
    """
    read, inside = msgspec.json.Decoder(_Request).decode, msgspec.json.Decoder(_Body).decode
    seen: set[str] = set()
    kinds: set[str] = set()
    made = sha256()
    lines = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                made.update(line)
                if not line.strip():
                    continue
                lines += 1
                try:
                    one = read(line)
                    body = inside(one.body)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    raise _broken(path, number, brief(error, 160)) from None
                model = model or body.model
                wrong = _wrong(one, body, model, seen)
                if wrong:
                    raise _broken(path, number, wrong)
                seen.add(one.custom_id)
                kinds.add(_URLS[one.url])
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}; nothing was submitted.",
            do=f"Look at it:  !ls -l {path}",
        ) from None
    if not lines or lines > MOST_LINES:
        raise UsageError(
            f"{path} holds {lines:,} requests; a batch takes 1 to {MOST_LINES:,}.",
            why="Nothing was submitted.",
            do="Give the table and let it be cut:  alcf.submit_batch(df, …)",
        )
    return Checked(
        lines, "embed" if kinds == {"embed"} else "chat", model or "", made.hexdigest()[:_DIGEST]
    )


def _wrong(one: _Request, body: _Body, model: str, seen: set[str]) -> str:
    """Return what is wrong with a line, ``""`` where nothing is."""
    kind = _URLS.get(one.url)
    if kind is None:
        return f"its url is {brief(one.url, 60)!r}, and a batch takes {' or '.join(_URLS)}"
    if one.method != "POST":
        return f"its method is {brief(one.method, 20)!r}, and not 'POST'"
    if body.model != model:
        return f"it names the model {brief(body.model, 60)!r}, and not {model!r}"
    if one.custom_id in seen:
        return f"its custom_id {brief(one.custom_id, 60)!r} was used before"
    lacks = not body.messages if kind == "chat" else body.input is None
    return f"it has no {'messages' if kind == 'chat' else 'input'}" if lacks else ""


def _broken(path: Path, number: int, why: str) -> UsageError:
    return UsageError(
        f"Line {number:,} of {path.name} is no request for a batch; nothing was submitted.",
        why=f"{why[0].upper()}{why[1:]}. One broken line fails the 20,000 around it.",
        do=f"Look at it:  !sed -n {number}p {path}",
    )
