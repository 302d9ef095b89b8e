r"""Where a model's Markdown holds a formula: in ``$``, ``$$``, ``\(``, ``\[`` or an environment.

Written here rather than taken from a plugin because prices must stay prices: a dollar opens or
closes a formula only where no letter, digit or blank is on its wrong side.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from alcf_jupyter.notebook.rendering import tex

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline

_DOLLAR: Final = re.compile(
    rf"\$(?=[^\s$])((?:[^\\$]|\\.){{1,{tex.LONGEST}}})(?<!\s)\$(?![^\W_]|\$)", re.DOTALL
)
_DOLLARS: Final = re.compile(rf"\$\$((?:[^\\$]|\\.|\$(?!\$)){{1,{tex.LONGEST}}})\$\$", re.DOTALL)
_OPENER: Final = re.compile(
    r"\$\$|\\\[|\\begin\{(equation|align|alignat|gather|multline|eqnarray)(\*?)\}"
)


def install(md: MarkdownIt) -> None:
    """Teach a parser the formulas.

    Parameters
    ----------
    md
        The parser; it then makes tokens of the type ``math``, whose ``content`` is the TeX, whose
        ``markup`` the delimiter, and whose ``info`` the text as it was written.
    """
    md.inline.ruler.before("escape", "math", _inline)
    interrupted = ["paragraph", "reference", "blockquote", "list"]
    md.block.ruler.before("fence", "math_block", _block, {"alt": interrupted})


def _inline(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 (markdown-it's signature)
    source, start = state.src, state.pos
    if source[start] == "$":
        found = _dollars(source, start)
    elif source[start] == "\\" and source[start + 1 : start + 2] in {"(", "["}:
        found = _brackets(source, start)
    else:
        return False
    if found is None:
        return False
    content, state.pos = found
    if not silent:
        token = state.push("math", "", 0)
        token.content, token.info = content, source[start : state.pos]
        token.markup = "$" if token.info[1:-1] == content else token.info[:2]
    return True


def _dollars(source: str, start: int) -> tuple[str, int] | None:
    if source.startswith("$$", start):
        match = _DOLLARS.match(source, start)
    elif start and source[start - 1].isalnum():
        return None
    else:
        match = _DOLLAR.match(source, start)
    return (match[1], match.end()) if match else None


def _brackets(source: str, start: int) -> tuple[str, int] | None:
    closer = "\\)" if source[start + 1] == "(" else "\\]"
    end = source.find(closer, start + 2, start + tex.LONGEST)
    return (source[start + 2 : end], end + 2) if end > 0 else None


def _block(state: StateBlock, line: int, last: int, silent: bool) -> bool:  # noqa: FBT001
    begin = state.bMarks[line] + state.tShift[line]
    match = _OPENER.match(state.src, begin, state.eMarks[line])
    if match is None or state.sCount[line] - state.blkIndent >= 4:
        return False
    closer = {"$$": "$$", "\\[": "\\]"}.get(match[0], f"\\end{{{match[1]}{match[2]}}}")
    found = state.src.find(closer, match.end(), match.end() + tex.LONGEST)
    stop = line + state.src.count("\n", begin, max(begin, found))
    if found < 0 or stop >= last or state.src[found + len(closer) : state.eMarks[stop]].strip():
        return False  # where words follow on its line, the paragraph's own rule reads it
    inside = range(line + 1, stop + 1)
    if any(state.isEmpty(at) or state.sCount[at] < state.blkIndent for at in inside):
        return False
    if not silent:
        token = state.push("math", "", 0)
        token.block, token.map, token.markup = True, [line, stop + 1], match[0]
        token.info = state.getLines(line, stop + 1, state.blkIndent, keepLastLF=False).strip()
        token.content = token.info if match[1] else token.info[2:-2]
        state.line = stop + 1
    return True
