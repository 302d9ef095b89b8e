"""The chat and embed cells as a person meets them in a real JupyterLab."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.controlled import Controlled
from tests.ui.browser import scripts_run

pytestmark = pytest.mark.browser

DATA = Path(__file__).resolve().parents[2] / "notebooks" / "data"
SUMMARIZE = """%%alcf_chat -m sandbox/summary
Summarize this text in two sentences.

{{open("data/light_source.txt").read()}}"""
WHERE = """from alcf_jupyter.connection import standin
print(standin.start().url, standin.secret_of(standin.start()))"""
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
    notebook.keep(1)
    run = notebook.start(1)
    early = notebook.wait_for_kept("Answering")
    notebook.pictures(pictures, "streaming", notebook.cell(1))
    notebook.wait(run)
    assert len(notebook.output(1).inner_text()) > len(early)
    notebook.save()
    notebook.reopen()
    (saved,) = notebook.outputs(1)
    assert saved["output_type"] == "display_data"
    assert saved["data"]["text/html"].count("word") == 60
    assert saved["metadata"]["alcf"]["complete"] is True


def test_a_cold_model_shows_its_states_and_then_answers(notebook, pictures):
    notebook.open([SET_UP, "%%alcf_chat -m sandbox/cold\nHello", WHERE])
    notebook.run(0)
    url, secret = notebook.run(2)[0]["text"].split()
    service, told = Controlled({"url": url, "secret": secret}), {"model": "sandbox/cold"}
    service.control("POST", "/state", told | {"queue_seconds": 86_400, "load_seconds": 86_400})
    notebook.keep(1)
    run = notebook.start(1)
    # it stays in each state until that was seen
    for state, ends in (("Offline", ""), ("Queued", "queue_seconds"), ("Starting", "load_seconds")):
        notebook.wait_for_kept(state)
        notebook.pictures(pictures, f"cold-{state.lower()}", notebook.cell(1))
        if ends:
            service.control("POST", "/state", told | {ends: 0})
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
    notebook.open([SET_UP, f"%%alcf_chat -m sandbox/slow\n{'word ' * 4000}"])
    notebook.run(0)
    run = notebook.start(1)
    notebook.output(1).get_by_text("Answering").wait_for()
    notebook.page.evaluate("void window.jupyterapp.commands.execute('notebook:interrupt-kernel')")
    notebook.wait(run)  # long before the answer's end
    assert "Incomplete: interrupted" in notebook.output(1).inner_text()


def test_hostile_answers_are_inert(notebook, record):
    notebook.open([SET_UP, "%%alcf_chat -m sandbox/hostile\nHello"])
    notebook.run(0)
    notebook.run(1)
    notebook.settle()
    assert scripts_run(notebook.page) == 0
    assert record.quiet
