"""Write docs/options.md: every option of every magic, from the parsers themselves.

``python -m tools.options`` writes it; ``--check`` fails when the file is not what would be written.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from alcf_jupyter.notebook.commands import table
from tools.pages import settle

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from alcf_jupyter.notebook.line.parser import Parser

PAGE = Path(__file__).resolve().parent.parent / "docs" / "options.md"


def rows(parser: Parser) -> Iterator[tuple[str, str]]:
    """Yield each option of a parser as it is typed, and what it means."""
    for action in parser._actions:  # noqa: SLF001 - argparse lists them nowhere else
        flags = ", ".join(f"`{flag}`" for flag in action.option_strings)
        value = ""
        if action.nargs != 0:
            word = str(action.metavar or action.dest.upper())
            value = f" {'|'.join(action.choices)}" if action.choices else f" {word}"
        yield (
            f"{flags}{value}".replace("|", "\\|"),
            (action.help or "").replace("%%", "%").replace("|", "\\|"),
        )


def page() -> str:
    """Return the page."""
    lines = [
        "# Options",
        "",
        "Written by `python -m tools.options` from the code. `%alcf help alcf_chat` shows the same",
        "in a notebook. Options come first on the line; what follows them is the text.",
        "",
    ]
    for make in table.PARSERS.values():
        parser = make()
        lines += [f"## `{parser.magic}`", "", str(parser.description), ""]
        told = list(rows(parser))
        if told:
            lines += ["| option | meaning |", "|---|---|"]
            lines += [f"| {option} | {meaning} |" for option, meaning in told]
            lines.append("")
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Write the page, or check it; return 1 when it is not current."""
    return int(not settle(PAGE, page(), "options", check="--check" in arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
