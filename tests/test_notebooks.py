"""What a stored tutorial may hold, so that it reads well on GitHub and reruns to the same."""

from pathlib import Path

import nbformat
import pytest

from tools.notebooks import METADATA

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def test_there_are_tutorials():
    assert [path.name for path in NOTEBOOKS if path.name[:2] == "01"] == ["01_first_prompt.ipynb"]


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
