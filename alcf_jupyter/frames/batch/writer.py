"""Writing the files of a batch: whole or not at all, readable by those who have to read them."""

from __future__ import annotations

import os
import secrets
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.batch import manifest as batch_manifest
from alcf_jupyter.frames.batch.manifest import Manifest, Part
from alcf_jupyter.frames.tables import Unfit
from alcf_jupyter.service.batches import MOST_LINES
from alcf_jupyter.typed import typed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from alcf_jupyter.frames.batch.requests import Requests

DIGEST: Final = 16
"""Hexadecimal digits of a hash that stand for what is in a file."""


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
        return made.hexdigest()[:DIGEST]

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
                do=f"Make room, or name another folder:  {typed(folder='/eagle/PROJECT/NAME')}",
            ) from None
        undo.pop_all()
    return made


def _write(pieces: Iterable[bytes], path: Path, mode: int) -> str:
    """Write a new file and return its digest."""
    made = sha256()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(handle, "wb", buffering=0) as file:
        os.fchmod(handle, mode)  # whatever the umask: the service reads it as another user
        for piece in pieces:
            made.update(piece)
            view = memoryview(piece)
            while view:  # a write is cut short where the room ends
                view = view[file.write(view) :]
    return made.hexdigest()[:DIGEST]


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

    Raises
    ------
    UsageError
        They cannot be written; the input is deleted again.
    """
    unfit = [text if isinstance(text, Unfit) else None for text in texts]
    rows = pd.DataFrame(
        {
            batch_manifest.POSITION: range(len(texts)) if positions is None else positions,
            batch_manifest.ROW_STATUS: [one.status if one else "" for one in unfit],
            batch_manifest.ROW_REASON: [one.reason if one else "" for one in unfit],
        }
    )
    path = batch_manifest.index_path(folder, manifest.name)
    try:
        batch_manifest.write_index(index, rows, path)
        batch_manifest.write(manifest, folder)
    except BaseException:  # an input that nobody can join again would only be in the way
        for name in (path.name, *(part.name for part in manifest.parts)):
            (folder / name).unlink(missing_ok=True)
        raise
