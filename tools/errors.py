"""Write docs/errors.md: every error, what it means and the next step, from the code itself.

``python -m tools.errors`` writes it; ``--check`` fails when the file is not what would be written.
"""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from alcf_jupyter import errors
from alcf_jupyter.service import advice, support
from alcf_jupyter.service.failures import failure
from tools.pages import settle

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PAGE = Path(__file__).resolve().parent.parent / "docs" / "errors.md"

# the gateway's words, read in its source (2026-05-29)
REFUSALS = (
    "Error: Missing ('Authorization': 'Bearer <your-access-token>') in request headers.",
    "Error: Authorization type should be Bearer.",
    "Token is either not active or invalid",
    "Token introspection: Token is either not active or invalid",
    "Access token expired.",
    (
        "Error: Permission denied from internal policies. This is likely due to a high-assurance "
        "timeout. Please logout by visiting https://app.globus.org/logout, and re-authenticate ..."
    ),
    "Error: Permission denied. Must authenticate with anl.gov. Currently authenticated as Alice.",
    "Permission denied due to Globus Group restrictions.",
    "Could not introspect token with Globus /v2/oauth2/token/introspect. Connection timed out",
    "Error: Could not recover user group memberships. Connection timed out",
)


def classes() -> Iterator[tuple[int, type[BaseException]]]:
    """Yield every error with its depth in the tree, a parent before its children."""
    yield from _below(errors.AlcfError, 0)
    yield from _below(errors.Interrupted, 0)


def _below(kind: type[BaseException], depth: int) -> Iterator[tuple[int, type[BaseException]]]:
    yield depth, kind
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _below(child, depth + 1)


def meaning(kind: type[BaseException]) -> str:
    """Return the first paragraph of an error's docstring, as Markdown."""
    text = inspect.getdoc(kind) or ""
    return " ".join(text.partition("\n\n")[0].split()).replace("``", "`")


def page() -> str:
    """Return the page."""
    lines = [
        "# Errors",
        "",
        "Written by `python -m tools.errors` from the code. A message says what happened, why, and",
        "in its last line what to type next. Every error is an `alcf_jupyter.AlcfError`; its",
        "parents catch its whole family, as in `except errors.SignInError`.",
        "",
    ]
    for depth, kind in classes():
        if depth <= 1:
            lines += [f"## {kind.__name__}", ""]
        else:
            lines += [f"### {kind.__name__}", ""]
        lines += [meaning(kind), "", f"**Next:** {advice.NEXT[kind]}", ""]
    lines += [
        "## What ALCF's guide calls it",
        "",
        "| in the guide | here | next |",
        "|---|---|---|",
    ]
    for name, (kind, words) in advice.GUIDE.items():
        lines.append(f"| {name} | {_link(kind)} | {words} |")
    lines += [
        "",
        "## Refusals about who you are",
        "",
        "The gateway answers every one of these with HTTP 401; only its words tell them apart.",
        "",
        "| it says | here | next |",
        "|---|---|---|",
    ]
    for message in REFUSALS:
        body = json.dumps({"error": {"code": "unauthorized", "message": message, "info": {}}})
        found = failure(401, body.encode(), "application/json")
        lines.append(f"| {message} | {_link(type(found))} | {found.do.replace('  ', ' ')} |")
    lines += [
        "",
        "## Whom to ask",
        "",
        f"`%alcf help contacts` says it, too. {support.SUPPORT} for",
    ]
    lines += ["", *(f"- {words}" for words in support.SUBJECTS.values()), ""]
    lines += ["unless your site names somebody else in `alcf_jupyter.toml`.", ""]
    return "\n".join(lines)


def _link(kind: type[BaseException]) -> str:
    return f"[{kind.__name__}](#{kind.__name__.lower()})"


def main(arguments: Sequence[str]) -> int:
    """Write the page, or check it; return 1 when it is not current."""
    return int(not settle(PAGE, page(), "errors", check="--check" in arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
