"""The tutorials and the files they read: where they are, copied, and opened in JupyterLab."""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from alcf_jupyter.cli import passing
from alcf_jupyter.errors import AlcfError

_NOT_TUTORIALS = {"conftest.py", "sanitize.cfg"}


@dataclass
class Copied:
    """What became of each file, by its name below the folder."""

    written: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


def source() -> Path:
    """Return the folder of the tutorials: in the installed package, or in a checkout.

    Raises
    ------
    AlcfError
        They are in neither.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if any(folder.glob("[0-9]*.ipynb")):
            return folder
    raise AlcfError(
        "The tutorials are not installed with this copy of alcf_jupyter.",
        do="Type:  pip install --force-reinstall --no-deps alcf-jupyter",
    )


def copy(folder: Path) -> Copied:
    """Copy the tutorials into `folder`, and leave every file there that differs as it is.

    Parameters
    ----------
    folder
        Made when it does not exist.

    Raises
    ------
    AlcfError
        The folder cannot be made or written to.
    """
    origin, copied = source(), Copied()
    try:
        for path in sorted(origin.rglob("*")):
            relative = path.relative_to(origin)
            hidden = any(part.startswith((".", "__")) for part in relative.parts)
            if hidden or path.is_dir() or path.name in _NOT_TUTORIALS:
                continue
            target, new = folder / relative, path.read_bytes()
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with target.open("xb") as file:  # fails where a file or a link is, also a new one
                    file.write(new)
                copied.written.append(str(relative))
            except FileExistsError:
                same = target.is_file() and target.read_bytes() == new
                (copied.same if same else copied.kept).append(str(relative))
    except OSError as error:
        raise AlcfError(
            f"The tutorials cannot be copied to {folder}: {error.strerror}.",
            do="Name a folder of your own:  alcf-jupyter tutorials FOLDER",
        ) from None
    return copied


def prepare(folder: Path | None) -> Path:
    """Copy the tutorials, let what is started from here use the stand-in, and return the first.

    Parameters
    ----------
    folder
        Where to copy to; None for a temporary folder, which goes at the end unless a person has
        changed something in it.
    """
    ours = source()  # fails before a folder is made
    if folder is None:
        folder = passing.folder("alcf-jupyter-demo-")
        passing.leash(folder, ours)
    copy(folder)
    os.environ["ALCF_JUPYTER_SERVICE"] = "sandbox"
    return min(folder.resolve().glob("[0-9]*.ipynb"))


def open_in_lab(notebook: Path, *, port: int | None = None, browser: bool = True) -> None:
    """Become a JupyterLab with `notebook` open; does not return.

    Parameters
    ----------
    notebook
        The file to open; its folder is what JupyterLab shows.
    port
        The port to listen on, or no other; None for the first free one from 8888.
    browser
        Whether to open a browser.

    Raises
    ------
    AlcfError
        JupyterLab is not installed.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise AlcfError(
            "The demo needs JupyterLab, which is not installed.",
            do="Type:  pip install 'alcf-jupyter[lab]'   (or: alcf-jupyter demo --headless)",
        )
    command = [sys.executable, "-m", "jupyterlab", notebook.name, "--log-level=WARN"]
    command += [] if port is None else [f"--port={port}", "--ServerApp.port_retries=0"]
    command += [] if browser else ["--no-browser"]
    # JupyterLab refuses root, which is who one is in most containers; it listens on loopback only.
    command += ["--allow-root"] if os.name == "posix" and os.geteuid() == 0 else []
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # this environment's kernel, not one of the home's
    print(f"The tutorials are in {notebook.parent}.")
    print("Everything runs on this machine: no account, no network. Ctrl-C ends it.", flush=True)
    os.chdir(notebook.parent)
    os.execv(sys.executable, command)  # noqa: S606 - this very Python, no shell
