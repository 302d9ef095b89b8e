"""The JupyterLab extension, put where a JupyterLab finds it: whole, or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import Final

from alcf_jupyter.errors import AlcfError

NAME: Final = "alcf-jupyter"
_SHARED: Final = f"share/jupyter/labextensions/{NAME}"


def source() -> Path:
    """Return the folder of the built extension: of a checkout, or of the installed package.

    Raises
    ------
    AlcfError
        It is in neither.
    """
    checkout = Path(__file__).resolve().parents[1] / "labextension"
    for folder in (checkout, *_installed()):
        if _version(folder) is not None and (folder / "install.json").is_file():
            return folder
    raise AlcfError(
        "The JupyterLab extension is not in this installation of alcf_jupyter.",
        do="Type:  pip install --force-reinstall --no-deps alcf-jupyter   (in a checkout:  make)",
    )


def install(*, user: bool = False) -> list[str]:
    """Copy the extension into a folder of JupyterLab's, and return what to say about it.

    What is there already is replaced when all of the new one is written.

    Parameters
    ----------
    user
        Copy it to the user's own folder, which every JupyterLab of this user reads, and not into
        this environment.

    Raises
    ------
    AlcfError
        The extension is not in this installation, or the folder cannot be written.
    """
    origin, target = source(), _target(user=user)
    version, before = _version(origin), _version(target)
    try:
        if target.exists() and target.resolve() == origin.resolve():
            return [f"The JupyterLab extension {version} is in its place: {target}"]
        _replace(origin, target)
    except OSError as error:
        raise AlcfError(
            f"The JupyterLab extension cannot be written to {target.parent}: "
            f"{error.strerror or error}.",
            do="Make room there and type it again."
            if user
            else "For yourself alone:  alcf-jupyter install-labextension --user",
        ) from None
    told = [f"Installed the JupyterLab extension {version} in {target}"]
    if before not in (None, version):
        told.append(f"It replaces {before}.")
    return [*told, "A page of JupyterLab that is open wants a reload."]


def _installed() -> list[Path]:
    """Return where pip may have put it."""
    found = [Path(sys.prefix, _SHARED)]
    with contextlib.suppress(metadata.PackageNotFoundError):
        files = metadata.files(NAME) or []
        placed = [file.locate() for file in files if str(file).endswith(f"{_SHARED}/install.json")]
        found = [*(Path(os.path.normpath(str(path))).parent for path in placed), *found]
    return found


def _target(*, user: bool) -> Path:
    if not user:
        return Path(sys.prefix, _SHARED)
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir(), "labextensions", NAME)


def _version(folder: Path) -> str | None:
    """Return the version of the extension in a folder, None where there is none."""
    try:
        return str(json.loads((folder / "package.json").read_text(encoding="utf-8"))["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _replace(origin: Path, target: Path) -> None:
    """Put a copy of a folder in the place of another."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # hidden: JupyterLab takes every other folder here for an extension
    mark = secrets.token_hex(4)
    new, old = (target.with_name(f".{NAME}-{mark}-{which}") for which in ("new", "old"))
    try:
        shutil.copytree(origin, new)
        if target.is_symlink() or target.is_file():
            target.unlink()
        elif target.exists():
            target.rename(old)
        try:
            new.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
    finally:
        for left in (new, old):
            shutil.rmtree(left, ignore_errors=True)
