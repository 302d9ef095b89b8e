"""What a run's record holds, read back whatever happened to it."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from alcf_jupyter.errors import JournalError
from alcf_jupyter.frames.record import vector_file
from alcf_jupyter.frames.record.durable_file import NOFOLLOW, DurableFile
from alcf_jupyter.frames.record.journal_lines import Header, Row, parse, seed
from alcf_jupyter.typed import typed

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from numpy.typing import NDArray

LINES: Final = "journal.jsonl"
VECTORS: Final = "vectors.f32"
DAMAGED: Final = "damaged.jsonl"

_OURS: Final = re.compile(
    rb"[0-9a-f]{8} |[0-9a-f]{1,8} ?\Z|\0+\Z|.*\"(?:identity|key|status)\":", re.DOTALL
)
"""A line of a record, be it damaged or torn; any other file is not to be written to."""


@dataclass(slots=True)
class Content:
    """What a record holds.

    Attributes
    ----------
    header
        None where its line is damaged.
    rows
        By key; a later line of a key takes the place of an earlier one.
    vectors
        The matrix that the rows' ``vector.place`` is a row number of.
    lost
        How many rows are dropped because their vectors are damaged or not there.
    damaged
        The lines that cannot be read: where each begins, and what stands there.
    torn
        Bytes of a last line that was not finished.
    size
        Bytes up to the end of the last whole line.
    """

    header: Header | None = None
    rows: dict[str, Row] = field(default_factory=dict)
    vectors: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))
    lost: int = 0
    damaged: list[tuple[int, bytes]] = field(default_factory=list)
    torn: int = 0
    size: int = 0


def read(folder: Path, identity: str | None = None, *, vectors: bool = True) -> Content:
    """Return what a record holds, whatever happened to it; nothing is written.

    Parameters
    ----------
    folder
        The record's. Whose it is does not matter.
    identity
        The run's, by which its lines are known even when the header is damaged.
    vectors
        False to leave the vectors alone, and take the lines' word for them.

    Raises
    ------
    JournalError
        It cannot be read, is of another run or of a form not known, or is no record at all.
    """
    path = folder / LINES
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | NOFOLLOW)
        with os.fdopen(handle, "rb") as file:
            content = _replay(file, path, identity)
    except OSError as error:
        raise JournalError(
            f"{path} cannot be read: {error.strerror}.", do=f"Look at it:  ls -l {path}"
        ) from None
    if not vectors:
        return content
    rows = list(content.rows.items())
    content.vectors, whole = vector_file.open_matrix(
        folder / VECTORS, [row.vector for _, row in rows]
    )
    if not all(whole):
        content.rows = {
            key: row for (key, row), is_whole in zip(rows, whole, strict=True) if is_whole
        }
        content.lost = len(rows) - len(content.rows)
    return content


def quarantine(folder: Path, content: Content) -> list[str]:
    """Copy damaged lines to a file of their own, once; the record itself is never rewritten.

    Parameters
    ----------
    folder
        The record's.
    content
        What was read of it.

    Returns
    -------
    list of str
        What was found wrong that had not been told before, each a sentence.
    """
    notes = []
    if content.lost:
        notes.append(
            f"The vectors of {content.lost:,} recorded rows are damaged or missing; "
            "these rows are sent again."
        )
    path = folder / DAMAGED
    known = _offsets(path) if content.damaged else set()
    new = [(offset, raw) for offset, raw in content.damaged if offset not in known]
    if new:
        what = "1 line of the record is" if len(new) == 1 else f"{len(new):,} lines of it are"
        notes.append(f"{what} damaged, and kept in {path}; what stood there is sent again.")
        copies = [
            json.dumps({"offset": offset, "bytes": base64.b64encode(raw).decode()}) + "\n"
            for offset, raw in new
        ]
        with contextlib.suppress(OSError):  # the lines are still where they were
            file = DurableFile(path)
            try:
                file.append("".join(copies).encode())
            finally:
                file.close()
    return notes


def _offsets(path: Path) -> set[int]:
    known: set[int] = set()
    with contextlib.suppress(OSError):
        for one in path.read_bytes().splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError):
                known.add(json.loads(one)["offset"])
    return known


def _replay(file: BinaryIO, path: Path, identity: str | None) -> Content:
    content = Content(header=_header(file))
    found = content.header.identity if content.header else identity
    if found is None:
        raise _no_record(path)
    if identity not in (None, found):
        raise _of_another(path.parent)
    start = seed(found)
    rest = b""
    for raw in file:
        if not raw.endswith(b"\n"):
            rest, content.torn = raw, len(raw)
            break
        value = parse(raw[:-1], start)
        if isinstance(value, Row):
            content.rows.pop(value.key, None)  # the last line is the last in order, too
            content.rows[value.key] = value
        elif isinstance(value, Header) and value.identity == found:
            content.header = value  # the last one says the most
        elif value is None:
            content.damaged.append((content.size, raw))
        content.size += len(raw)
    if not content.header and not content.rows:
        pieces = [raw for _, raw in content.damaged] + [rest] * bool(rest)
        if pieces and not any(map(_OURS.match, pieces)):
            raise _no_record(path)
    return content


def _header(file: BinaryIO) -> Header | None:
    """Return the header: the first line, or where that is damaged a later copy."""
    try:
        for raw in file:
            if raw[8:11] == b" h " and raw.endswith(b"\n"):
                value = parse(raw[:-1], 0)
                if isinstance(value, Header):
                    return value
        return None
    finally:
        file.seek(0)


def _no_record(path: Path) -> JournalError:
    return JournalError(
        f"{path} is not a record of a run, or its first line is damaged.",
        do=f"Look at it:  head -c 300 {path}",
    )


def _of_another(folder: Path) -> JournalError:
    return JournalError(
        f"{folder} records another run: its model, parameters or template differ.",
        why="None of its answers belongs here, and none is touched.",
        do=f"Name another folder, as in  {typed(checkpoint='run-2')}   or begin anew:  add "
        f"{typed(fresh=True)}",
    )
