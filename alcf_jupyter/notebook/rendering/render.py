"""A model's answer as HTML that can be shown: nothing in it runs, and nothing is fetched."""

from __future__ import annotations

import functools
import re
from html import escape as quote
from typing import TYPE_CHECKING, Final

from alcf_jupyter.plain import clean, drop_invisible

if TYPE_CHECKING:
    import nh3

CODE: Final = "<pre style=word-break:normal>"
"""What opens a block of code."""
_LONGEST: Final = 100_000
_TAGS: Final = """
    a blockquote br code em h1 h2 h3 h4 h5 h6 hr li ol p pre s span strong
    table tbody td th thead tr ul
"""
_ATTRIBUTES: Final = {"a": {"href"}, "ol": {"start"}}
_ALIGN: Final = {"align": {"left", "center", "right"}}
_LINK: Final = re.compile(r"https?://|mailto:", re.IGNORECASE)
_CELL: Final = re.compile(r'<(t[dh]) align="(left|center|right)">')


def to_html(markdown: str) -> str:
    r"""Turn a model's Markdown into HTML.

    CommonMark with tables and ``~~strikethrough~~``; raw HTML is shown as text, an image as its
    words and its address. Formulas are left in ``\(...\)`` and ``\[...\]`` for JupyterLab to
    typeset, unless their TeX could do more than set type; other dollars stay dollars.

    Parameters
    ----------
    markdown
        Text from a model, taken as hostile.

    Returns
    -------
    str
        HTML with a short list of tags and no other attributes than a link's address, a list's
        first number and a cell's alignment. The same text gives the same HTML. Text that is too
        long or too entangled to read as Markdown is shown as it is.
    """
    text = clean(markdown)
    if len(text) > _LONGEST:
        return plain_html(text)
    from alcf_jupyter.notebook.rendering.markdown import TooMuchError, parse, render

    try:
        return sanitize(render(parse(text)))
    except TooMuchError:
        return plain_html(text)


def plain_html(text: str) -> str:
    """Show text as it is, its line ends and spaces kept.

    Parameters
    ----------
    text
        Text from a model; it is cleaned here.

    Returns
    -------
    str
        One ``pre`` element, in which JupyterLab does not look for formulas.
    """
    # HTML drops a line end right after the tag, so the text's own first one must be the second.
    style = "margin:0;white-space:pre-wrap;word-break:normal"
    return f"<pre style={style}>\n{quote(clean(text), quote=False)}</pre>\n"


def sanitize(html: str) -> str:
    """Let only the listed tags and attributes through.

    Parameters
    ----------
    html
        HTML written by the Markdown renderer.

    Returns
    -------
    str
        The same, whatever a fault in that renderer may have let pass taken out.
    """
    # Entities such as &#x202e; are characters by now.
    safe = _cleaner().clean(drop_invisible(html))
    # Two things that JupyterLab does to outputs, undone after the check: it overrides the cells'
    # attribute, and breaks lines of code within words.
    safe = safe.replace("<pre>", CODE)
    return _CELL.sub(r"<\1 style=text-align:\2>", safe)


@functools.cache
def _cleaner() -> nh3.Cleaner:
    import nh3

    return nh3.Cleaner(
        tags=set(_TAGS.split()),
        clean_content_tags={"script", "style"},
        attributes=_ATTRIBUTES,
        tag_attribute_values={"td": _ALIGN, "th": _ALIGN},
        set_tag_attribute_values={"a": {"target": "_blank"}},
        url_schemes={"http", "https", "mailto"},
        attribute_filter=_absolute,
        link_rel="noopener noreferrer",
    )


def _absolute(_tag: str, name: str, value: str) -> str | None:
    # A relative address would lead to the Jupyter server, which knows the reader.
    return value if name != "href" or _LINK.match(value) else None
