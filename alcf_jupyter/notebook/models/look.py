"""Something looked up at the service again and again, while somebody uses what shows it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import wait
from functools import partial
from typing import TYPE_CHECKING, Final

from alcf_jupyter.connection import worker
from alcf_jupyter.errors import AlcfError
from alcf_jupyter.plain import brief

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

FOLLOWED_SECONDS: Final = 600.0
"""How long after the last use the service is still asked."""

_MOST_LINES: Final = 8


def words(error: AlcfError) -> str:
    """Return what happened and what to do, line by line."""
    lines = (brief(line) for line in f"{error.what}\n{error.do}".splitlines()[: 2 * _MOST_LINES])
    return "\n".join([line for line in lines if line][:_MOST_LINES])


class Look:
    """Looks in threads of its own, once at a time; whoever shows what it finds never waits.

    Parameters
    ----------
    work
        Looks once. It is given whether to ask also where the answer of a moment ago is still good.
    pace
        Returns how many seconds lie between two looks just now.
    note
        Says in words why a look brought nothing.

    Attributes
    ----------
    at
        When the last look was that brought something, in epoch seconds; None before it.
    trouble
        Why the last look brought nothing, in words; ``""`` where it did.
    """

    def __init__(
        self,
        work: Callable[[bool], object],
        pace: Callable[[], float],
        note: Callable[[AlcfError], str] = words,
    ) -> None:
        self._work = work
        self._pace = pace
        self._note = note
        self._guard = threading.Lock()
        self._under_way: Future[None] | None = None
        self._in_line = self._asks_fresh = False
        self._looked = float("-inf")
        self._used = time.monotonic()
        self.at: float | None = None
        self.trouble = ""

    @property
    def followed(self) -> bool:
        """Whether the service goes on being asked; it ends ten minutes after the last use."""
        return time.monotonic() - self._used < FOLLOWED_SECONDS

    def touch(self) -> None:
        """Note that somebody uses what is shown."""
        self._used = time.monotonic()

    def end(self) -> None:
        """Ask no more, until it is used again."""
        self._used = float("-inf")

    def go_on(self) -> None:
        """Look again if it is time to."""
        if self.followed and time.monotonic() - self._looked >= self._pace():
            self.now()

    def now(self, *, fresh: bool = False) -> Future[None]:
        """Look now, or wait with whoever does so already.

        Parameters
        ----------
        fresh
            Ask also where the answer of a moment ago is still good. A look that has begun may miss
            what happened since, so there is another after it.

        Returns
        -------
        concurrent.futures.Future
            Done when the look is; what it raises is an AlcfError.
        """
        with self._guard:
            before = self._under_way
            if before is not None and before.done():
                before = None
            self._asks_fresh = self._asks_fresh or fresh
            if before is not None and (self._in_line or not fresh):
                return before
            self._in_line, self._looked = True, time.monotonic()
            self._under_way = worker.start(partial(self._try, before))
            return self._under_way

    def _try(self, before: Future[None] | None) -> None:
        if before is not None:
            wait([before])
        with self._guard:
            fresh, self._in_line, self._asks_fresh = self._asks_fresh, False, False
        try:
            self._work(fresh)
        except Exception as error:  # noqa: BLE001 - told where it is shown
            raise self._noted(as_told(error)) from None
        self.at, self.trouble = time.time(), ""

    def _noted(self, error: AlcfError) -> AlcfError:
        self.trouble = self._note(error)
        return error


def as_told(error: Exception) -> AlcfError:
    """Return an error as it can be told, also one that nobody planned."""
    if isinstance(error, AlcfError):
        return error
    return AlcfError(f"That failed: {brief(repr(error))}", do="Report it:  %alcf help contacts")
