"""Starting a cold model with one request, once in ten minutes over all of a user's kernels."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from alcf_jupyter.connection.state import folder
from alcf_jupyter.errors import AlcfError, UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from alcf_jupyter.service.catalog import Model

_LOCK_TRIES = 50
_LOCK_PAUSE = 0.002


class WarmUps:
    """Asks models to start, each at most once in a while; the gateway refuses a second request.

    Parameters
    ----------
    url
        The service's base address.
    window
        Seconds before a model may be asked again, in this process or in another.
    """

    def __init__(self, url: str, window: float) -> None:
        self._url = url
        self._window = window
        self._asked: dict[tuple[str, str], float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, model: Model, send: Callable[[], Awaitable[object]]) -> bool:
        """Send one request to `model` in the background, unless one was sent lately.

        Parameters
        ----------
        model
            The model to start.
        send
            Sends the request; its answer does not matter, and its failure is expected.

        Returns
        -------
        bool
            Whether a request was sent.
        """
        key = (model.cluster, model.id)
        now = time.monotonic()
        if now - self._asked.get(key, float("-inf")) < self._window:
            return False
        self._asked[key] = now
        if not self._first(model):
            return False
        task = asyncio.get_running_loop().create_task(_quietly(send))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    def _first(self, model: Model) -> bool:
        """Tell whether no other process has asked lately, and note that this one does."""
        name = hashlib.sha256(f"{self._url}\n{model.cluster}\n{model.id}".encode()).hexdigest()
        try:
            return _stamp(folder("warmups") / name[:32], self._window)
        except (UsageError, OSError):
            return True  # without a place to write, this process's own memory has to do


def _stamp(path: Path, window: float) -> bool:
    """Write the time into a file, unless the one that stands there is younger than `window`."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _lock(handle)
        now = time.time()
        try:
            before = float(os.read(handle, 64) or b"-inf")
        except ValueError:
            before = float("-inf")
        if 0 <= now - before < window:
            return False
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{now:.3f}".encode(), 0)
        return True
    finally:
        os.close(handle)


def _lock(handle: int) -> None:
    """Take the lock of a file, or go on without: then two may ask, which costs one request.

    Some shared filesystems have no locks, and who has it may hang. This runs on the connection's
    loop, where everything else would hang, too.
    """
    for _ in range(_LOCK_TRIES):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOCK_PAUSE)
        except OSError:
            return
        else:
            return


async def _quietly(send: Callable[[], Awaitable[object]]) -> None:
    with suppress(AlcfError):
        await send()
