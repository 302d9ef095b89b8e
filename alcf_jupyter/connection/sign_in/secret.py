"""A text that can be used but not printed, listed, pickled or copied."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from alcf_jupyter.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")


class Secret:
    """Holds a token.

    Parameters
    ----------
    text
        The token.
    source
        Where it came from, in words for people.

    Raises
    ------
    UsageError
        It holds characters that no token has; it is not repeated in the message.
    """

    __slots__ = ("reveal",)

    reveal: Callable[[], str]
    """Returns the text."""

    def __init__(self, text: str, source: str) -> None:
        if not _TOKEN.fullmatch(text):
            raise UsageError(
                f"The token from {source} is empty or holds spaces or line breaks.",
                do="Copy it again, without anything around it.",
            )
        # held by a function, so that no listing of attributes shows it
        self.reveal = lambda: text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.reveal() == other.reveal()

    def __hash__(self) -> int:
        return hash(self.reveal())

    def __repr__(self) -> str:
        return "<secret>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A secret cannot be pickled or copied.")


def is_token(text: object) -> bool:
    """Tell whether `text` could be a token."""
    return isinstance(text, str) and _TOKEN.fullmatch(text) is not None
