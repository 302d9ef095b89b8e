"""What the options of a cell name: variables of the notebook, or files."""

from __future__ import annotations

import builtins
import keyword
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alcf_jupyter.errors import UsageError
from alcf_jupyter.names import nearest
from alcf_jupyter.plain import brief

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping


def value(word: str, namespace: Mapping[str, Any]) -> Any:
    """Return what ``-i`` or ``--schema`` names: a variable's value, else the word as it is."""
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


def system(chosen: Namespace) -> str | None:
    """Return the system prompt that ``-s`` or ``--system-file`` names, None for none.

    Raises
    ------
    UsageError
        Both are given, or the file cannot be read.
    """
    if chosen.system_file is None:
        given: str | None = chosen.system
        return given
    if chosen.system is not None:
        raise UsageError("Two system prompts were given.", do="Keep -s or --system-file.")
    try:
        return Path(chosen.system_file).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{chosen.system_file} cannot be read: {error}", do="Look at its path."
        ) from None


def check_result(name: str | None) -> None:
    """Raise where ``-o`` names what is no variable, or a word of Python itself."""
    if name is None:
        return
    if not name.isidentifier() or keyword.iskeyword(name) or hasattr(builtins, name):
        raise UsageError(
            f"-o takes the name of a variable, not {name!r}.", do="Write it like:  -o answer"
        )


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
