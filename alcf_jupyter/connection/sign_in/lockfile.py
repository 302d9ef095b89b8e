"""A lock between the processes of a user, on a file beside what it guards."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS = 30.0
"""Longer than anything that is done with a lock held: whoever holds it for longer hangs."""

_PAUSE = 0.02


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock; where a file system has none, or its holder hangs, go on without.

    What it guards must therefore be safe without it: here it saves work, and loses no data.

    Parameters
    ----------
    path
        The lock's own file, which is made and stays.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError:
        yield
        return
    try:
        _take(handle)
        yield
    finally:
        os.close(handle)


def _take(handle: int) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        return
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE)
        except OSError:  # a file system without locks
            return
        else:
            return
