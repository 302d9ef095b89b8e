"""The turns of all of a user's kernels at one service, in a small file that they share."""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from alcf_jupyter.connection.state import folder

if TYPE_CHECKING:
    from pathlib import Path

_MOST_BYTES = 4096


class SharedTurns:
    """Takes turns from a file, under a lock that is never waited for.

    Parameters
    ----------
    origin
        The service: scheme, host and port.
    most, window
        So many turns in so many seconds.
    """

    def __init__(self, origin: str, most: int, window: float) -> None:
        self._name = hashlib.sha256(origin.encode()).hexdigest()[:32]
        self._most = most
        self._window = window

    def take(self) -> float:
        """Take a turn and return 0, or return the seconds until the next one may be free.

        Raises
        ------
        BlockingIOError
            Another process is at it just now.
        OSError, UsageError
            There is no place for the file, or it cannot be locked there.
        """
        import fcntl

        path: Path = folder("pace") / self._name
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            now = time.time()
            # a time in the future is of a clock that was put back since
            taken = [t for t in _times(os.read(handle, _MOST_BYTES)) if 0 <= now - t < self._window]
            if len(taken) >= self._most:
                return min(taken) + self._window - now
            text = "\n".join(f"{at:.4f}" for at in (*taken, now)).encode()
            os.pwrite(handle, text, 0)
            os.ftruncate(handle, len(text))
            return 0.0
        finally:
            os.close(handle)


def _times(data: bytes) -> list[float]:
    found = []
    for line in data.split():
        with suppress(ValueError):
            found.append(float(line))
    return found
