"""The Markdown that models write: what is understood of it, and the HTML made of it."""

from __future__ import annotations

import functools
import re
from html import escape as quote
from typing import TYPE_CHECKING, Any, Final, cast

from alcf_jupyter.notebook import mathrules, tex
from alcf_jupyter.notebook.text import escape, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererHTML
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

_LINK: Final = re.compile(r"(?:https?://|mailto:)[^\s\\]", re.IGNORECASE)
_MOST_FORMULAS: Final = 500


class TooMuchError(Exception):
    """The text would take longer to read than an answer is worth; show it as it is."""


def parse(text: str) -> list[Token]:
    """Read Markdown.

    Parameters
    ----------
    text
        Cleaned text.

    Returns
    -------
    list of Token
        markdown-it's tokens.

    Raises
    ------
    TooMuchError
        If the text needs more steps than its length allows for. Steps are counted rather than
        timed, so that the same text always gives the same answer.
    """
    return _parser().parse(text, {"steps": _steps(text)})


def outline(text: str) -> tuple[list[int], list[int]]:
    """Find where the blocks of a text begin, without reading what is inside them.

    Parameters
    ----------
    text
        Cleaned text.

    Returns
    -------
    blocks, parts : list of int
        The lines at which the top-level blocks begin, and those at which the second and later
        items or rows of the last block do, if it is a list or a table.

    Raises
    ------
    TooMuchError
        As `parse` does.
    """
    tokens: list[Token] = []
    parser = _parser()
    parser.block.parse(text, parser, {"steps": _steps(text)}, tokens)
    begun = [(token, token.map[0]) for token in tokens if token.map and token.nesting >= 0]
    blocks = [line for token, line in begun if token.level == 0]
    parts = [
        line
        for token, line in begun
        if (token.type, token.level) in {("list_item_open", 1), ("tr_open", 2)}
        and line >= blocks[-1]
    ]
    # The first item begins with its list; a table's first row is its head.
    return blocks, parts[2:] if tokens and tokens[-1].type == "table_close" else parts[1:]


def render(tokens: Sequence[Token]) -> str:
    """Write tokens as HTML.

    Parameters
    ----------
    tokens
        What `parse` gave.

    Returns
    -------
    str
        HTML that is still to be sanitized.
    """
    parser = _parser()
    return str(parser.renderer.render(tokens, parser.options, {"formulas": 0}))


def _steps(text: str) -> int:
    return 4 * len(text) + 2000


@functools.cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    md = MarkdownIt("commonmark", {"html": False, "xhtmlOut": False})
    md.enable(["table", "strikethrough"]).disable(["html_block", "html_inline"])
    md.inline.ruler.after("text", "steps", _step)
    md.block.ruler.before("table", "steps", _step, {"alt": ["paragraph"]})
    mathrules.install(md)
    # Only addresses of the web and of mail: nothing on this server, nothing that runs.
    md.validateLink = lambda url: bool(_LINK.match(url))  # type: ignore[method-assign]
    # The default decodes %-escapes and punycode, which hides where a link leads.
    md.normalizeLinkText = lambda link: link  # type: ignore[method-assign]
    rules: dict[str, Any] = {
        "text": _text,
        "image": _image,
        "math": _math,
        "fence": _code,
        "code_block": _code,
        "link_open": _link,
        "th_open": _cell,
        "td_open": _cell,
    }
    cast("RendererHTML", md.renderer).rules.update(rules)
    return md


def _step(state: StateInline | StateBlock, *_: object) -> bool:
    state.env["steps"] -= 1
    if state.env["steps"] < 0:
        raise TooMuchError
    return False


def _text(tokens: Sequence[Token], index: int, *_: object) -> str:
    return escape(tokens[index].content)


def _code(tokens: Sequence[Token], index: int, *_: object) -> str:
    return f"<pre><code>{quote(tokens[index].content)}</code></pre>\n"


def _link(tokens: Sequence[Token], index: int, *_: object) -> str:
    # Without its title, a second text that the reader sees only on pointing at it.
    return f'<a href="{quote(str(tokens[index].attrGet("href")))}">'


def _cell(tokens: Sequence[Token], index: int, *_: object) -> str:
    # JupyterLab sets cells to the right, which suits numbers and not a model's words.
    align = str(tokens[index].attrGet("style") or "").rpartition(":")[2] or "left"
    return f'<{tokens[index].tag} align="{align}">'


def _image(tokens: Sequence[Token], index: int, *_: object) -> str:
    token = tokens[index]
    words = f"[image: {one_line(token.content)}]" if token.content.strip() else "[image]"
    return escape(f"{words} ({one_line(token.attrGet('src'))})")


def _math(tokens: Sequence[Token], index: int, _options: object, env: dict[str, int]) -> str:
    token = tokens[index]
    env["formulas"] += 1
    formula = tex.typesettable(token.content) if env["formulas"] <= _MOST_FORMULAS else None
    if formula is None:
        shown = f"<code>{quote(token.info)}</code>"
    elif token.markup in {"$", "\\("}:
        return f"<span>\\({quote(formula)}\\)</span>"
    else:
        shown = f"<span>\\[{quote(formula)}\\]</span>"
    return f"<p>{shown}</p>\n" if token.block else shown
