"""Formulas are typeset in a real JupyterLab, prices and paths are not."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser

SHOW = """
from alcf_jupyter.notebook.cells.display import AnswerDisplay
for text in {texts!r}:
    AnswerDisplay(live=False).finish(text, text, note=text)
"""
# How many formulas each paragraph of the answers holds, and how it reads.
FOUND = """root => [...root.querySelectorAll('.jp-OutputArea-output')].map(output => ({
  math: output.querySelectorAll(':scope > :not(div, [role]) mjx-container').length,
  elsewhere: output.querySelectorAll(':scope > :is(div, [role]) mjx-container').length,
  errors: output.querySelectorAll('mjx-merror, mjx-container a').length,
  text: output.querySelector('p, pre, table, ul')?.innerText.trim(),
}))"""
LAST = """[...document.querySelectorAll('.jp-NotebookPanel:not(.lm-mod-hidden)'
  + ' .jp-OutputArea-output')].at(-1)?.querySelector('mjx-container')"""
MATH = {
    "so $E=mc^2$ and \\(a<b\\)": 2,
    "so $$E=mc^2$$ and \\[ a < b \\]": 2,
    "$$\n\\begin{aligned} a &= b \\\\ c &= d \\end{aligned}\n$$": 1,
    "\\[\na\n+ b\n= c\n\\]": 1,
    "\\begin{align}\nx &= 1 \\tag{3} \\\\ y &= 2 \\label{eq:y}\n\\end{align}": 1,
    "| $x$ | \\(y\\) |\n|--|--|\n| $z$ | 1 |": 3,
    "- item $x$\n- item\n  \\[\n  y\n  \\]": 2,
    "\\(\\ce{2H2 + O2 -> 2H2O}\\) and $\\braket{\\psi|\\phi}$": 2,
}
WORDS = {
    "costs $5 and $6": "costs $5 and $6",
    "from $5-$6 to $7/$8, US$9": "from $5-$6 to $7/$8, US$9",
    "a $ x $ and \\$y\\$ and &#36;z&#36;": "a $ x $ and $y$ and $z$",
    "in C:\\\\new\\dir \\\\(x\\\\)": "in C:\\new\\dir \\(x\\)",
    "\\ref{a} \\eqref{b} \\begin{x}y\\end{x}": "\\ref{a} \\eqref{b} \\begin{x}y\\end{x}",
    "&#92;(x&#92;) and &bsol;[y&bsol;]": "\\(x\\) and \\[y\\]",
    "`$x$` and `\\(y\\)`": "$x$ and \\(y\\)",
    "```\n$x$ \\(y\\)\n```": "$x$ \\(y\\)",
    "$\\href{https://a.b}{c}$": "$\\href{https://a.b}{c}$",
    "$\\unknown x$": "$\\unknown x$",
}


def test_formulas_are_typeset(notebook, pictures):
    # the one at the end is typeset last, also where MathJax takes its time to load
    notebook.open([SHOW.format(texts=[*MATH, "$x$"])])
    notebook.run()
    notebook.page.wait_for_function(LAST)
    *found, _ = notebook.output().evaluate(FOUND)
    assert dict(zip(MATH, [f["math"] for f in found], strict=True)) == MATH
    assert [f for f in found if f["errors"] or f["elsewhere"]] == []
    assert notebook.output().locator("mjx-container [id]").count() == 0
    notebook.pictures(pictures, "math", notebook.cell())


def test_prices_paths_and_other_dollars_are_not(notebook):
    # A formula at the end shows that the typesetter has passed over all of them.
    notebook.open([SHOW.format(texts=[*WORDS, "$x$"])])
    notebook.run()
    notebook.page.wait_for_function(LAST)
    *found, last = notebook.output().evaluate(FOUND)
    assert last["math"] == 1
    assert dict(zip(WORDS, [f["text"] for f in found], strict=True)) == WORDS
    assert [f for f in found if f["math"] or f["elsewhere"] or f["errors"]] == []
