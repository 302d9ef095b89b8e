"""The one output of a chat cell."""

from __future__ import annotations

import itertools
import subprocess
import sys

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient
from traitlets.config import Config

from alcf_jupyter.notebook.cells.display import AnswerDisplay
from alcf_jupyter.notebook.rendering.bundle import answer_bundle
from tests.kernels import by_files


class Publisher:
    """Keeps what would go to the front-end."""

    def __init__(self):
        self.messages = []

    def publish(self, data, metadata=None, *, transient=None, update=False):
        self.messages.append((data, metadata, transient or {}, update))

    @property
    def html(self):
        return [data["text/html"] for data, *_ in self.messages]


@pytest.fixture
def published(monkeypatch):
    publisher = Publisher()
    monkeypatch.setattr(InteractiveShell.instance(), "display_pub", publisher)
    yield publisher
    InteractiveShell.clear_instance()


class Clock:
    """A clock that is moved by hand."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_status_then_answer_then_footer_are_one_output(published, clock):
    display = AnswerDisplay(live=True, clock=clock)
    display.status("Queued · 1m 20s <b>$x$")
    clock.now += 1
    display.piece("The *ans")
    clock.now += 1
    display.piece("wer*")
    clock.now += 1
    display.finish("The *answer*", "m @ sophia · 2 out", metadata={"model": "m"})
    updates = [update for *_, update in published.messages]
    assert updates == [False, True, True, True]
    assert len({transient["display_id"] for _, _, transient, _ in published.messages}) == 1
    quiet = 'style="opacity:.75;font-size:.9em"'
    escaped = "Queued · 1m 20s &lt;b&gt;<span>$</span>x<span>$</span>"
    assert published.html[0] == f'<div role="status" {quiet}>{escaped}</div>'
    assert published.html[1] == (f'<p>The *ans</p>\n<div role="status" {quiet}>Answering</div>')
    assert published.messages[1][0]["text/plain"] == "Answering"
    data, metadata, *_ = published.messages[-1]
    assert data == answer_bundle("The *answer*", "m @ sophia · 2 out")
    assert metadata == {"alcf": {"model": "m"}}


def test_headless_is_exactly_one_output_without_an_id(published, clock):
    display = AnswerDisplay(live=False, clock=clock)
    display.status("Queued")
    for _ in range(50):
        clock.now += 0.1
        display.piece("word ", "thought ")
        display.tick()
    assert published.messages == []
    display.finish(display.text, "foot", reasoning=display.reasoning, metadata={"a": 1})
    assert published.messages == [
        (
            answer_bundle("word " * 50, "foot", reasoning="thought " * 50),
            {"alcf": {"a": 1}},
            {},
            False,
        )
    ]


@pytest.mark.parametrize(
    ("pieces_per_second", "tick"), [(100, 0.1), (1000, 0.1), (4, 0.1), (3, 0.05)]
)
def test_updates_are_spaced_and_no_gap_is_over_300_ms(published, clock, pieces_per_second, tick):
    display = AnswerDisplay(live=True, clock=clock)
    emitted, next_piece, next_tick = [], 0.0, 0.0
    start, seen = clock.now, 0
    for _ in range(10_000):
        now = clock.now - start
        if now >= next_piece:
            next_piece += 1 / pieces_per_second
            display.piece("word and more ")
        if now >= next_tick:
            next_tick += tick
            display.tick()
        if len(published.messages) > seen:
            seen = len(published.messages)
            emitted.append(now)
        clock.now += 0.001
    gaps = [b - a for a, b in itertools.pairwise(emitted)]
    assert max(gaps) <= max(0.3, 1 / pieces_per_second + tick)
    assert min(gaps) >= 0.099
    assert len(emitted) <= 10 / 0.2


def test_the_last_piece_is_shown_by_a_tick(published, clock):
    display = AnswerDisplay(live=True, clock=clock)
    display.piece("a")
    display.piece("b")
    assert published.html[-1].startswith("<p>a</p>")
    for _ in range(3):
        clock.now += 0.1
        display.tick()
    assert published.html[-1].startswith("<p>ab</p>")
    seen = len(published.messages)
    clock.now += 10
    display.tick()
    display.piece("")
    assert len(published.messages) == seen


def test_a_status_that_says_the_same_is_not_sent_again(published, clock):
    display = AnswerDisplay(live=True, clock=clock)
    for words in ("Queued", "Queued", "Starting"):
        display.status(words)
        clock.now += 1
    assert len(published.messages) == 2


def test_reasoning_is_seen_from_its_end_and_then_makes_way(published, clock):
    display = AnswerDisplay(live=True, clock=clock)
    display.piece("", "x" * 5000 + "<b>so")
    assert "&lt;b&gt;so" in published.html[-1]
    assert len(published.html[-1]) < 1000
    assert "Reasoning" in published.html[-1]
    clock.now += 1
    display.piece("answer")
    assert "so" not in published.html[-1]


def test_quiet_leaves_out_status_and_footer_but_not_the_note(published, clock):
    display = AnswerDisplay(live=True, quiet=True, clock=clock)
    display.status("Queued")
    assert published.messages == []
    display.piece("a")
    assert published.html == ["<p>a</p>\n"]
    display.finish("a", "foot", note="Incomplete: it ended")
    assert "Incomplete" in published.html[-1]
    assert "foot" not in published.html[-1]


@pytest.mark.parametrize("fmt", ["text", "code", "json"])
def test_other_formats_stream_as_plain_text(published, clock, fmt):
    display = AnswerDisplay(live=True, fmt=fmt, clock=clock)
    display.piece("*a* <b>")
    assert "\n*a* &lt;b&gt;</pre>" in published.html[0]
    display.finish("*a* <b>", "")
    assert published.messages[-1][0] == answer_bundle("*a* <b>", fmt=fmt)


def test_a_failure_keeps_and_marks_what_had_arrived(published, clock):
    display = AnswerDisplay(live=True, clock=clock)
    display.piece("half an", "because")
    display.fail("Incomplete: interrupted")
    data, *_ = published.messages[-1]
    assert data == answer_bundle("half an", note="Incomplete: interrupted", reasoning="because")


def test_a_failure_replaces_the_status_that_was_shown(published, clock):
    display = AnswerDisplay(live=True, clock=clock)
    display.status("Queued")
    display.fail("Not answered: the model is offline")
    assert published.messages[-1][0]["text/plain"] == "Not answered: the model is offline"


@pytest.mark.parametrize("live", [True, False])
def test_a_failure_before_anything_was_shown_leaves_it_to_the_error(published, clock, live):
    AnswerDisplay(live=live, clock=clock).fail("Not answered")
    assert published.messages == []


def test_a_saved_cell_holds_one_output_with_the_whole_answer():
    code = """
from alcf_jupyter.notebook.cells.display import AnswerDisplay
display = AnswerDisplay(live=True)
display.status("Queued")
for _ in range(200):
    display.piece("word ")
display.finish("word " * 200, "foot", metadata={"model": "m"})
"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    config = Config(KernelManager=by_files())
    NotebookClient(notebook, timeout=60, kernel_name="python3", config=config).execute()
    [output] = notebook.cells[0].outputs
    assert output["data"] == answer_bundle("word " * 200, "foot")
    assert output["metadata"] == {"alcf": {"model": "m"}}


def test_importing_it_brings_in_neither_the_parser_nor_the_sanitizer():
    code = (
        "import sys, alcf_jupyter.notebook.cells.display;"
        "heavy = {'markdown_it', 'nh3', 'IPython', 'httpx', 'pandas'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
