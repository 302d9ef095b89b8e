"""The tutorials and the files they read: where they are, and copied."""

from __future__ import annotations

import os
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
    """Copy the tutorials, have what is started from here use the stand-in, and return the first.

    That is where nothing else is asked for: a reader may connect to anything, as tutorials do.

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
    from alcf_jupyter.connection import profiles

    os.environ.pop(profiles.ENV_SERVICE, None)
    os.environ[profiles.ENV_DEMO] = "sandbox"
    return min(folder.resolve().glob("[0-9]*.ipynb"))
