"""The chat and embed cells as a person meets them in a real JupyterLab."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.ui.browser import scripts_run

pytestmark = pytest.mark.browser

DATA = Path(__file__).resolve().parents[2] / "notebooks" / "data"
SUMMARIZE = """%%alcf_chat -m sandbox/summary
Summarize this text in two sentences.

{{open("data/light_source.txt").read()}}"""
SET_UP = "%load_ext alcf_jupyter\n%alcf connect sandbox\n%alcf use --embed sandbox/embed"


def test_a_first_prompt(notebook, lab, record, pictures):
    shutil.copytree(DATA, lab.folder / "data", dirs_exist_ok=True)
    notebook.open(
        [
            SET_UP,
            SUMMARIZE,
            "%%alcf_embed\nX-rays from a storage ring\nRain in a warmer climate",
        ],
    )
    notebook.run(0)
    (answer,) = notebook.run(1)
    assert "storage ring" in answer["data"]["text/html"]
    assert "sandbox/summary @ sophia · local sandbox" in notebook.output(1).inner_text()
    footer, table = notebook.run(2)
    assert "2 of 2 texts" in footer["data"]["text/plain"]
    assert "<th>embedding</th>" in table["data"]["text/html"]
    assert record.quiet
    notebook.pictures(pictures, "first-prompt", notebook.page.locator(".jp-WindowedPanel-inner"))


def test_an_answer_streams_into_one_saved_output(notebook, pictures):
    prompt = "word " * 60
    notebook.open([SET_UP, f"%%alcf_chat -m sandbox/slow\n{prompt}"])
    notebook.run(0)
    run = notebook.start(1)
    notebook.page.wait_for_function(
        "() => document.querySelector('.jp-Notebook')?.innerText.includes('Answering')",
        timeout=20_000,
    )
    early = len(notebook.output(1).inner_text())
    notebook.pictures(pictures, "streaming", notebook.cell(1))
    notebook.wait(run)
    assert len(notebook.output(1).inner_text()) > early
    notebook.save()
    notebook.reopen()
    (saved,) = notebook.outputs(1)
    assert saved["output_type"] == "display_data"
    assert saved["data"]["text/html"].count("word") == 60
    assert saved["metadata"]["alcf"]["complete"] is True


def test_a_cold_model_shows_its_states_and_then_answers(notebook, pictures):
    notebook.open([SET_UP, "%%alcf_chat -m sandbox/cold\nHello"])
    notebook.run(0)
    run = notebook.start(1)
    for state in ("Offline", "Queued", "Starting"):
        notebook.output(1).get_by_text(state).wait_for(timeout=20_000)
        notebook.pictures(pictures, f"cold-{state.lower()}", notebook.cell(1))
    notebook.wait(run)
    assert "Offline → Queued → Starting → Live" in notebook.output(1).inner_text()


def test_errors_are_short(notebook, pictures):
    notebook.open(
        [
            SET_UP,
            "%%alcf_chat -m sandbox/ecko\nHello",
            "%%alcf_chat -m sandbox/stream-error\nTell me about storage rings.",
        ]
    )
    notebook.run(0)
    (error,) = notebook.run(1)
    assert error["output_type"] == "error"
    assert "-m sandbox/echo" in notebook.output(1).inner_text()
    shown, error = notebook.run(2)
    assert "Incomplete" in shown["data"]["text/plain"]
    assert error["output_type"] == "error"
    notebook.pictures(pictures, "errors")


def test_an_interrupt_keeps_what_came(notebook):
    notebook.open([SET_UP, f"%%alcf_chat -m sandbox/slow\n{'word ' * 200}"])
    notebook.run(0)
    run = notebook.start(1)
    notebook.output(1).get_by_text("Answering").wait_for(timeout=20_000)
    notebook.page.evaluate("void window.jupyterapp.commands.execute('notebook:interrupt-kernel')")
    notebook.wait(run, timeout=5)
    assert "Incomplete: interrupted" in notebook.output(1).inner_text()


def test_hostile_answers_are_inert(notebook, record):
    notebook.open([SET_UP, "%%alcf_chat -m sandbox/hostile\nHello"])
    notebook.run(0)
    notebook.run(1)
    notebook.settle()
    assert scripts_run(notebook.page) == 0
    assert record.quiet
