"""An answer as it is stored in a notebook: HTML and plain text, the same for the same answer."""

from __future__ import annotations

import json
import re
from html import escape as quote
from typing import TYPE_CHECKING, Final, Literal

from alcf_jupyter.plain import brief, clean, escape_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alcf_jupyter.prompt.tools import ToolRun

Format = Literal["markdown", "text", "code", "json"]

# Opacity, because a colour of its own would need to know the theme's background.
QUIET: Final = "opacity:.75;font-size:.9em"
"""The style of what is said about an answer."""

_FENCED: Final = re.compile(r"\s*(`{3,}|~{3,})[^\n`]*\n(.*?)\n?\1\s*", re.DOTALL)
_LARGEST_JSON: Final = 1_000_000
_LARGEST_MARKDOWN: Final = 100_000
_LONGEST_RESULT: Final = 10_000


def answer_bundle(
    text: str,
    footer: str = "",
    note: str | None = None,
    reasoning: str = "",
    fmt: Format = "markdown",
    calls: Sequence[ToolRun] = (),
) -> dict[str, str]:
    """Show an answer.

    Parameters
    ----------
    text
        The answer, taken as hostile.
    footer
        One line of plain text about it, or nothing.
    note
        What is wrong with it, in words, or nothing.
    reasoning
        The model's reasoning, shown folded.
    fmt
        ``markdown``; ``text``, as it is; ``code``, its fenced blocks alone where it has some;
        ``json``, indented where it is JSON.
    calls
        The tools that were called on the way to it, each shown folded.

    Returns
    -------
    dict
        ``text/html`` and ``text/plain``. The same answer gives the same bundle: no times, no ids.
    """
    html, plain = _body(text, fmt)
    if calls:
        html = "".join(map(_called, calls)) + html
        plain = plain_text(text, fmt, calls)
    if reasoning.strip():
        from alcf_jupyter.notebook.rendering.render import to_html

        folded = f"<summary>Reasoning</summary>{to_html(reasoning)}"
        html = f'<details style="{QUIET}">{folded}</details>\n{html}'
    if note:
        html += f'<p role="note"><strong>{escape_line(note, 1000)}</strong></p>\n'
        plain = f"{plain}\n\n{brief(note, 1000)}".lstrip()
    if footer:
        html += f'<div style="{QUIET}">{escape_line(footer, 500)}</div>\n'
        plain = f"{plain}\n\n{brief(footer, 500)}".lstrip()
    return {"text/html": html, "text/plain": plain}


def plain_text(text: str, fmt: Format = "markdown", calls: Sequence[ToolRun] = ()) -> str:
    """Return an answer for a place without HTML, the calls of tools before it."""
    told = [f"{brief(run.call, 300)} → {brief(run.result, 300)}" for run in calls]
    return "\n".join([*told, "", _body(text, fmt)[1]] if told else [_body(text, fmt)[1]])


def _called(run: ToolRun) -> str:
    from alcf_jupyter.notebook.rendering.render import plain_html

    word = "Called, and failed" if run.failed else "Called"
    summary = f"<summary>{word}: {escape_line(run.call, 300)}</summary>"
    return (
        f'<details style="{QUIET}">{summary}{plain_html(run.result[:_LONGEST_RESULT])}</details>\n'
    )


def code_blocks(text: str) -> str:
    """Return the fenced blocks of an answer, without their fences and what stands between them.

    Parameters
    ----------
    text
        An answer.

    Returns
    -------
    str
        The blocks, an empty line between them; the whole answer where it has none.
    """
    from alcf_jupyter.notebook.rendering.markdown import TooMuchError, parse

    if len(text) > _LARGEST_MARKDOWN:
        return unfenced(text)
    try:
        blocks = [token.content.rstrip("\n") for token in parse(text) if token.type == "fence"]
    except TooMuchError:
        blocks = []
    return "\n\n".join(blocks) if blocks else text


def unfenced(text: str) -> str:
    """Take off the fence that models like to put around code.

    Parameters
    ----------
    text
        An answer.

    Returns
    -------
    str
        What is inside, if the answer is one fenced block and nothing else.
    """
    match = _FENCED.fullmatch(text)
    return match[2] if match and match[1] not in match[2] else text


def _body(text: str, fmt: Format) -> tuple[str, str]:
    from alcf_jupyter.notebook.rendering.render import CODE, plain_html, to_html

    plain = clean(text)
    if fmt == "markdown":
        return to_html(plain), plain
    if fmt == "text":
        return plain_html(plain), plain
    plain = code_blocks(plain) if fmt == "code" else _indented(unfenced(plain))
    return f"{CODE}<code>{quote(plain, quote=False)}</code></pre>\n", plain


def _indented(text: str) -> str:
    if len(text) > _LARGEST_JSON:
        return text
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):  # shown as it came; whether it is valid is said elsewhere
        return text
