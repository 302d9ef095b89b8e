"""Stored outputs are the same bytes every time, and a difference is found and named."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from tools.notebooks import WIDGET, frozen, numbered, tidy

ROOT = Path(__file__).resolve().parents[2]

STREAMED = """\
import time, uuid
from IPython.display import display, update_display

def frame(text):
    return {"text/plain": text}, {"alcf": {"model": "m", "timing": {"total": time.time()}}}

data, metadata = frame("first")
display(data, raw=True, display_id="answer", metadata=metadata)
for n in range(3):
    data, metadata = frame(f"frame {n}, {uuid.uuid4().hex}")
    update_display(data, raw=True, display_id="answer", metadata=metadata)
"""
CELLS = [STREAMED, "object()", "6 * 7", "Out[3]", "'not shown';"]


def written(path, *sources):
    cells = [v4.new_code_cell(source, id=f"c{n}") for n, source in enumerate(sources)]
    nbformat.write(v4.new_notebook(cells=cells), path)
    return path


@pytest.fixture(scope="module")
def stored_once(tmp_path_factory):
    """A notebook whose outputs the tool has stored."""
    notebook = written(tmp_path_factory.mktemp("stored") / "tutorial.ipynb", *CELLS)
    assert run("-m", "tools.notebooks", notebook).returncode == 0
    return notebook.read_bytes()


@pytest.fixture
def notebook(tmp_path, stored_once):
    path = tmp_path / "tutorial.ipynb"
    path.write_bytes(stored_once)
    return path


def run(*arguments):
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_rerun_stores_the_same_bytes_and_a_check_passes(notebook):
    first = notebook.read_bytes()
    again = run("-m", "tools.notebooks", notebook)
    assert "unchanged" in again.stdout
    assert again.stderr == ""  # a kernel that outlives its run says so
    assert notebook.read_bytes() == first
    assert run("-m", "tools.notebooks", "--check", notebook).returncode == 0

    stored = nbformat.read(notebook, as_version=4)
    assert stored.cells[0].outputs == [
        {
            "output_type": "display_data",
            "data": {"text/plain": f"frame 2, {1:032d}"},
            "metadata": {"alcf": {"model": "m", "timing": {"total": 0.0}}},
        }
    ]
    assert stored.cells[3].outputs[0]["data"]["text/plain"] == "42"
    assert stored.cells[4].outputs == []
    assert [cell.id for cell in stored.cells] == ["c0", "c1", "c2", "c3", "c4"]
    assert set(stored.metadata) == {"kernelspec", "language_info"}


def test_a_check_shows_the_difference_and_what_to_type_and_changes_nothing(notebook):
    text = notebook.read_text().replace('"42"', '"41"')
    notebook.write_text(text)
    check = run("-m", "tools.notebooks", "--check", notebook)
    assert check.returncode == 1
    assert '-       "41"' in check.stdout
    assert '+       "42"' in check.stdout
    assert "make notebooks" in check.stdout
    assert notebook.read_text() == text


def test_what_cannot_be_stored_is_named_and_left_alone(tmp_path):
    failing = written(tmp_path / "failing.ipynb", "1 / 0")
    telling = written(tmp_path / "telling.ipynb", "import os; os.getcwd()")
    before = failing.read_bytes(), telling.read_bytes()
    failed = run("-m", "tools.notebooks", failing, telling)
    assert failed.returncode == 1
    first, second = failed.stderr.split("telling.ipynb: failed")
    assert first.startswith("failing.ipynb: failed")
    assert "ZeroDivisionError" in first
    assert f"An output names a folder of this machine: {tmp_path}" in second
    assert (failing.read_bytes(), telling.read_bytes()) == before


@pytest.mark.parametrize(("stored", "code"), [("frame 2", 0), ("frame 1", 1)])
def test_nbval_compares_the_last_frame_of_a_stream_and_keeps_history(notebook, stored, code):
    notebook.write_text(notebook.read_text().replace("frame 2,", f"{stored},"))
    for name in ("conftest.py", "sanitize.cfg"):
        (notebook.parent / name).write_bytes((ROOT / "notebooks" / name).read_bytes())
    result = run(
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval", "--nbval-current-env"),
        f"--nbval-sanitize-with={notebook.parent / 'sanitize.cfg'}",
        f"--rootdir={notebook.parent}",
        *("-c", "/dev/null", notebook),
    )
    assert result.returncode == code, result.stdout
    assert ("5 passed" if code == 0 else "1 failed, 4 passed") in result.stdout


def test_ids_are_numbered_by_first_appearance_in_their_own_shape():
    seen = {}
    one, two = "c0ffee00-1111-4222-8333-444455556666", "0123456789abcdef0123456789abcdef"
    assert numbered([f"{one} {two}", {"again": one}, "<object at 0x7f12ab34cd56>"], seen) == [
        f"00000000-0000-0000-0000-000000000001 {2:032d}",
        {"again": "00000000-0000-0000-0000-000000000001"},
        "<object at 0x000000000003>",
    ]


@pytest.mark.parametrize("text", ["0x12", "sha256: " + "ab" * 32, "1,204 in / 310 out", "deadbeef"])
def test_what_is_not_random_stays(text):
    assert numbered(text, {}) == text
    assert numbered({"image/png": "0123456789abcdef" * 2}, {}) == {
        "image/png": "0123456789abcdef" * 2
    }


def test_times_timings_and_versions_of_the_provenance_are_constants():
    provenance = {
        "model": "m",
        "started_at": "2026-11-21T10:00:00+00:00",
        "timing": {"total": 6.1, "waited": None},
        "versions": {"alcf_jupyter": "0.1.0"},
        "usage": {"prompt_tokens": 7},
        "complete": True,
    }
    assert frozen(provenance) == {
        "model": "m",
        "started_at": "1970-01-01T00:00:00+00:00",
        "timing": {"total": 0.0, "waited": None},
        "versions": {"alcf_jupyter": "0"},
        "usage": {"prompt_tokens": 7},
        "complete": True,
    }


def test_widget_views_go_where_something_else_is_shown_and_cell_metadata_too():
    view = {"model_id": "0" * 32}
    outputs = [
        v4.new_output("display_data", {WIDGET: view, "text/html": "<p>shadow</p>"}),
        v4.new_output("display_data", {WIDGET: view}),
    ]
    cell = v4.new_code_cell(
        "", id="c0", outputs=outputs, metadata={"tags": ["x"], "execution": {"t": "now"}}
    )
    notebook = tidy(v4.new_notebook(cells=[cell], metadata={"widgets": {"state": {}}}))
    assert [set(output.data) for output in notebook.cells[0].outputs] == [{"text/html"}, {WIDGET}]
    assert notebook.cells[0].metadata == {"tags": ["x"]}
    assert "widgets" not in notebook.metadata
