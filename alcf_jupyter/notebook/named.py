"""What the options of a cell name: variables of the notebook, or files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alcf_jupyter.errors import UsageError, nearest
from alcf_jupyter.plain import brief

if TYPE_CHECKING:
    from collections.abc import Mapping


def image(word: str, namespace: Mapping[str, Any]) -> Any:
    """Return what ``-i`` names: a variable, or the path of a file."""
    return _variable(word, namespace, word)


def schema(word: str, namespace: Mapping[str, Any]) -> Any:
    """Return what ``--schema`` names: a variable, a file, or the short form itself."""
    return _variable(word, namespace, word)


def tool(word: str, namespace: Mapping[str, Any]) -> Any:
    """Return the function that ``--tool`` names.

    Raises
    ------
    UsageError
        There is none of this name.
    """
    found = _variable(word, namespace, None)
    if found is None:
        functions = [name for name, value in namespace.items() if callable(value)]
        near = nearest(word, [name for name in functions if not name.startswith("_")])
        raise UsageError(
            f"There is no function {brief(word, 60)!r} in this notebook.",
            do=f"Did you mean:  --tool {near[0]}" if near else "Define it in a cell above.",
        )
    return found


def _variable(word: str, namespace: Mapping[str, Any], otherwise: Any) -> Any:
    """Return the value of a name, with its attributes: ``figure`` or ``run.figure``."""
    first, *rest = word.split(".")
    if first not in namespace or not all(part.isidentifier() for part in (first, *rest)):
        return otherwise
    value = namespace[first]
    for part in rest:
        if not hasattr(value, part):
            return otherwise  # data.png is a file, whatever data is
        value = getattr(value, part)
    return value
