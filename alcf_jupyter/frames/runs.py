"""Recorded runs: where each is kept, how large it is, and how it is deleted or expires."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from alcf_jupyter.connection import state
from alcf_jupyter.errors import AlcfError, JournalError, UsageError, nearest
from alcf_jupyter.frames.journal import FILES, LOCK
from alcf_jupyter.frames.journal_content import LINES
from alcf_jupyter.frames.journal_lines import Header, parse
from alcf_jupyter.frames.writer_lock import Holder, WriterLock, holder_of

if TYPE_CHECKING:
    from collections.abc import Iterator

DAYS: Final = 30
"""Without use for so long, a run in the state directory is deleted."""

_ROOM: Final = "runs"
_ELSEWHERE: Final = "checkpoints"
_NAME: Final = 16


@dataclass(frozen=True, slots=True)
class Run:
    """A recorded run.

    Attributes
    ----------
    name
        The beginning of its identity.
    folder
        Where it is.
    about
        What was said of it: kind, model, cluster.
    created, used
        Seconds since 1970.
    size
        Bytes on the disk.
    holder
        The process that its lock names.
    checkpoint
        Whether the user chose the folder; such a run never expires.
    """

    name: str
    folder: Path
    about: dict[str, Any]
    created: float
    used: float
    size: int
    holder: Holder | None
    checkpoint: bool


def place(identity: str, checkpoint: str | Path | None = None) -> Path:
    """Return the folder that a run is recorded in; a checkpoint is remembered for `runs`.

    Parameters
    ----------
    identity
        As `row_keys.identity` gives it.
    checkpoint
        A folder of the user's choice; the state directory by default.

    Raises
    ------
    UsageError
        The state directory cannot be used.
    """
    if checkpoint is None:
        return state.folder(_ROOM, identity[:_NAME])
    folder = Path(checkpoint).expanduser().absolute()
    with contextlib.suppress(OSError, UsageError):  # without it, it is only missing in the list
        path = state.folder(_ELSEWHERE) / blake2b(os.fsencode(folder), digest_size=8).hexdigest()
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(os.fsencode(folder))
    return folder


def runs() -> list[Run]:
    """Return every recorded run that can be read, the one used last first."""
    found = [_look(folder, checkpoint=False) for folder in _folders()]
    found += [_look(folder, checkpoint=True) for _, folder in _checkpoints()]
    return sorted((run for run in found if run), key=lambda run: run.used, reverse=True)


def find(name: str | Path) -> Run:
    """Return a run by its name, the beginning of it, or its folder.

    Raises
    ------
    UsageError
        There is none, or more than one.
    """
    folder = Path(name).expanduser()
    if (folder / LINES).exists():
        run = _look(folder.absolute(), checkpoint=folder.parent != state.folder(_ROOM))
        if run:
            return run
    known = runs()
    found = [run for run in known if run.name.startswith(str(name))] if str(name) else []
    if len(found) == 1:
        return found[0]
    names = [run.name for run in found] or nearest(str(name), [run.name for run in known])
    raise UsageError(
        f"{'More than one' if found else 'No'} recorded run is called {str(name)!r}.",
        why=f"There are: {', '.join(names)}." if names else "",
        do="See them all:  alcf.runs()",
    )


def delete(run: Run) -> None:
    """Delete a record: its own files, and its folder if nothing else is in it.

    Raises
    ------
    JournalError
        It is being written, or cannot be deleted.
    """
    try:
        lock = WriterLock(run.folder / LOCK)
        try:
            for name in FILES:
                if name != LOCK:
                    (run.folder / name).unlink(missing_ok=True)
        finally:
            lock.release()
        with contextlib.suppress(OSError):
            run.folder.rmdir()
    except OSError as error:
        raise JournalError(
            f"{run.folder} cannot be deleted: {error.strerror}.",
            do=f"Look at it:  ls -la {run.folder}",
        ) from None


def expire(days: float = DAYS) -> list[Run]:
    """Delete the runs in the state directory that were not used for a while; never a checkpoint.

    Parameters
    ----------
    days
        Without use.

    Returns
    -------
    list of Run
        What was deleted. A run that is being written stays.
    """
    before = time.time() - days * 86400
    gone = []
    for run in runs():
        if run.used < before and not run.checkpoint:
            with contextlib.suppress(JournalError):
                delete(run)
                gone.append(run)
    for pointer, folder in _checkpoints():
        # a file system that is not mounted just now comes back: keep the pointer for as long
        if not folder.exists() and pointer.stat().st_mtime < before:
            pointer.unlink(missing_ok=True)
    return gone


def _folders() -> Iterator[Path]:
    yield from (one for one in state.folder(_ROOM).iterdir() if one.is_dir())


def _checkpoints() -> Iterator[tuple[Path, Path]]:
    for pointer in state.folder(_ELSEWHERE).iterdir():
        yield pointer, Path(os.fsdecode(pointer.read_bytes()))


def _look(folder: Path, *, checkpoint: bool) -> Run | None:
    try:
        about = (folder / LINES).stat()
        with (folder / LINES).open("rb") as file:
            header = parse(file.readline(100_000).rstrip(b"\n"), 0)
        size = sum(one.stat().st_size for one in folder.iterdir() if one.name in FILES)
    except (OSError, AlcfError):
        return None
    known = header if isinstance(header, Header) else None
    return Run(
        known.identity[:_NAME] if known else folder.name,
        folder,
        known.about if known else {},
        known.created if known else about.st_mtime,
        about.st_mtime,
        size,
        holder_of(folder / LOCK),
        checkpoint,
    )
