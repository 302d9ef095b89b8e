"""Packages that only some functions need: imported when they are, and named with their pip line."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from alcf_jupyter.errors import UsageError

MAP = 'pip install "alcf-jupyter[map]"'
_NAMES = {"jscatter": "jupyter-scatter", "sklearn": "scikit-learn", "umap": "umap-learn"}


def needed(module: str, what: str, install: str) -> Any:
    """Import a package that may not be installed, and return it.

    Parameters
    ----------
    module
        Its name in an import.
    what
        What it is needed for: the beginning of a sentence.
    install
        The line that installs it.

    Raises
    ------
    UsageError
        It is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # it is there, and lacks something of its own
        name = module.partition(".")[0]
        raise UsageError(
            f"{what} needs {_NAMES.get(name, name)}, which is not installed here.",
            do=f"Type:  %{install}   and restart the kernel",
        ) from None
