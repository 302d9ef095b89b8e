"""A run under way: a column's rows are sent, recorded and counted, in a thread of its own."""

from __future__ import annotations

import contextlib
import contextvars
import threading
import time
from collections import Counter, deque
from functools import partial
from typing import TYPE_CHECKING

from alcf_jupyter.connection import loop
from alcf_jupyter.connection.call import Status
from alcf_jupyter.errors import AlcfError, DeadlineError, JournalError
from alcf_jupyter.frames import live_runs
from alcf_jupyter.frames.harvest import Harvest
from alcf_jupyter.frames.job import Landed, Outcome
from alcf_jupyter.frames.record.run_record import RunRecord
from alcf_jupyter.frames.run_progress import Progress
from alcf_jupyter.plain import brief
from alcf_jupyter.typed import typed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from alcf_jupyter.frames.job import Job
    from alcf_jupyter.frames.record.journal import Journal
    from alcf_jupyter.frames.result_file import ResultFile
    from alcf_jupyter.frames.sending.engine import Engine

_NEWS_SECONDS = 0.25
"""Those who watch a run are told no more often than this."""

_RATE_SECONDS = 30.0


class Run:
    """A run under way. It goes on in the background until it is finished or stopped.

    Parameters
    ----------
    job
        What it does.
    engine
        What sends it.
    journal
        Where answers are recorded, open; None for nowhere. The run closes it.
    name
        What it is called in the list of runs.
    on_error
        ``"keep"`` failed rows in the result, or ``"raise"`` at the first.
    written
        The file that the finished frame is written to, too.
    """

    def __init__(
        self,
        job: Job,
        engine: Engine,
        journal: Journal | None = None,
        *,
        name: str = "",
        on_error: str = "keep",
        written: ResultFile | None = None,
    ) -> None:
        self.name = name
        self.model = engine.call.model
        self.cluster = engine.call.cluster or ""
        self.service = engine.service
        self.about = job.about
        self.error: AlcfError | None = None
        self._job = job
        self._engine = engine
        self._journal = journal
        self._written = written
        self._raises = on_error == "raise"
        self._harvest = Harvest(job)
        self._words = ""
        self._paused = self._told_to_stop = False
        self._began = self._told_at = time.monotonic()
        self._ended_at: float | None = None
        self._lately: deque[tuple[float, int]] = deque(maxlen=512)
        self._ended = threading.Event()
        self._watchers: list[Callable[[Progress], object]] = []
        self._frame: pd.DataFrame | None = None
        self._record = None
        if journal is not None:
            self._record = RunRecord(journal, engine)
            self._record.restore(self._harvest)
            self._record.begin(self._harvest, job)
        self._lately.append((self._began, self._harvest.done))

    def start(self) -> Run:
        """Begin; returns at once."""
        # errors say how to type it where the user is: in a cell, or in Python
        live = partial(contextvars.copy_context().run, self._live)
        live_runs.add(self)
        threading.Thread(target=live, name="alcf_jupyter run", daemon=True).start()
        return self

    def __repr__(self) -> str:
        return f"<Run {self.name or self._job.kind}: {self.progress}>"

    @property
    def pending(self) -> list[int]:
        """The units that have not come."""
        return self._harvest.pending

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return not self._ended.is_set()

    @property
    def stopping(self) -> bool:
        """Whether it was told to stop and has not ended."""
        return self._told_to_stop and self.running

    @property
    def late(self) -> bool:
        """Whether the time was over before all had come."""
        return self._engine.ended == "deadline"

    @property
    def recorded_in(self) -> str:
        """The folder it is recorded in, ``""`` for none."""
        return str(self._journal.folder) if self._journal else ""

    @property
    def kept(self) -> str:
        """How many rows have an answer, and whether those are recorded, in words."""
        done = f"{self._harvest.answered:,} of {self._job.rows:,} rows are done"
        return f"{done} and recorded" if self._journal else done

    @property
    def progress(self) -> Progress:
        """How far it is."""
        rows, now = self._job.rows, time.monotonic()
        harvest = self._harvest
        count = Counter(harvest.counts)
        pending = rows - count.total()
        rate = 0.0 if self.stopping else self._rate(now)
        return Progress(
            rows=rows,
            ok=count["ok"],
            truncated=count["truncated"],
            failed=count["failed"],
            skipped=count["skipped"],
            pending=pending,
            reused=harvest.reused,
            seconds=(self._ended_at or now) - self._began,
            rate=rate,
            prompt_tokens=harvest.prompt_tokens,
            completion_tokens=harvest.completion_tokens,
            left_seconds=pending / rate if rate else None,
            state=self._state,
            words=self._words if self.running else "",
        )

    def pause(self) -> None:
        """Send nothing new until `resume`; what is under way still comes in."""
        self._paused = True
        loop.current().call_soon_threadsafe(self._engine.pause)
        self._tell(soon=True)

    def resume(self) -> None:
        """Go on after `pause`, or after signing in."""
        self._paused = False
        self._words = ""
        loop.current().call_soon_threadsafe(self._engine.resume)
        self._tell(soon=True)

    def signed_in(self) -> None:
        """Go on where a sign-in was waited for; a pause of the user's own stays."""
        if self._engine.paused_by is None:
            return
        if not self._paused:
            self.resume()
            return
        self._engine.paused_by, self._words = None, ""
        self._tell(soon=True)

    def stop(self) -> None:
        """End it: what is finished is recorded and stays, the rest is pending."""
        if self.running:
            self._told_to_stop = True
            loop.current().call_soon_threadsafe(self._engine.stop)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it has ended, at the most so long; tell whether it has."""
        return self._ended.wait(seconds)

    def result(self, timeout: float | None = None) -> pd.DataFrame:
        """Return the finished frame, once the run has ended.

        Parameters
        ----------
        timeout
            Seconds to wait; without end by default. An interrupt ends the wait, not the run.

        Raises
        ------
        AlcfError
            What ended the run before its end; its `result` is the frame so far.
        DeadlineError
            It has not ended in time, and goes on.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while not self.wait(0.1):
            if until is not None and time.monotonic() >= until:
                raise DeadlineError(
                    f"The run has not ended: {self.progress}.",
                    do="It goes on; see how far:  run.progress",
                )
        if self.error is None:
            return self.so_far()
        with contextlib.suppress(Exception):  # why it ended is more than what there is
            self.error.result = self.so_far()
        raise self.error

    def so_far(self) -> pd.DataFrame:
        """Return the frame as it is now; rows that have not come are pending."""
        if self._frame is not None:
            return self._frame
        ended = not self.running
        harvest = self._harvest
        found = list(harvest.found)  # before the vectors: those of its rows are there then
        outcome = Outcome(harvest.vectors, self._engine, self.progress, harvest.requests)
        frame = self._job.frame(found, outcome)
        if ended:
            self._frame = frame
        return frame

    def watch(self, callback: Callable[[Progress], object]) -> Callable[[], None]:
        """Have `callback` called with the progress, in the run's own thread.

        Parameters
        ----------
        callback
            Called a few times a second while things change, and once at the end.

        Returns
        -------
        callable
            Ends that.
        """
        self._watchers.append(callback)
        if not self.running:
            callback(self.progress)

        def unwatch() -> None:
            if callback in self._watchers:
                self._watchers.remove(callback)

        return unwatch

    # what happens in the run's own thread

    def _live(self) -> None:
        try:
            with self._journal or contextlib.nullcontext():
                try:
                    self._send()
                finally:
                    if self._record is not None:
                        self._record.end(self._harvest)
                if self._written is not None and not self._engine.ended:
                    self._frame = self.so_far()
                    self._written.write(self._frame)
        except AlcfError as error:
            self.error = error
            if self._harvest.answered and not isinstance(error, JournalError):
                parts = filter(None, (error.why.rstrip("."), self.kept))
                error.why = f"{'. '.join(parts)}."
        except Exception as error:  # noqa: BLE001 - shown by result(), where the user looks
            failed = f"The run failed: {brief(repr(error))}"
            self.error = AlcfError(failed, do="Run it again; it goes on.")
            self.error.__cause__ = error
        finally:
            self._ended_at = time.monotonic()
            self._ended.set()
            if self._state != "finished":
                live_runs.leave(self)
            self._tell(soon=True)

    def _send(self) -> None:
        pending = self.pending
        if not pending:
            return
        begin = partial(self._engine.run, self._job.packs(pending))
        # closed, so that an error of ours ends the requests, too
        with contextlib.closing(loop.portions(begin)) as portions:
            for portion in portions:
                self._take(portion)
                self._tell()

    def _take(self, portion: Sequence[Landed | Status]) -> None:
        """Record what has come, and count it then."""
        landed = [one for one in portion if isinstance(one, Landed)]
        for one in portion:
            if isinstance(one, Status):
                self._words = one.words
        try:
            if self._record is not None:
                self._record.add(landed)
        finally:  # what could not be recorded is kept in memory
            for one in landed:
                self._harvest.take(one)
            self._engine.recorded(len(landed))
        if landed:
            self._words = ""
            self._lately.append((time.monotonic(), self._harvest.done))
        if self._raises:
            self._raise_first(landed)

    def _raise_first(self, landed: Sequence[Landed]) -> None:
        for one in landed:
            for row in one.rows:
                if row.status == "failed":
                    raise AlcfError(
                        f"A row failed: {row.reason}",
                        do=f"To go on past failed rows:  {typed(on_error='keep')}",
                    )

    @property
    def _state(self) -> str:
        if not self.running:
            if self.error is not None:
                return "failed"
            return "stopped" if self._engine.ended else "finished"
        if self._paused or self._engine.paused_by is not None:
            return "paused"
        return "waiting" if self._words else "running"

    def _rate(self, now: float) -> float:
        """Rows a second, of the last half minute."""
        samples = list(self._lately)
        if not self.running:
            now = self._ended_at or now
        since = next((one for one in samples if one[0] >= now - _RATE_SECONDS), samples[-1])
        at, done = since
        return (self._harvest.done - done) / (now - at) if now > at else 0.0

    def _tell(self, *, soon: bool = False) -> None:
        now = time.monotonic()
        if not soon and now - self._told_at < _NEWS_SECONDS:
            return
        self._told_at = now
        if self._watchers:
            progress = self.progress
            for callback in list(self._watchers):
                with contextlib.suppress(Exception):  # who watches a run must not end it
                    callback(progress)
