"""Whether JupyterLab finds the extension: the folders in which a server looks for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from alcf_jupyter._version import __version__
from alcf_jupyter.notebook.doctor.browser import reported
from alcf_jupyter.notebook.doctor.finding import note, ok
from alcf_jupyter.notebook.doctor.lines import short, terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alcf_jupyter.notebook.doctor.finding import Finding

NAME = "alcf-jupyter"


def check() -> Iterator[Finding]:
    """Look for the extension where a JupyterLab of this user and environment would."""
    found = there()
    if found is None:
        if reported() is None:
            says = "not where JupyterLab of this environment looks"
            yield note("Extension", says, terminal("install-labextension"))
        return
    folder, version = found
    if version != __version__:
        says = f"{version} in {short(folder)}; this is {__version__}"
        yield note("Extension", says, terminal(f"install-labextension{_where(folder)}"))
    else:
        yield ok("Extension", f"{version} in {short(folder)}")


def there() -> tuple[Path, str] | None:
    """Return the first folder with the extension and its version, None where there is none."""
    from jupyter_core.paths import jupyter_path

    for root in jupyter_path("labextensions"):
        folder = Path(root) / NAME
        try:
            told = json.loads((folder / "package.json").read_text("utf-8"))
        except (OSError, ValueError):
            continue
        version = told.get("version") if isinstance(told, dict) else None
        return folder, version if isinstance(version, str) else "of unknown version"
    return None


def _where(folder: Path) -> str:
    """Return the option that replaces what lies in a folder; ``""`` for this environment's."""
    from jupyter_core.paths import jupyter_data_dir

    return " --user" if folder.is_relative_to(jupyter_data_dir()) else ""
