"""Where this package keeps what must outlive a kernel: a private folder of the user's."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from alcf_jupyter.errors import UsageError

ENV_STATE = "ALCF_JUPYTER_STATE"


def root() -> Path:
    """Return the state directory, made or not.

    It is `ALCF_JUPYTER_STATE`, or the user's own for application state.
    """
    given = os.environ.get(ENV_STATE)
    if given:
        return Path(given).expanduser()
    from platformdirs import user_state_path

    return user_state_path("alcf_jupyter")


def folder(*names: str) -> Path:
    """Return a folder below the state directory, made if it is not there.

    Raises
    ------
    UsageError
        It belongs to another user, or cannot be made.
    """
    top = root()
    path = top.joinpath(*names)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for made in (top, path):
            about = made.stat()
            if about.st_uid != os.getuid():
                raise UsageError(
                    f"{made} belongs to another user.",
                    do=f"Name a folder of your own:  %env {ENV_STATE}=/path/to/folder",
                )
            if stat.S_IMODE(about.st_mode) & 0o077:
                made.chmod(0o700)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be made: {error.strerror}.",
            do=f"Name a folder you can write to:  %env {ENV_STATE}=/path/to/folder",
        ) from None
    return path
