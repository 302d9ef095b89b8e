"""The panels of this kernel: what they ask is done, and what has changed is told to them."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from alcf_jupyter.connection import session
from alcf_jupyter.errors import AlcfError
from alcf_jupyter.notebook.models.look import as_told, words
from alcf_jupyter.notebook.panel import messages, orders, parts
from alcf_jupyter.notebook.panel.looks import Looks
from alcf_jupyter.plain import brief

if TYPE_CHECKING:
    from concurrent.futures import Future

    from alcf_jupyter.notebook.panel.channel import Channel

_TICK_SECONDS: Final = 0.5
"""How soon a change in this kernel's memory is seen; only what has changed is sent."""


class Hub:
    """Everything the panels of one kernel share.

    While any of them shows something, one thread compares what is known with what they were told.
    It looks into this process's memory; the service is asked at its own pace, by `Looks`.
    """

    def __init__(self) -> None:
        self._channels: list[Channel] = []
        self._looks: Looks | None = None
        self._guard = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def join(self, channel: Channel) -> None:
        """Take a panel in."""
        self._drop_gone()
        with self._guard:
            self._channels.append(channel)

    def leave(self, channel: Channel) -> None:
        """Forget a panel whose page has gone."""
        channel.lost()
        with self._guard:
            self._channels = [one for one in self._channels if one is not channel]
        self._wake.set()

    def _drop_gone(self) -> None:
        for channel in [one for one in self._channels if one.gone]:
            channel.close()
            self.leave(channel)

    def close(self) -> None:
        """Close them all."""
        with self._guard:
            channels, self._channels = self._channels, []
        for channel in channels:
            channel.close()
        self._wake.set()

    def touch(self) -> None:
        """Note that the notebook is in use."""
        if self._looks is not None:
            self._looks.touch()

    def take(self, channel: Channel, data: object) -> None:
        """Do what a message of a panel asks for, and answer it.

        Parameters
        ----------
        channel
            Where it came from.
        data
            The message, as it came.
        """
        number = data.get("id") if isinstance(data, dict) else None
        try:
            message = messages.read(data)
            if message["type"] == "watch":
                self._watch(channel, message["parts"])
                return
            looks = self._current()
            looks.touch()
            if message["type"] == "refresh":
                self._refresh(channel, message, looks)
                return
            said, line = orders.carry_out(message, looks.client)
        except Exception as error:  # noqa: BLE001 - a page that hears nothing waits for ever
            # not kept in a variable: it would hold what it is about, a run with its rows perhaps
            channel.send(messages.reply(number, error=as_told(error)))
            return
        channel.send(messages.reply(number, said, line))
        self._wake.set()

    def _watch(self, channel: Channel, watched: list[str]) -> None:
        if self._looks is not None and "batches" in set(watched) - channel.watched:
            self._looks.come_up()
        channel.watch(watched)
        self.touch()
        with self._guard:
            if watched and self._thread is None:
                thread = threading.Thread(
                    target=self._follow, name="alcf_jupyter panel", daemon=True
                )
                thread.start()
                self._thread = thread
        self._wake.set()

    def _refresh(self, channel: Channel, message: dict[str, Any], looks: Looks) -> None:
        if message["part"] == "runs":  # nobody else knows more of them
            channel.send(messages.reply(message["id"]))
            return
        look = looks.of(message["part"]).now(fresh=True)
        look.add_done_callback(partial(self._refreshed, channel, message["id"]))

    def _refreshed(self, channel: Channel, number: int, look: Future[None]) -> None:
        error = look.exception()
        self._wake.set()
        channel.send(messages.reply(number, error=error if isinstance(error, AlcfError) else None))

    def _current(self) -> Looks:
        """Return who looks at the service that the notebook is connected to now."""
        client = session.client()
        with self._guard:
            if self._looks is None or self._looks.client is not client:
                self._looks = Looks(client)
            return self._looks

    def _follow(self) -> None:
        while watched := self._watched():
            self._wake.clear()
            self._drop_gone()
            for part in sorted(watched):
                message = self._message(part)
                for channel in list(self._channels):
                    channel.tell(part, message)
            self._wake.wait(_TICK_SECONDS)

    def _watched(self) -> frozenset[str]:
        """Return what is on any screen; where nothing is, the thread that asks has to end."""
        with self._guard:
            watched = frozenset[str]().union(*(one.watched for one in self._channels))
            if not watched:
                self._thread = None
            return watched

    def _message(self, part: str) -> dict[str, Any]:
        try:
            return self._told(part)
        except AlcfError as error:  # the environment asks for a service that there is not
            return parts.nothing(part, words(error))
        except Exception as error:  # noqa: BLE001 - the other parts go on
            return parts.nothing(part, brief(f"This cannot be shown: {error!r}", 400))

    def _told(self, part: str) -> dict[str, Any]:
        if part == "runs":
            return parts.runs()
        # a page that is only opened asks no service, and connects to none
        if part == "status" and session.current().client is None:
            return parts.unconnected()
        looks = self._current()
        looks.of(part).go_on()
        if part == "status":
            return parts.status(looks.client, looks)
        return parts.models(looks.client, looks) if part == "models" else parts.batches(looks)
