"""Why a connection failed, in words that need not be looked up."""

from __future__ import annotations

import errno
import re
import socket
import ssl
from typing import Final

# what tells most goes first: of several addresses each may have failed in its own way
_WORDS: Final = {
    errno.ECONNREFUSED: "the connection was refused",
    errno.ETIMEDOUT: "nobody answered in time",
    errno.EHOSTUNREACH: "there is no way to it",
    errno.ENETUNREACH: "there is no way to its network",
    errno.ENETDOWN: "the network is down",
    errno.ECONNRESET: "the connection was reset",
    errno.ECONNABORTED: "the connection was broken off",
    errno.EPIPE: "the connection was closed",
    errno.EMFILE: "this process has too many files open",
    errno.ENFILE: "this machine has too many files open",
}
_NUMBER: Final = re.compile(r"\[Errno (-?\d+)\]\s*")


def of(error: BaseException) -> str:
    """Return why a connection failed, without a number or a full stop."""
    if isinstance(error, ssl.SSLCertVerificationError):
        told = getattr(error, "verify_message", "no reason given").rstrip(".")
        return f"its certificate is not accepted ({told})"
    if isinstance(error, ssl.SSLError):
        told = str(getattr(error, "reason", None) or "no reason given").replace("_", " ").lower()
        return f"no TLS connection came about ({told})"
    if isinstance(error, socket.gaierror):
        later = error.errno == socket.EAI_AGAIN
        return "its name cannot be looked up just now" if later else "its name is not known here"
    if isinstance(error, UnicodeError):
        return "its name cannot be that of a host"
    text = str(error)
    # of several addresses asyncio tells in a text alone what became of each
    numbers = {getattr(error, "errno", None), *map(int, _NUMBER.findall(text))}
    for number, words in _WORDS.items():
        if number in numbers:
            return words
    return _NUMBER.sub("", text).rstrip(".") or "it broke off"
