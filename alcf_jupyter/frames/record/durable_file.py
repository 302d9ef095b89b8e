"""A file that is only ever appended to: what was appended is on the disk, or not in the file."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

NOFOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | NOFOLLOW
_sync = getattr(os, "fdatasync", os.fsync)


class DurableFile:
    """A private file, open for appending; used by one thread at a time.

    Parameters
    ----------
    path
        The file; made, readable by its owner alone, if it is not there.

    Attributes
    ----------
    size
        Bytes that are known to be on the disk.
    """

    def __init__(self, path: Path) -> None:
        is_new = not path.exists()
        self._handle = os.open(path, _FLAGS, 0o600)
        self.size = os.fstat(self._handle).st_size
        if is_new:
            sync_folder(path.parent)

    def append(self, data: bytes | memoryview) -> None:
        """Append in one write and one sync, or leave the file as it was.

        Raises
        ------
        OSError
            No room, or no right to.
        """
        if os.fstat(self._handle).st_size != self.size:
            self.cut(self.size)  # an earlier failure could not be undone then
        try:
            view = memoryview(data)
            while view:  # a write is cut short where the room ends, or by a signal
                view = view[os.write(self._handle, view) :]
            _sync(self._handle)
        except BaseException:
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle, self.size)
            raise
        self.size += len(data)

    def cut(self, size: int) -> None:
        """Drop what is behind the first `size` bytes."""
        os.ftruncate(self._handle, size)
        os.fsync(self._handle)
        self.size = size

    def touch(self) -> None:
        """Note that the file is in use."""
        with contextlib.suppress(OSError):
            os.utime(self._handle)

    def close(self) -> None:
        """Close it; a second call does nothing."""
        if self._handle >= 0:
            os.close(self._handle)
        self._handle = -1


def sync_folder(folder: Path) -> None:
    """Make a new file's name durable, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
