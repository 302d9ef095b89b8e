"""The Markdown that models write: what is understood of it, and the HTML made of it."""

from __future__ import annotations

import functools
import re
from html import escape as quote
from typing import TYPE_CHECKING, Any, Final, cast

from alcf_jupyter.notebook.rendering import mathrules, tex
from alcf_jupyter.plain import brief, escape

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


def divide(tokens: list[Token], lines: int) -> tuple[list[Token], list[Token], int]:
    """Part what more text cannot change from what it can.

    Parameters
    ----------
    tokens
        What `parse` gave for a text that is still growing.
    lines
        How many of its lines are complete: half a line may yet turn out to continue the paragraph
        before it, as ``#`` does when it grows into ``#hashtag``.

    Returns
    -------
    finished, unfinished : list of Token
        Parted where the last block, item of a list or row of a table begins. A list or a table
        that is parted opens and closes in both; a table keeps its head in both.
    line : int
        The line at which the unfinished part begins; 0 if nothing is finished.
    """
    from markdown_it.token import Token

    begun = [i for i, token in enumerate(tokens) if token.map and token.map[0] < lines]
    last = max((i for i in begun if tokens[i].level == 0), default=0)
    is_part = {("list_item_open", 1), ("tr_open", 2)}
    parts = [i for i in begun if i > last and (tokens[i].type, tokens[i].level) in is_part]
    # The first item begins with its list; a table's first row is its head.
    table = bool(parts) and tokens[last].tag == "table"
    if len(parts) <= 1 + table:
        return tokens[:last], tokens[last:], _line(tokens[last]) if last else 0
    cut = parts[-1]
    opening = tokens[last : parts[1] if table else last + 1]
    tags = ["tbody", "table"] if table else [tokens[last].tag]
    closing = [Token("", tag, -1, block=True) for tag in tags]
    return [*tokens[:cut], *closing], [*opening, *tokens[cut:]], _line(tokens[cut])


def _line(token: Token) -> int:
    return token.map[0] if token.map else 0


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
    words = f"[image: {brief(token.content)}]" if token.content.strip() else "[image]"
    return escape(f"{words} ({brief(token.attrGet('src'))})")


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
