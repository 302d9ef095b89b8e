"""How an answer looks while it streams into a real JupyterLab, and when it is there."""

from __future__ import annotations

import itertools

import pytest

pytestmark = pytest.mark.browser

STREAM = """
import time
from pathlib import Path
from alcf_jupyter.notebook.cells.display import AnswerDisplay
from tests.notebook.test_growing import LONG

def until_seen(stage):
    while not Path(stage).exists():
        display.tick()
        time.sleep(0.02)

display = AnswerDisplay(live=True)
display.status("Queued · 1m 20s · estimated start in 5 minutes")
until_seen("seen-status")
for _ in range(30):
    display.piece("", "The question is what the mean of the energies is, so first of all ")
    time.sleep(0.02)
until_seen("seen-reasoning")
for start in range(0, 6000, 10):
    display.piece(LONG[start:start + 10])
    time.sleep(0.01)
display.finish(LONG[:6000], "gpt-oss-120b @ sophia · 24 in / 1,350 out", reasoning="So **it** is.")
"""
# One row per drawn frame: time, height, typeset formulas, formulas still in their delimiters.
SAMPLE = r"""() => {
  window.__frames = [];
  const sample = () => {
    const output = document.querySelector('.jp-Cell-outputArea .jp-OutputArea-output');
    if (output) {
      const words = document.createTreeWalker(output, NodeFilter.SHOW_TEXT);
      let raw = 0;
      while (words.nextNode())
        raw += /\\[(\[]/.test(words.currentNode.data);
      const typeset = output.querySelectorAll('mjx-container').length;
      const text = output.innerText.length;
      window.__frames.push([performance.now(), output.offsetHeight, typeset, raw, text]);
    }
    requestAnimationFrame(sample);
  };
  sample();
}"""


def test_a_stream_neither_flickers_nor_jumps(notebook, lab, record, pictures):
    notebook.open([STREAM, "1 + 1"])
    notebook.page.evaluate(SAMPLE)
    run = notebook.start(0)
    notebook.output().get_by_text("Queued · 1m 20s").first.wait_for()
    assert notebook.output().locator("[role=status]").count() == 1
    notebook.picture(pictures, "stream-status")
    (lab.folder / "seen-status").touch()
    notebook.output().get_by_text("first of all").first.wait_for()
    notebook.picture(pictures, "stream-reasoning")
    (lab.folder / "seen-reasoning").touch()
    notebook.output().get_by_text("Heading 2").first.wait_for()
    notebook.picture(pictures, "stream-answer")
    notebook.wait(run)
    frames = notebook.page.evaluate("window.__frames")
    [output] = notebook.outputs()
    assert output["data"]["text/plain"].endswith("1,350 out")
    # The answer takes the reasoning's place once, and the footer the status line's; nothing else
    # may make the output lower, and it is never empty.
    lower = [a[1] - b[1] for a, b in itertools.pairwise(frames) if b[1] < a[1]]
    assert len(lower) <= 3
    assert min(height for _, height, *_ in frames) > 0
    assert not any(raw for _, _, typeset, raw, _ in frames if typeset)
    assert record.quiet
    assert record.errors == []
    notebook.page.evaluate("document.querySelector('.jp-OutputArea-output').scrollIntoView()")
    notebook.pictures(pictures, "stream-final")


SHOW = """
from alcf_jupyter.notebook.cells.display import AnswerDisplay

def show(*args, **options):
    AnswerDisplay(live=True).finish(*args, **options)

show("A short answer with `code` and a [link](https://www.anl.gov).", "m @ c · 3 in / 9 out")
show("It ends in the mid", "m @ c · 3 in / 9 out", note="Incomplete: the stream ended early")
show("Plain  *text*, $x$", "footer", fmt="text")
show('```json\\n{"name": "x", "age": 3}\\n```', "footer", fmt="json")
show("", "footer", note="Not answered: the model gave no text")
show("So it is.", "footer", reasoning="First **this**.\\n\\n- then\\n- that")
show("> quoted\\n\\n| left | right | center |\\n|:--|--:|:-:|\\n| a | 1 | b |\\n| c | 22 | d |", "")
show("```python\\nx = 'a line of code that is so long that it does not fit ' + 'into the width "
     "of the cell, not even of a wide one'\\n```", "footer")
"""


def test_the_parts_of_an_answer(notebook, pictures):
    notebook.open([SHOW])
    assert len(notebook.run()) == 8
    notebook.output().get_by_text("Reasoning").click()
    notebook.settle()
    assert notebook.output().get_by_text("Incomplete: the stream ended early").is_visible()
    assert notebook.output().get_by_text("then", exact=True).is_visible()
    # Every text is as visible in either theme as JupyterLab's own.
    script = "e => getComputedStyle(e).color === getComputedStyle(e.parentElement).color"
    assert notebook.output().locator("[role=note]").first.evaluate(script)
    notebook.pictures(pictures, "parts", notebook.output())
