"""One writer of a record: a file that names host, process and start, and is seen through.

Where the file system has locks (flock), the kernel of the machine lets go of a dead writer's; where
it has none, the file itself is the lock, and the process it names is looked up. A writer on another
machine cannot be looked up: it counts as alive while it touches the file now and then.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from alcf_jupyter.connection.sign_in import lockfile
from alcf_jupyter.errors import JournalHeldError
from alcf_jupyter.typed import typed

STALE: Final = 900.0
"""Seconds without a touch after which a writer on another machine counts as gone."""

_NOFOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)


class Holder(msgspec.Struct, frozen=True):
    """The process that writes: enough to find out whether it still runs, and to name it."""

    host: str
    pid: int
    process: str
    """When it started, as the system counts; a process number is given out again, this is not."""
    boot: str
    space: str
    """The namespace its number belongs to; containers on one host have their own."""
    since: float

    def __str__(self) -> str:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return f"process {self.pid} on {self.host}, since {when}"


class WriterLock:
    """The right to write a record, from the moment it is made until `release`.

    Parameters
    ----------
    path
        The lock's file; the folder is there.

    Raises
    ------
    JournalHeldError
        Another process, or another run of this one, has it.
    OSError
        The file cannot be made: no room, or no right to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with lockfile.held(path.with_name(f"{path.name}.guard")):
            self._handle = self._take()
            self._process = os.getpid()
            self._touched = time.monotonic()

    def check(self) -> None:
        """Make sure that the right is still ours, and say that we live.

        Raises
        ------
        JournalHeldError
            Another process took it over: this one was suspended, or silent, for too long.
        """
        if self._process != os.getpid():  # a fork has its parent's open files, not its right
            raise _refusal(self.path, _read(self.path))
        ours = os.fstat(self._handle)
        try:
            there = self.path.stat()
        except FileNotFoundError:
            there = None
        if there is None or (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino):
            raise _refusal(self.path, _read(self.path))
        now = time.monotonic()
        if now - self._touched > STALE / 30:
            with contextlib.suppress(OSError):
                os.utime(self.path)
            self._touched = now

    def release(self) -> None:
        """Give the right back; a second call does nothing."""
        if self._handle < 0:
            return
        with contextlib.suppress(JournalHeldError, OSError):
            self.check()
            self.path.unlink()
        os.close(self._handle)
        self._handle = -1

    def _take(self) -> int:
        with contextlib.suppress(FileExistsError):
            return self._make()
        # Two may find a dead writer's file at once where nothing guards this place. Both would
        # then go on, and the one whose file is gone learns it from `check` before it writes.
        holder = _read(self.path)
        with contextlib.suppress(FileNotFoundError):
            if self._is_held(holder):
                raise _refusal(self.path, holder)
            self.path.unlink()
        try:
            return self._make()
        except FileExistsError:
            raise _refusal(self.path, _read(self.path)) from None

    def _make(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | _NOFOLLOW
        handle = os.open(self.path, flags, 0o600)
        try:
            _flock(handle)
            os.write(handle, msgspec.json.encode(myself()))
        except BaseException:
            os.close(handle)
            self.path.unlink(missing_ok=True)
            raise
        return handle

    def _is_held(self, holder: Holder | None) -> bool:
        me = myself()
        beside = holder is not None and (holder.host, holder.boot) == (me.host, me.boot)
        if holder and beside and me.boot and holder.space == me.space:
            return _start(holder.pid) == holder.process != ""
        handle = os.open(self.path, os.O_RDWR | os.O_CLOEXEC | _NOFOLLOW)
        try:
            locked = _flock(handle)
            touched = os.fstat(handle).st_mtime
        finally:
            os.close(handle)
        if locked is False:
            return True
        if holder is None:  # its writer died, or is, between making and filling it
            return not locked and _age(self.path, touched) < 10
        if beside and locked:
            return False
        if holder.host == me.host and touched < _booted():
            return False
        return _age(self.path, touched) < STALE


def holder_of(path: Path) -> Holder | None:
    """Return the process a lock's file names, whether it lives or not; None where there is none."""
    return _read(path)


@cache
def _boot() -> str:
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""


def myself() -> Holder:
    """Return this process as a lock names it."""
    space = ""
    with contextlib.suppress(OSError):
        space = str(Path("/proc/self/ns/pid").readlink())
    pid = os.getpid()
    return Holder(socket.gethostname(), pid, _start(pid), _boot(), space, time.time())


def _start(pid: int) -> str:
    """Return when a process started, ``""`` for none; without /proc only that there is one."""
    try:
        about = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        if _boot():
            return ""
    except OSError:
        return ""
    else:
        state, *rest = about.rpartition(")")[2].split()
        return "" if state in "ZX" else rest[18]
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except OSError:
        pass
    return "running"


def _booted() -> float:
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return 0.0


def _age(path: Path, touched: float) -> float:
    """Return the seconds since a touch, by the clock of the file server where that can be asked."""
    probe = path.with_name(f"{path.name}.{os.getpid()}.now")
    try:
        os.close(os.open(probe, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC | _NOFOLLOW, 0o600))
        now = probe.stat().st_mtime
        probe.unlink()
    except OSError:
        now = time.time()
    return now - touched


def _flock(handle: int) -> bool | None:
    """Return True when locked, False when another has it, None where there are no locks."""
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _read(path: Path) -> Holder | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Holder)
    except (OSError, ValueError):
        return None


def _refusal(path: Path, holder: Holder | None) -> JournalHeldError:
    me = myself()
    if holder and (holder.host, holder.pid, holder.process) == (me.host, me.pid, me.process):
        return JournalHeldError(
            "This kernel is already writing the record of this run.",
            why=str(path.parent),
            do="Wait for that run, or stop it:  run.stop()",
        )
    who = str(holder) if holder else "an unknown process"
    return JournalHeldError(
        f"The record of this run is being written by {who}.",
        why=str(path.parent),
        do=f"Stop it there, or run beside it:  add {typed(checkpoint='another-folder')}",
    )
