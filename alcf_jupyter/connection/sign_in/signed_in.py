"""That somebody has signed in, told to whatever waits for it in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_waiting: list[Callable[[], object]] = []


def on_signed_in(callback: Callable[[], object]) -> None:
    """Have `callback` called after every sign-in, in the thread that made it."""
    _waiting.append(callback)


def tell() -> None:
    """Say that there is a sign-in that counts, made here or found."""
    for callback in _waiting:
        callback()
