"""Where a token comes from; the token itself is never shown.

A token leaves this module only as the header of a request, and only the transport asks for it.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NoReturn

from alcf_jupyter.errors import NotSignedInError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

ENV_TOKEN = "ALCF_AI_TOKEN"  # noqa: S105 - the name of a variable
_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")


class Credential:
    """A token that can be sent but not read, printed, pickled or copied.

    Parameters
    ----------
    token
        The token, or None where a server asks for none.
    source
        Where it came from, in words for people.

    Raises
    ------
    UsageError
        The token holds characters that no token has; it is not repeated in the message.
    """

    __slots__ = ("_header", "source")

    def __init__(self, token: str | None, source: str) -> None:
        if token is not None and not _TOKEN.fullmatch(token):
            raise UsageError(
                f"The token from {source} is empty or holds spaces or line breaks.",
                do="Copy it again, without anything around it.",
            )
        self.source = source
        # held by a function, so that no listing of attributes shows it
        self._header: Callable[[], str | None] = lambda: (
            None if token is None else f"Bearer {token}"
        )

    def header(self) -> str | None:
        """Return the value of the Authorization header, or None to send none."""
        return self._header()

    def __repr__(self) -> str:
        return f"<credential from {self.source}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A credential cannot be pickled or copied.")


def for_alcf(token: str | None) -> Credential:
    """Return the credential for ALCF's own service.

    Parameters
    ----------
    token
        An explicit token; None to look in the environment.

    Raises
    ------
    NotSignedInError
        There is none.
    """
    if token is not None:
        return Credential(token.strip(), "connect(token=…)")
    if ENV_TOKEN in os.environ:
        return Credential(os.environ[ENV_TOKEN].strip(), ENV_TOKEN)
    raise NotSignedInError(
        "You are not signed in to the ALCF Inference Endpoints.",
        why=f"No token was given and the variable {ENV_TOKEN} is not set.",
        do=f"Set {ENV_TOKEN} before the kernel starts, or try without an account:  "
        "%alcf connect sandbox",
    )
