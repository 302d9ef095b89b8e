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


def refusal(what: str, there: str, here: str, why: str) -> UsageError:
    """Return the error that names the line which connects to where something was made.

    Parameters
    ----------
    what
        What was made, and the verb: ``"These embeddings come from"``.
    there, here
        Names of the profiles of its service, and of the one that is connected to.
    why
        Why it has to be the same.
    """
    target = repr(there) if there in ("alcf", "sandbox") else "ADDRESS"
    return UsageError(
        f"{what} {_named(there)}, and you are connected to {_named(here)}.",
        why=why,
        do=f"Connect to it first:  alcf.connect({target})",
    )


def _named(name: str) -> str:
    return _NAMES.get(name) or brief(name, 40)
