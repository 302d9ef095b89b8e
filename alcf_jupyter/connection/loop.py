"""The background thread that owns the sockets; the caller's thread waits in short slices.

Network code in the caller's own thread cannot be interrupted reliably: a top-level await and
``asyncio.to_thread`` both stay stuck on a half-open socket. Here an interrupt only has to reach a
wait on a queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import threading
import traceback
from typing import TYPE_CHECKING, Any, TypeVar

from alcf_jupyter.errors import AlcfError, Interrupted

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
    from concurrent.futures import Future

T = TypeVar("T")
E = TypeVar("E")

SLICE_SECONDS = 0.1

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_END = object()


def current() -> asyncio.AbstractEventLoop:
    """Return the loop, started with the first call and again after a fork."""
    global _loop  # noqa: PLW0603 - one loop a process is what this module is
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="alcf_jupyter", daemon=True).start()
        return _loop


def _forget() -> None:
    """Start afresh in a forked child: a fork copies the lock and the loop, but not the thread."""
    global _lock, _loop
    _lock, _loop = threading.Lock(), None


os.register_at_fork(after_in_child=_forget)


class Lock:
    """A lock of the loop's tasks; after a fork the child's loop finds it open."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = asyncio.Lock()

    def here(self) -> asyncio.Lock:
        """Return the lock of the loop that runs."""
        running = asyncio.get_running_loop()
        if self._loop is not running:
            self._loop, self._lock = running, asyncio.Lock()
        return self._lock


class Door:
    """Lets one task of the loop through at a time; in between goes what else is ready.

    For work that keeps the loop busy: what has come for many tasks at once is otherwise worked off
    by all of them before anything new is sent.
    """

    def __init__(self) -> None:
        self._lock = Lock()

    async def __aenter__(self) -> None:
        await self._lock.here().acquire()

    async def __aexit__(self, *_: object) -> None:
        asyncio.get_running_loop().call_soon(self._lock.here().release)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` on the loop and return its result; an interrupt cancels it."""

    async def silent(_emit: Callable[[None], None]) -> T:
        return await work

    return finish(events(silent))


def finish(steps: Generator[E | None, None, T], take: Callable[[E], object] | None = None) -> T:
    """Run what `events` returned to its end and return the result.

    Parameters
    ----------
    steps
        Closed in any case: an interrupt that falls between two of its steps, or an error of
        `take`, ends the work, too, and not only when the traceback is forgotten.
    take
        Given each thing that is emitted.
    """
    try:
        with contextlib.closing(steps):
            while True:
                try:
                    event = next(steps)
                except StopIteration as stop:
                    result: T = stop.value
                    return result
                if event is not None and take is not None:
                    take(event)
    except KeyboardInterrupt as error:
        raise _without_frames(error) from None


def events(
    start: Callable[[Callable[[E], None]], Coroutine[Any, Any, T]],
    slice_seconds: float = SLICE_SECONDS,
) -> Generator[E | None, None, T]:
    """Run a coroutine on the loop and yield what it emits.

    Parameters
    ----------
    start
        Makes the coroutine, given the function it emits with.
    slice_seconds
        How long to wait before None is yielded, so that the caller can redraw and be interrupted.

    Yields
    ------
    E or None
        What was emitted, in order; None where nothing came for a slice.

    Returns
    -------
    T
        The coroutine's result. Closing the generator, or an interrupt, cancels the coroutine.
    """
    with contextlib.closing(portions(start, slice_seconds)) as steps:
        while True:
            try:
                portion = next(steps)
            except StopIteration as stop:
                result: T = stop.value
                return result
            yield from portion or (None,)


def portions(
    start: Callable[[Callable[[E], None]], Coroutine[Any, Any, T]],
    slice_seconds: float = SLICE_SECONDS,
) -> Generator[list[E], None, T]:
    """Run a coroutine on the loop and yield all that it has emitted since the last look.

    Parameters
    ----------
    start
        Makes the coroutine, given the function it emits with.
    slice_seconds
        How long to wait before an empty list is yielded.

    Yields
    ------
    list of E
        In order; whatever was emitted before the coroutine ended comes before its result.

    Returns
    -------
    T
        The coroutine's result. Closing the generator, or an interrupt, cancels the coroutine.
    """
    mailbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    future: Future[T] = asyncio.run_coroutine_threadsafe(start(mailbox.put), current())
    future.add_done_callback(lambda _: mailbox.put(_END))
    try:
        ended = False
        while not ended:
            portion: list[E] = []
            try:
                event = mailbox.get(timeout=slice_seconds)
                while event is not _END:
                    portion.append(event)
                    event = mailbox.get_nowait()
                ended = True
            except queue.Empty:
                pass
            if portion or not ended:
                yield portion
        return future.result()
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised again
        raise _without_frames(error) from None
    finally:
        future.cancel()


async def events_for_loop(
    start: Callable[[Callable[[E], None]], Coroutine[Any, Any, object]],
) -> AsyncGenerator[E]:
    """Run a coroutine on the loop and yield what it emits to a caller that runs on another loop.

    Parameters
    ----------
    start
        Makes the coroutine, given the function it emits with.

    Yields
    ------
    E
        What was emitted, in order. Closing the generator cancels the coroutine.
    """
    callers = asyncio.get_running_loop()
    mailbox: asyncio.Queue[Any] = asyncio.Queue()

    def post(event: object) -> None:
        # a caller's loop that is closed has nobody left who waits
        with contextlib.suppress(RuntimeError):
            callers.call_soon_threadsafe(mailbox.put_nowait, event)

    future = asyncio.run_coroutine_threadsafe(start(post), current())
    future.add_done_callback(lambda _: post(_END))
    try:
        while (event := await mailbox.get()) is not _END:
            yield event
        future.result()
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised again
        raise _without_frames(error) from None
    finally:
        future.cancel()


def _without_frames(error: BaseException) -> BaseException:
    """Cut the loop's frames off an error: a verbose traceback would print their variables.

    An error nobody planned keeps its source lines, without values, as a note; an interrupt becomes
    one that is shown as a line.
    """
    if type(error) is KeyboardInterrupt:
        return Interrupted()
    if not isinstance(error, (AlcfError, KeyboardInterrupt, GeneratorExit)) and error.__traceback__:
        error.add_note("".join(traceback.format_tb(error.__traceback__)))
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)
