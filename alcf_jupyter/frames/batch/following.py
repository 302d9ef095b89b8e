"""Following a campaign until its end: at the service's pace, in the foreground or behind it."""

from __future__ import annotations

import contextvars
import threading
import time
from typing import TYPE_CHECKING, Final

from alcf_jupyter.errors import (
    AlcfError,
    AnswerError,
    IdentityCheckError,
    MaintenanceError,
    NoConnectionError,
    RateLimitError,
    ServerFailureError,
    ServiceTimeoutError,
)
from alcf_jupyter.frames.batch import submission
from alcf_jupyter.service.batches import ENDED
from alcf_jupyter.service.limits import IDENTITY_CACHE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from alcf_jupyter.connection.client import Client
    from alcf_jupyter.frames.batch.manifest import Manifest

PASSING: Final = (
    NoConnectionError,
    RateLimitError,
    ServerFailureError,
    ServiceTimeoutError,
    MaintenanceError,
    AnswerError,
    IdentityCheckError,
)
"""What a campaign that runs for hours does not end for."""

_SLICE: Final = 0.1


class Following:
    """Looks how the batches of a campaign are, and submits those that waited.

    Parameters
    ----------
    manifest
        Of the campaign; brought up to date.
    folder
        Where it is kept; None where it is kept nowhere.
    talk
        The service.

    Attributes
    ----------
    trouble
        What went wrong at the last look, in words.
    """

    def __init__(self, manifest: Manifest, folder: Path | None, talk: Client) -> None:
        self._manifest = manifest
        self._folder = folder
        self._talk = talk
        self._looked = float("-inf")
        self._guard = threading.RLock()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self.trouble = ""

    @property
    def ended(self) -> bool:
        """Whether nothing is under way or waiting any more, as last seen."""
        return all(part.status in ENDED for part in self._manifest.parts)

    def refresh(self, *, now: bool = False) -> None:
        """Look, unless that was done a moment ago.

        Parameters
        ----------
        now
            Look in any case.

        Raises
        ------
        AlcfError
            The service could not be asked, or refused a part for another reason than the quota.
        """
        with self._guard:
            wait = submission.pause(self._talk)
            if now or not (self.ended or time.monotonic() - self._looked < wait):
                try:
                    self._look()
                finally:
                    self._looked = time.monotonic()

    def _look(self) -> None:
        if self._folder is not None:
            submission.advance(self._manifest, self._folder, self._talk)
            return
        for part in self._manifest.parts:
            if part.status not in ENDED:
                part.status = self._talk.batch_status(part.batch_id)
            if part.status == "failed" and not part.reason:
                part.reason = submission.reason_of(part.batch_id, self._talk)

    def steps(self, stop: threading.Event | None = None) -> Iterator[None]:
        """Look, and look again at the service's pace, until all has ended; failures may pass.

        Parameters
        ----------
        stop
            Ends it earlier once it is set.

        Yields
        ------
        None
            Ten times a second, so that an interrupt is seen.
        """
        stop = stop or threading.Event()
        while True:
            self.trouble = ""
            wait = submission.pause(self._talk)
            try:
                self.refresh()
            except PASSING as error:
                self.trouble = f"{error.what} Trying again."
                if isinstance(error, IdentityCheckError):
                    wait = submission.pause(self._talk, IDENTITY_CACHE_SECONDS)
            yield
            end = self._looked + wait
            while not (self.ended or stop.is_set()) and (left := end - time.monotonic()) > 0:
                time.sleep(min(left, _SLICE))
                yield
            if self.ended or stop.is_set():
                return

    def behind(self) -> None:
        """Follow it in a thread of its own, if none does so already."""
        if self._thread is not None and self._thread.is_alive() and not self._stop.is_set():
            return
        self._stop = threading.Event()  # one that was told to stop may still be at its last look
        context = contextvars.copy_context()
        self._thread = threading.Thread(
            target=context.run,
            args=(self._work, self._stop),
            name=f"alcf_jupyter {self._manifest.name}",
            daemon=True,
        )
        self._thread.start()

    def _work(self, stop: threading.Event) -> None:
        try:
            for _ in self.steps(stop):
                pass
        except AlcfError as error:
            self.trouble = str(error)

    def stop(self) -> None:
        """End the following in the background; the batches go on."""
        self._stop.set()
