"""Hostile model text in a real JupyterLab and in nbconvert's page does nothing at all."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.faults import figures
from tests.notebook.hostile import HOSTILE
from tests.ui.browser import scripts_run

pytestmark = pytest.mark.browser

SHOW = """
from tests.notebook.hostile import HOSTILE
from alcf_jupyter.notebook.cells.display import AnswerDisplay

for text in HOSTILE:
    AnswerDisplay(live=False).finish(text, text, reasoning=text, note=text)
"""
STREAM = """
from tests.notebook.hostile import HOSTILE
from alcf_jupyter.notebook.cells.display import AnswerDisplay

for text in HOSTILE:
    display = AnswerDisplay(live=True)
    display.status(text)
    display.piece("", text)
    display.piece(text)
    display.fail(text)
"""
SHADOW = """
from IPython.display import HTML, display
from tests.notebook.hostile import HOSTILE
from alcf_jupyter.plain import escape_line

for text in HOSTILE:
    display(HTML(f"<b>{escape_line(text)}</b>"))
"""
# Everything in the outputs that the renderer and MathJax do not make.
FOREIGN = r"""root => {
  const listed = new Set(`A BLOCKQUOTE BR CODE DETAILS SUMMARY DIV EM H1 H2 H3 H4 H5 H6 HR LI OL P
    PRE S SPAN STRONG B TABLE TBODY TD TH THEAD TR UL`.split(/\s+/));
  const found = [];
  for (const element of root.querySelectorAll('.jp-OutputArea-output *')) {
    if (element.closest('mjx-container')) {
      if (element.closest('a') && element.closest('mjx-container a')) found.push(element.outerHTML);
      if (element.id) found.push(element.outerHTML);
      continue;
    }
    if (!listed.has(element.tagName)) found.push(element.outerHTML.slice(0, 200));
    for (const {name, value} of element.attributes) {
      const link = element.tagName === 'A' && ['href', 'rel', 'target'].includes(name);
      const plain = ['role', 'start', 'open'].includes(name)
        || value === 'numbering-entry';  // JupyterLab's own, for its table of contents
      const style = name === 'style' && /^[-a-z0-9:.; ]*$/.test(value) && !/posit|url/.test(value);
      if (!link && !plain && !style) found.push(`${name}=${value}`);
    }
  }
  for (const link of root.querySelectorAll('.jp-OutputArea-output a')) {
    if (!/^(https?|mailto):/.test(link.href || 'mailto:')) found.push(link.outerHTML);
    if (link.target !== '_blank' || !/noopener/.test(link.rel)) found.push(link.outerHTML);
  }
  return found;
}"""
# What a reader may do by accident: point at things, open them, focus them.
PROVOKE = """root => {
  for (const details of root.querySelectorAll('details')) details.open = true;
  for (const element of root.querySelectorAll('.jp-OutputArea-output *')) {
    for (const kind of ['mouseover', 'mouseenter', 'pointerrawupdate', 'focus', 'animationstart'])
      element.dispatchEvent(new Event(kind, {bubbles: true}));
  }
}"""


@pytest.mark.parametrize(
    "source", [SHOW, STREAM, SHADOW], ids=["final", "streamed", "server string"]
)
def test_nothing_runs_and_nothing_is_fetched_in_jupyterlab(notebook, record, source, request):
    notebook.open([source])
    outputs = notebook.run(timeout=120)
    assert len(outputs) == len(HOSTILE)
    notebook.output().evaluate(PROVOKE)
    notebook.settle(3)
    assert notebook.output().evaluate(FOREIGN) == []
    assert scripts_run(notebook.page) == 0
    assert record.quiet, record
    how = request.node.callspec.id
    figures.record(f"hostile text in JupyterLab, {how}", tried=len(HOSTILE))


def test_a_saved_notebook_of_another_is_as_harmless(notebook, record):
    notebook.open([SHOW])
    notebook.run(timeout=120)
    notebook.save()
    record.outside.clear()
    notebook.reopen()
    notebook.output().locator(".jp-OutputArea-output").nth(len(HOSTILE) - 1).wait_for()
    notebook.typeset(0)
    notebook.settle(3)
    assert notebook.output().locator(".jp-OutputArea-output").count() == len(HOSTILE)
    notebook.output().evaluate(PROVOKE)
    notebook.settle(1)
    assert notebook.output().locator("mjx-container a").count() == 0
    assert scripts_run(notebook.page) == 0
    assert record.quiet, record


@pytest.fixture
def exported(lab, context):
    """Execute notebooks with nbconvert, and return what opens the page it made of one."""

    def export(**sources):
        paths = [lab.write(f"{name}.ipynb", cells) for name, cells in sources.items()]
        command = [sys.executable, "-m", "nbconvert", "--execute", "--to", "html", *map(str, paths)]
        subprocess.run(command, check=True, capture_output=True, timeout=180)

        def show(name):
            page = context.new_page()
            page.goto(paths[0].with_name(f"{name}.html").as_uri())
            page.wait_for_timeout(1000)
            return page

        return show

    return export


def test_nothing_runs_and_nothing_is_fetched_in_nbconverts_page(exported, record):
    show = exported(empty=[], hostile=[SHOW])
    record.outside.clear()
    show("empty")
    of_the_template = set(record.outside)
    page = show("hostile")
    page.evaluate(f"({PROVOKE})(document)")
    page.wait_for_timeout(2000)
    assert page.locator(".jp-OutputArea-output").count() == len(HOSTILE)
    assert page.evaluate(f"({FOREIGN})(document)") == []
    assert scripts_run(page) == 0
    assert set(record.outside) <= of_the_template
    assert not record.dialogs
    assert not record.popups
    figures.record("hostile text in nbconvert's page", tried=len(HOSTILE))


def test_the_canary_would_be_seen(notebook, record):
    """Show that the tests above see what they look for."""
    image = '<img src="https://evil.invalid/a.png" onerror="window.__pwned=1">'
    notebook.open([f"from IPython.display import HTML\nHTML({image!r})"])
    notebook.run()
    notebook.page.wait_for_function("window.__pwned === 1")
    assert scripts_run(notebook.page) == 1
    assert set(record.outside) == {"https://evil.invalid/a.png"}
    assert notebook.output().evaluate(FOREIGN)
    notebook.page.close()  # the canary ran in it
