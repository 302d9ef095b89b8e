"""What comes from the JupyterLab extension, checked against `protocol.json`."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from alcf_jupyter.errors import AlcfError, UsageError
from alcf_jupyter.plain import brief
from alcf_jupyter.prompt import json_schema

if TYPE_CHECKING:
    from collections.abc import Callable


def protocol() -> int:
    """Return the version of the protocol that is spoken here."""
    number: int = _page()["x-protocol"]
    return number


@cache
def checker(name: str) -> Callable[[object], str]:
    """Return what checks a message against a definition of `protocol.json`, such as ``FromLab``.

    As `alcf_jupyter.prompt.json_schema.checker`.
    """
    return json_schema.checker({"$ref": f"#/$defs/{name}", "$defs": _page()["$defs"]})


def read(data: object, name: str = "FromLab") -> dict[str, Any]:
    """Return a message that is as the protocol says.

    Parameters
    ----------
    data
        What came.
    name
        The definition it has to fit.

    Raises
    ------
    UsageError
        It is no such message.
    """
    if wrong := checker(name)(data):
        raise UsageError(
            "A message of the JupyterLab extension cannot be read.",
            why=brief(wrong, 160),
            do="Reload the page; if it comes again:  %alcf doctor",
        )
    assert isinstance(data, dict)  # noqa: S101 - every definition is an object
    return data


def reply(
    to: object, said: str = "", line: str = "", *, error: AlcfError | None = None
) -> dict[str, Any]:
    """Return the answer to a message.

    Parameters
    ----------
    to
        Its id, if it has one.
    said
        What was done, in words.
    line
        What to type next, or for the same.
    error
        Why it was not.
    """
    return {
        "type": "reply",
        "to": to if isinstance(to, int) and not isinstance(to, bool) else None,
        "said": said,
        "line": line,
        "error": error and {"what": error.what, "why": error.why, "do": error.do},
    }


@cache
def _page() -> dict[str, Any]:
    file = resources.files(__package__) / "protocol.json"
    page: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return page
