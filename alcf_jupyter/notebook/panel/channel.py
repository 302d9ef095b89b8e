"""One page's panel: the comm to it, what it has on the screen, and what it was told of that."""

from __future__ import annotations

import contextlib
import contextvars
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from comm.base_comm import BaseComm


class Channel:
    """Sends to one page; from any thread. Made in the handler that the page's opening calls.

    Parameters
    ----------
    comm
        The comm that the page has opened.
    subshell
        The id of the subshell that it was opened on; None for the kernel's main shell.
    """

    def __init__(self, comm: BaseComm, subshell: str | None = None) -> None:
        self._comm = comm
        self._subshell = subshell
        # ipykernel 7.4 hands a message of the page to the shell that last sent it something: sent
        # from a cell, the page's next click would wait for that cell. So all is sent in the
        # context of the subshell that the page has opened the comm on.
        self._context = contextvars.copy_context()
        self._guard = threading.Lock()
        self._told: dict[str, dict[str, Any]] = {}
        self._watched: frozenset[str] = frozenset()
        self._closed = False

    @property
    def watched(self) -> frozenset[str]:
        """The parts that are on the screen."""
        return self._watched

    @property
    def gone(self) -> bool:
        """Whether the page has left without a word.

        A page that goes closes its comm and deletes its subshell. The one comes on the shell
        channel, the other on the control channel, and may be there first: then what was still to
        be read on the subshell is lost.
        """
        from IPython import get_ipython

        kernel = getattr(get_ipython(), "kernel", None)
        shells = getattr(kernel, "shell_channel_thread", None)
        if self._subshell is None or shells is None:
            return False
        return self._subshell not in shells.manager.list_subshell()

    def watch(self, parts: Iterable[str]) -> None:
        """Take what is on the screen from now on; what comes on it is told whole."""
        with self._guard:
            self._watched = frozenset(parts)
            self._told = {part: told for part, told in self._told.items() if part in self._watched}

    def tell(self, part: str, message: dict[str, Any]) -> None:
        """Send a part if it is on the screen and another than before."""
        with self._guard:
            if part in self._watched and self._told.get(part) != message:
                self._told[part] = message
                # one that cannot be sent does not keep those after it from the page
                with contextlib.suppress(Exception):
                    self._send(message)

    def send(self, message: dict[str, Any]) -> None:
        """Send a message."""
        with self._guard:
            self._send(message)

    def close(self) -> None:
        """Send nothing any more, and let the page know."""
        with self._guard:
            if not self._closed:
                self._closed = True
                self._watched = frozenset()
                self._context.copy().run(self._comm.close)

    def lost(self) -> None:
        """Note that the page has closed its end."""
        with self._guard:
            self._closed = True
            self._watched = frozenset()

    def _send(self, message: dict[str, Any]) -> None:
        if not self._closed:
            self._context.copy().run(self._comm.send, message)
