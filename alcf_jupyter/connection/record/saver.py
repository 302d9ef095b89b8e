"""Writing a file that grows: at once while that is quick, and else so that it takes little time."""

from __future__ import annotations

import atexit
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

from alcf_jupyter.errors import AlcfError

if TYPE_CHECKING:
    from collections.abc import Callable

QUICK_SECONDS: Final = 0.05
"""A file that takes no longer is written whenever something is added to it."""

_SHARE: Final = 20
"""Of a file that takes longer, every so many times as long."""


class Saver:
    """Calls a function that writes a file, often enough and not too often.

    Parameters
    ----------
    write
        Writes the file, whole.
    lock
        Held while it does, by a thread of its own, too.
    """

    def __init__(self, write: Callable[[], None], lock: threading.RLock) -> None:
        self._write, self._lock = write, lock
        self._owed = False
        self._free_at = 0.0
        self._timer: threading.Timer | None = None
        self._failed: AlcfError | None = None

    def soon(self) -> None:
        """Write the file, now or a little later; raise what an earlier writing raised."""
        with self._lock:
            self._raise()
            if not self._owed:
                self._owed = True
                atexit.register(self._last)
            left = self._free_at - time.monotonic()
            if left <= 0:
                self._save()
            elif self._timer is None:
                self._timer = threading.Timer(left, self._late)
                self._timer.daemon = True
                self._timer.start()

    def now(self) -> None:
        """Write what is not written yet; raise what an earlier writing raised."""
        with self._lock:
            if self._owed:
                self._save()
            self._raise()

    def _save(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        began = time.monotonic()
        self._write()  # an interrupt, or a full disk, leaves it owed
        self._owed = False
        atexit.unregister(self._last)
        ended = time.monotonic()
        took = ended - began
        self._free_at = ended + (_SHARE * took if took > QUICK_SECONDS else 0)

    def _raise(self) -> None:
        failed, self._failed = self._failed, None
        if failed is not None:
            raise failed

    def _late(self) -> None:
        with self._lock:
            if self._timer is None:
                return
            try:
                self._save()
            except AlcfError as error:
                self._failed = error

    def _last(self) -> None:
        try:
            self.now()
        except AlcfError as error:
            print(error, file=sys.stderr)  # noqa: T201 - nobody is left to catch it
