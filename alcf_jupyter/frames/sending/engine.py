"""Sends what is pending to one model until all of it has landed, whatever happens on the way.

It runs on the connection's loop. Requests never stream: the gateway can drop pieces of a stream
without a trace.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from alcf_jupyter.connection import loop
from alcf_jupyter.connection.call import Call, Status
from alcf_jupyter.connection.deadline import Deadline
from alcf_jupyter.connection.record import replay
from alcf_jupyter.errors import (
    AlcfError,
    DeadlineError,
    InvalidAnswerError,
    MaintenanceError,
    MixedUpError,
    NoConnectionError,
    RateLimitError,
    ServiceTimeoutError,
)
from alcf_jupyter.frames.job import Landed
from alcf_jupyter.frames.sending.packs import PackQueue
from alcf_jupyter.frames.sending.standby import Standby
from alcf_jupyter.frames.sending.verdict import Verdict, may_pass, says_crowded, verdict
from alcf_jupyter.typed import here

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from alcf_jupyter.connection.caller import Caller
    from alcf_jupyter.connection.http.pace import Turn
    from alcf_jupyter.frames.job import Work
    from alcf_jupyter.frames.sending.packs import Pack
    from alcf_jupyter.frames.sending.run_limits import Limits
    from alcf_jupyter.service.catalog import Model

MOST_ATTEMPTS = 8
"""How often one request is sent, where what fails is not the service as a whole: where one in ten
fails by chance, one in a hundred million is given up."""

_TOGETHER_ATTEMPTS = 3
"""How often a request of several units is sent before its halves are: one may be at fault."""

_SAME_REFUSALS = 5
"""After so many like refusals and no success the rest would be refused, too."""

_LAST_SECONDS = 1.0
_MOST_TIMEOUTS = 2


@dataclass(slots=True)
class _Trouble:
    """The model is not there, as one request found out."""

    error: AlcfError
    call: Call
    pack: Pack


@dataclass(slots=True)
class Engine:
    """One run's requests.

    Parameters
    ----------
    caller
        Sends requests.
    call
        The model and cluster that are asked for; its wait holds the states passed.
    work
        What is asked.
    limits
        What to keep to.
    service
        Who is asked, as it is recorded for a replay.

    Attributes
    ----------
    taken
        How many of what was emitted has been recorded; what has not counts as under way still, so
        that a crash loses no more than is sent at once.
    served
        The name that the model server gives itself.
    ended
        ``"deadline"`` where the time was over before all had landed, ``"stopped"`` where `stop`
        was called.
    """

    caller: Caller
    call: Call
    work: Work
    limits: Limits
    service: str = ""
    taken: int = 0
    served: str = ""
    ended: str = ""
    paused_by: AlcfError | None = None
    _model: Model | None = None
    _emit: Callable[[Landed | Status], None] | None = None
    _queue: PackQueue = field(default_factory=lambda: PackQueue(()))
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _going: asyncio.Event = field(default_factory=asyncio.Event)
    _trouble: _Trouble | None = None
    _fatal: AlcfError | None = None
    _main: asyncio.Task[None] | None = None
    _given: int = 0
    _began: float = field(default_factory=time.monotonic)
    _succeeded_at: float | None = None
    _refusals: list[str] = field(default_factory=list)
    _standby: Standby = field(init=False)

    def __post_init__(self) -> None:
        self._going.set()
        self._standby = Standby(self.caller, self.call, self.limits, self._tell, self._sign_in)

    async def run(self, packs: Iterable[Pack], emit: Callable[[Landed | Status], None]) -> None:
        """Send everything; returns when all has landed, or the time is over.

        Parameters
        ----------
        packs
            What to send.
        emit
            Takes what lands, and what is waited for, in the loop's thread.

        Raises
        ------
        AlcfError
            What ends the whole run; what had landed by then was emitted.
        """
        self._main = asyncio.current_task()
        self._queue, self._emit = PackQueue(packs), emit
        try:
            if not self.ended and not replay.playing():
                self._model = await self._standby.ready()
            while self._left() and self._fatal is None and not self.ended:
                await self._step()
        except DeadlineError:
            if self.limits.deadline.left():
                raise
            self.ended = "deadline"
        except asyncio.CancelledError:
            if self.ended != "stopped":
                raise
        finally:
            await self._cancel()
        if self._fatal is not None:
            raise self._fatal

    def recorded(self, count: int) -> None:
        """Count what was taken and recorded. Called in any thread, always the same."""
        self.taken += count
        loop.current().call_soon_threadsafe(self._news.set)

    def stop(self) -> None:
        """End the run: what is under way is given up. Called on the loop."""
        self.ended = "stopped"
        if self._main is not None and not self._main.done():
            self._main.cancel()

    def pause(self) -> None:
        """Send nothing new; what is under way comes in. Called on the loop."""
        self._going.clear()

    def resume(self) -> None:
        """Go on. Called on the loop."""
        self.paused_by = None
        self._going.set()
        self._news.set()

    def _left(self) -> bool:
        return bool(self._queue or self._tasks or self._trouble)

    async def _step(self) -> None:
        """Start one request, or wait for something to happen."""
        if self._trouble is not None and self._going.is_set():
            await self._until_live()
            return
        early = self._early()
        if early <= 0:
            turn = await self.caller.turn()
            if self._fatal is None and self._trouble is None and self._going.is_set():
                self._start(self._queue.take(time.monotonic()), turn)
                return
            turn.ends()
        await self._wait(early)

    def _early(self) -> float:
        """Return the seconds until the next request may go; infinite until there is news."""
        if not self._going.is_set() or not self._queue:
            return float("inf")
        now = time.monotonic()
        pack, soon = self._queue.next(now)
        held = self._given - self.taken
        lane, tokens = self.limits.lane, self.limits.tokens
        return max(soon, lane.early(now, held), tokens.early(now, pack.tokens))

    async def _wait(self, seconds: float) -> None:
        """Wait for news, at the most so long; notes that the time is over."""
        left = self.limits.deadline.left()
        if not left:
            self.ended = "deadline"
            return
        try:
            async with asyncio.timeout(min(seconds, left, 3600.0)):
                await self._news.wait()
        except TimeoutError:
            pass
        self._news.clear()

    def _start(self, pack: Pack, turn: Turn) -> None:
        lane, now = self.limits.lane, time.monotonic()
        lane.leaves(now, again=pack.attempts > 0)
        full = lane.early(now) == float("inf")
        self.limits.tokens.expect(pack.tokens)
        task = asyncio.get_running_loop().create_task(self._carry(pack, turn, full=full))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._news.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # nobody planned this one: it ends the run as it is
            self._fatal = error  # type: ignore[assignment]

    async def _carry(self, pack: Pack, turn: Turn, *, full: bool) -> None:
        """Send one request, and say what became of it."""
        lane, left_at = self.limits.lane, time.monotonic()
        call = self._call()
        try:
            try:
                call.body = await self._body(pack)
            except AlcfError as error:
                lane.refused(opens=False)
                self._give(self.work.failed(error, pack))
                return
            answer = await replay.one(self.service, call, lambda: self._sent(call, pack, turn))
            landed = self.work.landed(answer, pack, call)
        except AlcfError as error:
            self._failed(pack, call, error, left_at)
        except BaseException:
            lane.given_up()
            raise
        else:
            now = time.monotonic()
            self._heard(now)
            self.served = answer.model or self.served
            self.call.served, self.call.replayed = call.served, call.replayed
            usage = answer.usage
            told = (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)
            self.limits.tokens.add(now, told or pack.tokens, pack.tokens)
            lane.succeeded(left_at, full=full)
            self._give(landed)
        finally:
            turn.ends()
            self.limits.tokens.expect(-pack.tokens)

    def _call(self) -> Call:
        within = Deadline.after(self.limits.request_seconds)
        deadline = min(within, self.limits.deadline, key=lambda one: one.at)
        asked = self.call
        made = Call(self.work.route, asked.model, asked.cluster, {}, deadline, asked.patient)
        made.served = self._model
        made.wait = asked.wait  # one wait, whose states are those of all requests
        return made

    async def _body(self, pack: Pack) -> dict[str, Any]:
        if self.work.slow:
            return await asyncio.to_thread(self.work.body, pack)
        return self.work.body(pack)

    async def _sent(self, call: Call, pack: Pack, turn: Turn) -> Any:
        assert self._model is not None  # noqa: S101 - it is found before anything is sent
        return await self.caller.once(
            call,
            self._model,
            lambda value: self.work.read(value, pack),
            limit=self.work.longest(pack),
            turn=turn,
        )

    def _heard(self, now: float) -> None:
        """Note that the model answered."""
        self._succeeded_at = now
        self._standby.heard = True

    def _give(self, landed: Landed) -> None:
        self._given += 1
        self._tell(landed)

    def _failed(self, pack: Pack, call: Call, error: AlcfError, left_at: float) -> None:
        """Decide what a failure means, and do it."""
        lane, tokens, now = self.limits.lane, self.limits.tokens, time.monotonic()
        what = verdict(error)
        if what is Verdict.THROTTLED:
            lane.throttled(now, left_at)
            self._queue.again(pack, now)
        elif what is Verdict.TOKENS:
            assert isinstance(error, RateLimitError)  # noqa: S101 - what the verdict says
            lane.out_of_tokens(now, tokens.refused(now, *error.used))
            self._say("The tokens of this minute are used up; waiting for the next.")
            self._queue.again(pack, now)
        elif what is Verdict.FORM:
            lane.refused()
            self._heard(now)
            self._misshapen(pack, error)
        elif what is Verdict.ROW:
            lane.refused(opens=self._succeeded_at is not None)
            self._refused(pack, error)
        elif what is Verdict.COLD:
            lane.given_up()
            self._cold(pack, call, error, left_at)
        elif what is Verdict.SIGN_IN:
            lane.given_up()
            self._signed_out(pack, error)
        elif what is Verdict.RUN:
            lane.given_up()
            self._fatal = error
        else:
            lane.failed(now, left_at, crowded=says_crowded(error))
            self._may_pass(pack, error, away=what is Verdict.AWAY)

    def _misshapen(self, pack: Pack, error: AlcfError) -> None:
        """Ask once more for an answer in the form asked for."""
        pack.attempts += 1
        if pack.complaint is not None or not isinstance(error, InvalidAnswerError):
            self._give(self.work.failed(error, pack))
            return
        pack.complaint = (error.why, str(error.reply or ""))
        self._queue.again(pack, time.monotonic())

    def _refused(self, pack: Pack, error: AlcfError) -> None:
        """Give the units at fault up: of several, halves are sent until one stands alone."""
        if len(pack.units) > 1:
            self._queue.divide(pack)
            return
        pack.attempts += 1
        self._give(self.work.failed(error, pack))
        if self._succeeded_at is None:
            self._refusals.append(error.what + error.why)
            first = self._refusals[:_SAME_REFUSALS]
            if len(first) == _SAME_REFUSALS and len(set(first)) == 1:
                self._fatal = error

    def _may_pass(self, pack: Pack, error: AlcfError, *, away: bool) -> None:
        """Send a pack again after a while, or give it up."""
        now = time.monotonic()
        pack.attempts += 1
        if pack.failing_since is None:
            pack.failing_since = now
        since = self._succeeded_at
        nobody = since is None or since < pack.failing_since
        unheard = since is None and isinstance(error, NoConnectionError)
        # what is mixed up would not be seen in halves: alone, a false embedding looks like any
        divisible = len(pack.units) > 1 and not isinstance(error, MixedUpError)
        most = _TOGETHER_ATTEMPTS if divisible else MOST_ATTEMPTS
        if pack.attempts < most or (away and nobody and not unheard):
            self._queue.again(pack, now + self.limits.pause_after(error, pack.attempts, now))
            if not self.limits.lane.is_open:
                self._say(f"{error.what} Trying again.")
        elif away and unheard:
            self._fatal = error  # nothing has ever come from there
        elif divisible:
            self._queue.divide(pack, _TOGETHER_ATTEMPTS - 1)
        else:
            self._give(self.work.failed(error, pack))
        if away and self._out_of_patience(now):
            self._fatal = self._fatal or error

    def _out_of_patience(self, now: float) -> bool:
        last = max(self._began, self._standby.ready_at, self._succeeded_at or self._began)
        # where the time is over in a moment, that is what ends it, and what is said
        late = self.limits.deadline.left() < _LAST_SECONDS
        return not late and now - last > self.limits.patience_seconds

    def _cold(self, pack: Pack, call: Call, error: AlcfError, left_at: float) -> None:
        new = self._succeeded_at is None and isinstance(error, MaintenanceError)
        if new or not self.limits.patient or not self.caller.is_gateway:
            self._queue.again(pack, time.monotonic())
            self._fatal = error
        elif left_at >= self._standby.ready_at and self._trouble is None:
            self._trouble = _Trouble(error, call, pack)
            self.limits.lane.close()
        else:
            self._queue.again(pack, time.monotonic())

    def _signed_out(self, pack: Pack, error: AlcfError) -> None:
        self._queue.again(pack, time.monotonic())
        if self.limits.pausable:
            self._pause_for(error)
        else:
            self._fatal = error

    def _pause_for(self, error: AlcfError) -> None:
        """Pause until the user has signed in."""
        if self.paused_by is None:
            self.paused_by = error
            self.pause()
            self._say(here(f"{error.what} The run goes on when you have signed in:  %alcf login"))

    async def _sign_in(self, error: AlcfError) -> None:
        """Return when the run goes on after a pause for a sign-in."""
        self._pause_for(error)
        try:
            async with asyncio.timeout(self.limits.deadline.left()):
                await self._going.wait()
        except TimeoutError:
            raise self.limits.deadline.error("nobody had signed in") from None

    async def _until_live(self) -> None:
        """Wait for a model that went away; one request tries it before the others follow."""
        trouble, self._trouble = self._trouble, None
        assert trouble is not None and self._model is not None  # noqa: S101, PT018 - as called
        trouble.call.deadline = self.limits.deadline
        try:
            model = await self._standby.after(trouble.error, trouble.call, self._model)
        except ServiceTimeoutError as error:
            self._too_slow(trouble.pack, error)
            return
        except AlcfError as error:
            if verdict(error) is Verdict.SIGN_IN and self.limits.pausable:
                self._pause_for(error)
            elif may_pass(error):
                # the state cannot be had now: one request finds out
                self.limits.lane.pause(time.monotonic(), self.limits.lane.retry_pause(1))
            else:
                raise
        else:
            self._model = await self._standby.ready(model)
            self.limits.lane.close()
        self._queue.again(trouble.pack, time.monotonic())

    def _too_slow(self, pack: Pack, error: ServiceTimeoutError) -> None:
        """Give up a request that a running model takes too long for: it would again."""
        pack.attempts += 1
        if pack.attempts < _MOST_TIMEOUTS:
            self._queue.again(pack, time.monotonic())
        else:
            self._give(self.work.failed(error, pack))

    def _say(self, words: str) -> None:
        self._tell(Status(words))

    def _tell(self, event: object) -> None:
        if self._emit is not None and isinstance(event, (Landed, Status)):
            self._emit(event)

    async def _cancel(self) -> None:
        if self._fatal is not None and self._tasks:
            # what is on its way back is paid for already
            await asyncio.wait(self._tasks, timeout=_LAST_SECONDS)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
