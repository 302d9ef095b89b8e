"""Blocking work in a thread of its own: the loop goes on, and an interrupt ends the wait."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

from alcf_jupyter.connection import loop

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def start(work: Callable[[], T]) -> Future[T]:
    """Run `work` in a daemon thread: one that hangs does not keep the process from ending."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
            future.set_exception(error)

    threading.Thread(target=run, name="alcf_jupyter worker", daemon=True).start()
    return future


async def result(future: Future[T]) -> T:
    """Return what `start` was given to do; being cancelled leaves it running."""
    return await asyncio.shield(asyncio.wrap_future(future))


def wait(work: Callable[[], T]) -> T:
    """Run `work` in a thread and wait for it, so that an interrupt gives control back at once.

    What it raises comes without its frames: their variables may hold tokens.
    """
    return loop.run(result(start(work)))
