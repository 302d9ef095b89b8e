"""The refusal to go on at one service with what was made at another."""

from __future__ import annotations

from alcf_jupyter.errors import UsageError
from alcf_jupyter.plain import brief

_NAMES = {
    "alcf": "the ALCF service",
    "sandbox": "the sandbox",
    "gateway": "a gateway",
    "openai": "another server",
}


def check(what: str, there: str, here: str, why: str) -> None:
    """Make sure that the service which something was made at is the one that is connected to.

    Parameters
    ----------
    what
        What was made, and the verb: ``"These embeddings come from"``.
    there, here
        Names of the profiles of its service, and of the one that is connected to.
    why
        Why it has to be the same.

    Raises
    ------
    UsageError
        It is not; the message names the line that connects to it.
    """
    if there == here:
        return
    target = repr(there) if there in ("alcf", "sandbox") else "ADDRESS"
    raise UsageError(
        f"{what} {_named(there)}, and you are connected to {_named(here)}.",
        why=why,
        do=f"Connect to it first:  alcf.connect({target})",
    )


def _named(name: str) -> str:
    return _NAMES.get(name) or brief(name, 40)
