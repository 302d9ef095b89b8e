"""What is installed here, and how to call it: an environment need not be the one on the path."""

from __future__ import annotations

import importlib.util
import shlex
import shutil
import sys
from pathlib import Path

from alcf_jupyter.errors import AlcfError


def command() -> str:
    """Return how the command ``alcf-jupyter`` of this environment is typed in this folder."""
    ours = Path(sys.executable).with_name("alcf-jupyter")
    if not ours.exists():
        return f"{shlex.quote(sys.executable)} -m alcf_jupyter.cli"
    if shutil.which("alcf-jupyter") == str(ours):
        return "alcf-jupyter"
    near = ours.relative_to(Path.cwd()) if ours.is_relative_to(Path.cwd()) else ours
    return shlex.quote(str(near))


def require(what: str, *packages: str) -> None:
    """Raise unless all `packages` are installed here.

    Parameters
    ----------
    what
        What needs them, as the beginning of a sentence.
    *packages
        Their names, each of which is also what is imported of it.

    Raises
    ------
    AlcfError
        One is not; the message says what installs all that are not, in this very environment.
    """
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise AlcfError(
            f"{what} needs {' and '.join(missing)}, which {_is(missing)} not installed.",
            do=f"Type:  {shlex.quote(sys.executable)} -m pip install {' '.join(missing)}",
        )


def _is(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"
