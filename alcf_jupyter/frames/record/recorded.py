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
from alcf_jupyter.errors import AlcfError, JournalError, UsageError
from alcf_jupyter.frames import live_runs
from alcf_jupyter.frames.record.journal import FILES, LOCK
from alcf_jupyter.frames.record.journal_content import LINES
from alcf_jupyter.frames.record.journal_lines import Header, parse
from alcf_jupyter.frames.record.writer_lock import Holder, WriterLock, holder_of
from alcf_jupyter.names import nearest
from alcf_jupyter.typed import by_magic

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

DAYS: Final = 30
"""Without use for so long, a run in the state directory is deleted."""

_ROOM: Final = "runs"
_ELSEWHERE: Final = "checkpoints"
_NAME: Final = 16


@dataclass(frozen=True, slots=True)
class RecordedRun:
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

    def open(self) -> pd.DataFrame:
        """Return what is recorded, a row for each key in the order they were recorded.

        A record holds neither the table nor its index. The call that was recorded, run again,
        returns the rows as they are in the table, and sends none that is recorded.

        Raises
        ------
        JournalError
            It cannot be read.
        """
        from alcf_jupyter.frames.record import run_tables

        return run_tables.frame(self)

    def export(self, path: str | Path) -> Path:
        """Write what is recorded as JSON Lines, a new file that only you can read.

        Parameters
        ----------
        path
            A ``.jsonl`` file that is not there yet.

        Raises
        ------
        UsageError
            The name ends otherwise, the file is there, or it cannot be written.
        """
        from alcf_jupyter.frames.record import run_tables

        return run_tables.export(self, path)

    def delete(self) -> None:
        """Delete the record: its own files, and its folder if nothing else is in it.

        Raises
        ------
        JournalError
            It is being written, or cannot be deleted.
        """
        try:
            lock = WriterLock(self.folder / LOCK)
            try:
                for name in FILES:
                    if name != LOCK:
                        (self.folder / name).unlink(missing_ok=True)
            finally:
                lock.release()
            with contextlib.suppress(OSError):
                self.folder.rmdir()
            live_runs.forget(str(self.folder))
        except OSError as error:
            raise JournalError(
                f"{self.folder} cannot be deleted: {error.strerror}.",
                do=f"Look at it:  ls -la {self.folder}",
            ) from None

    def __repr__(self) -> str:
        return f"<recorded run {self.name}: {in_words(self.size)} in {self.folder}>"


def folder_of(identity: str, checkpoint: str | Path | None = None) -> Path:
    """Return the folder that a run is recorded in, or would be: nothing is made; see `place`."""
    if checkpoint is None:
        return state.root() / _ROOM / identity[:_NAME]
    return Path(checkpoint).expanduser().absolute()


def place(identity: str, checkpoint: str | Path | None = None) -> Path:
    """Return the folder that a run is recorded in; a checkpoint is remembered for `known`.

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
    folder = folder_of(identity, checkpoint)
    with contextlib.suppress(OSError, UsageError):  # without it, it is only missing in the list
        path = state.folder(_ELSEWHERE) / blake2b(os.fsencode(folder), digest_size=8).hexdigest()
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(os.fsencode(folder))
    return folder


def known() -> list[RecordedRun]:
    """Return every recorded run that can be read, the one used last first."""
    found = [_look(folder, checkpoint=False) for folder in _folders()]
    found += [_look(folder, checkpoint=True) for _, folder in _checkpoints()]
    return sorted((run for run in found if run), key=lambda run: run.used, reverse=True)


def find(name: str | Path, among: Sequence[RecordedRun] | None = None) -> RecordedRun:
    """Return a run by its name, the beginning of it, or its folder.

    Parameters
    ----------
    name
        The name or the folder.
    among
        Where it is looked for; every recorded run by default.

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
    runs = known() if among is None else among
    found = [run for run in runs if run.name.startswith(str(name))] if str(name) else []
    if len(found) == 1:
        return found[0]
    if found:
        places = [f"{run.name} in {at_home(run.folder)}" for run in found[:4]]
        raise UsageError(
            f"More than one recorded run is called {str(name)!r}.",
            why=f"There are: {', '.join(places)}.",
            do=f"Name its folder, as in  {_opening(at_home(found[0].folder))}",
        )
    near = nearest(str(name), [run.name for run in runs])
    raise UsageError(
        f"No recorded run is called {str(name)!r}.",
        why=f"There are: {', '.join(near)}." if near else "",
        do="See them all:  " + ("%alcf runs" if by_magic() else "alcf.runs()"),
    )


def _opening(folder: str) -> str:
    return f"%alcf runs open {folder}" if by_magic() else f'alcf.runs()["{folder}"]'


def expire(days: float = DAYS) -> list[RecordedRun]:
    """Delete the runs in the state directory that were not used for a while; never a checkpoint.

    Parameters
    ----------
    days
        Without use.

    Returns
    -------
    list of RecordedRun
        What was deleted. A run that is being written stays.
    """
    before = time.time() - days * 86400
    gone = []
    for run in known():
        if run.used < before and not run.checkpoint:
            with contextlib.suppress(JournalError):
                run.delete()
                gone.append(run)
    for pointer, folder in _checkpoints():
        # a file system that is not mounted just now comes back: keep the pointer for as long
        if not folder.exists() and pointer.stat().st_mtime < before:
            pointer.unlink(missing_ok=True)
    return gone


_expired = False


def expired() -> str:
    """Delete what expired, once in a session, and say so.

    Returns
    -------
    str
        A sentence; ``""`` where nothing was deleted, and at every later call.
    """
    global _expired  # noqa: PLW0603 - once in a session
    if _expired:
        return ""
    _expired = True
    gone = []
    with contextlib.suppress(AlcfError, OSError):  # a run must not fail for want of tidiness
        gone = expire()
    if not gone:
        return ""
    size = in_words(sum(run.size for run in gone))
    names = ", ".join(run.name for run in gone[:3]) + ("" if len(gone) <= 3 else ", …")
    what = "1 recorded run was" if len(gone) == 1 else f"{len(gone):,} recorded runs were"
    return f"{what} not used for {DAYS} days and deleted ({size}): {names}"


def in_words(size: int) -> str:
    """Return a size in bytes as people say it: ``1.2 MB``."""
    value, unit = float(size), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    return f"{size} bytes" if unit == "bytes" else f"{value:.3g} {unit}"


def at_home(folder: Path) -> str:
    """Return where a folder is, as one types it: ``~/study/run``."""
    with contextlib.suppress(ValueError, RuntimeError):
        return f"~/{folder.relative_to(Path.home())}"
    return str(folder)


def _folders() -> Iterator[Path]:
    yield from (one for one in state.folder(_ROOM).iterdir() if one.is_dir())


def _checkpoints() -> Iterator[tuple[Path, Path]]:
    for pointer in state.folder(_ELSEWHERE).iterdir():
        yield pointer, Path(os.fsdecode(pointer.read_bytes()))


def _look(folder: Path, *, checkpoint: bool) -> RecordedRun | None:
    try:
        about = (folder / LINES).stat()
        with (folder / LINES).open("rb") as file:
            header = parse(file.readline(100_000).rstrip(b"\n"), 0)
        size = sum(one.stat().st_size for one in folder.iterdir() if one.name in FILES)
    except (OSError, AlcfError):
        return None
    found = header if isinstance(header, Header) else None
    return RecordedRun(
        found.identity[:_NAME] if found else folder.name,
        folder,
        found.about if found else {},
        found.created if found else about.st_mtime,
        about.st_mtime,
        size,
        holder_of(folder / LOCK),
        checkpoint,
    )
