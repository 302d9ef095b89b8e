"""What a stored tutorial may hold, so that it reads well on GitHub and reruns to the same."""

import re
from pathlib import Path

import nbformat
import pytest

from tools.notebooks import METADATA, WIDGET

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


NAMES = [
    "01_first_prompt",
    "02_models_and_queue",
    "03_chat_in_full",
    "04_columns_and_embeddings",
    "05_batches",
    "06_explore",
    "07_when_things_go_wrong",
    "08_recipes",
]
# a date with its time, an hour with its minutes and seconds, seconds with their parts
CLOCK = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:|\b\d\d:\d\d:\d\d\b|\b\d+\.\d+ m?s\b")


def test_there_are_tutorials():
    assert [path.stem for path in NOTEBOOKS] == NAMES


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_no_output_holds_a_clock_or_a_widget(path):
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {"text/plain": output.get("text", output.get("evalue"))})
            assert WIDGET not in data
            for kind, shown in data.items():
                if kind.startswith("text/"):
                    assert not CLOCK.search(shown), cell.source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_metadata_is_the_kernel_and_the_language_only(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata == METADATA
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_every_cell_has_run_once_in_order(path):
    cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert any(cell.outputs for cell in cells)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_errors_are_only_where_they_are_announced(path):
    for cell in nbformat.read(path, as_version=4).cells:
        failed = any(o.output_type == "error" for o in cell.get("outputs", ()))
        assert failed == ("raises-exception" in cell.metadata.get("tags", [])), cell.source


def test_the_sanitize_file_is_ascii_and_each_pattern_has_its_replacement():
    lines = (FOLDER / "sanitize.cfg").read_bytes().decode("ascii").splitlines()
    kinds = [line.split(":")[0] for line in lines if line.startswith(("regex:", "replace:"))]
    assert kinds == ["regex", "replace"] * (len(kinds) // 2)
    assert kinds
