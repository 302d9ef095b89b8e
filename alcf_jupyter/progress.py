"""What a long call tells while it runs: to stderr by default, in a display where one is shown."""

from __future__ import annotations

import re
import sys
from typing import Protocol

_NUMBER = re.compile(r"\d+\w?")


class Observer(Protocol):
    """Whoever wants to know how a long call is getting on."""

    def status(self, words: str) -> None:
        """Take the state of things in a few words; called again when it changes."""


class StderrObserver:
    """Writes each new state as a line to stderr; a clock that runs in it is no new state."""

    def __init__(self) -> None:
        self._last = ""

    def status(self, words: str) -> None:
        """Write `words` if they differ from the last ones."""
        state = " ".join(_NUMBER.sub("", words).split())
        if state != self._last:
            self._last = state
            sys.stderr.write(f"{words}\n")
            sys.stderr.flush()


class SilentObserver:
    """Tells nobody."""

    def status(self, words: str) -> None:
        """Take `words` and do nothing."""
