"""A process environment that holds nothing of the person who runs the tests or the notebooks."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from pathlib import Path

# Tokens, addresses and settings; a run must never reach a real service or a person's own files.
_PERSONAL = re.compile(
    r"_?(ALCF|GLOBUS|OPENAI|JUPYTER|JPY|IPYTHON|XDG)_?.*|MODEL_NAME|.*_PROXY"
    # without its bytecode every kernel compiles all it imports, which takes seconds
    r"|PYTHON(STARTUP|PATH|WARNINGS|INSPECT|DONTWRITEBYTECODE)|MPLBACKEND|COLUMNS|LINES|NO_COLOR|FORCE_COLOR"
    r"|VIRTUAL_ENV|CONDA_.*",
    re.IGNORECASE,
)
# Not personal: no browser test may skip, and how much is tried of tests/faults.
_KEPT = {"ALCF_JUPYTER_REQUIRE_BROWSER", "ALCF_JUPYTER_FAULTS"}
_BUILD = Path(__file__).resolve().parent.parent / "build"
_LOOPBACK = "127.0.0.1,localhost,::1"


def changes(home: Path) -> dict[str, str | None]:
    """Return the variables to set, or with None to remove, so that `home` is all there is.

    Parameters
    ----------
    home
        An empty folder that stands for the home directory.
    """
    remove = [name for name in os.environ if _PERSONAL.fullmatch(name) and name not in _KEPT]
    return dict.fromkeys(remove) | {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "IPYTHONDIR": str(home / ".ipython"),
        "MPLCONFIGDIR": str(_fonts()),
        "NO_PROXY": _LOOPBACK,
        "no_proxy": _LOOPBACK,
    }


@functools.cache
def _fonts() -> Path:
    """Return a folder with matplotlib's list of fonts; to make one takes long, and it says so."""
    folder = _BUILD / "matplotlib" / "{}.{}".format(*sys.version_info)
    if not any(folder.glob("fontlist*.json")):
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-c", "import matplotlib.font_manager"]
        where = os.environ | {"MPLCONFIGDIR": str(folder)}
        # it may be missing
        subprocess.run(command, env=where, capture_output=True, check=False)  # noqa: S603 - our own
    return folder


def clean(home: Path) -> None:
    """Make this process, and all it starts, live in `home` alone."""
    for name, value in changes(home).items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
