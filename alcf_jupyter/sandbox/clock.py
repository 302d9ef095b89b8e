"""The service's clock: real time, run faster, so that a 12-minute cold start takes seconds."""

from __future__ import annotations

import asyncio
import math
import time
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


class Clock:
    """Service time, in seconds since 1970, running `speed` times as fast as real time.

    Every wait that belongs to the *service* (a queue, a cache, a time-out) is asked for in service
    seconds here. What belongs to the *reader* (the pace at which tokens appear) stays in real time.

    Parameters
    ----------
    speed : float
        Service seconds per real second; 60 makes one minute of waiting one second.
    """

    def __init__(self, speed: float = 60.0) -> None:
        self._service = time.time()
        self._real = time.monotonic()
        self._speed = _positive(speed)
        self._changed = asyncio.Event()

    @property
    def speed(self) -> float:
        """Service seconds per real second."""
        return self._speed

    def now(self) -> float:
        """Return the service time in seconds since 1970."""
        return self._service + (time.monotonic() - self._real) * self._speed

    def set_speed(self, speed: float) -> None:
        """Run at another speed from now on."""
        self._move(0.0, _positive(speed))

    def advance(self, seconds: float) -> None:
        """Jump ahead; whoever waits for a moment that has passed goes on at once."""
        if not 0 <= seconds < math.inf:
            raise ValueError("the clock only moves forward")
        self._move(seconds, self._speed)

    def _move(self, seconds: float, speed: float) -> None:
        self._service, self._real = self.now() + seconds, time.monotonic()
        self._speed = speed
        self._changed.set()
        self._changed = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        """Wait `seconds` of service time."""
        await self.sleep_until(self.now() + seconds)

    async def sleep_until(self, moment: float) -> None:
        """Wait until the service time `moment`, also across jumps and changes of speed."""
        while (left := moment - self.now()) > 0:
            try:
                async with asyncio.timeout(left / self._speed):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def text(self, form: str, moment: float | None = None) -> str:
        """Return the service time (or `moment`) in the words of `strftime`, in UTC."""
        return datetime.fromtimestamp(self.now() if moment is None else moment, UTC).strftime(form)

    def wall_text(self, form: str, moment: float) -> str:
        """Return when `moment` is on the reader's own clock, as ALCF's scheduler words it.

        The service's clock runs ahead, and what it will reach in a minute is seconds away.
        """
        real = time.time() + (moment - self.now()) / self._speed
        return datetime.fromtimestamp(real, _chicago()).strftime(form)


def _chicago() -> tzinfo:
    try:
        return ZoneInfo("America/Chicago")
    except ZoneInfoNotFoundError:  # a machine without a list of time zones
        return timezone(timedelta(hours=-6))


def _positive(speed: float) -> float:
    if not 0 < speed < math.inf:
        raise ValueError("the clock's speed must be positive")
    return speed
