"""The variable that says what is done with recorded answers; it wins over a notebook's own line."""

from __future__ import annotations

import os

from alcf_jupyter.typed import here

ENV_REPLAY = "ALCF_JUPYTER_REPLAY"


def asked() -> tuple[str, str]:
    """Return the mode and the path that the environment asks for, ``""`` for what it does not."""
    mode, _, path = os.environ.get(ENV_REPLAY, "").strip().partition(":")
    return mode, path


def overruling() -> str:
    """Say that the variable wins over a line, and how to have the line count."""
    return here(
        f"{ENV_REPLAY}={asked()[0]} wins over this line. For the line to count type:  "
        f"%env {ENV_REPLAY}=  and run the cell again."
    )


def then(line: str) -> str:
    """Return a line that asks for another mode, behind the one without which it would not count."""
    return f"%env {ENV_REPLAY}=   and then   {line}" if asked()[0] else line
