"""The tutorials are copied whole, and nothing of the user's is overwritten."""

import subprocess
import sys
from pathlib import Path

import pytest

from alcf_jupyter.cli import main, tutorials

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A made-up set of tutorials beside a made-up package."""
    monkeypatch.setattr(tutorials, "__file__", str(tmp_path / "lib/alcf_jupyter/cli/tutorials.py"))
    folder = tmp_path / "lib/alcf_jupyter/notebooks"
    (folder / "data").mkdir(parents=True)
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / "__pycache__").mkdir()
    for name, text in {
        "01_one.ipynb": "one",
        "data/words.txt": "words",
        "conftest.py": "tests",
        "sanitize.cfg": "tests",
        ".ipynb_checkpoints/01_one-checkpoint.ipynb": "old",
        "__pycache__/x.pyc": "",
    }.items():
        (folder / name).write_text(text)
    return folder


def tree(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text() for path in files}


@pytest.mark.usefixtures("shipped")
def test_notebooks_and_their_data_are_copied_and_nothing_else(tmp_path, capsys):
    assert main(["tutorials", str(tmp_path / "mine")]) == 0
    assert tree(tmp_path / "mine") == {"01_one.ipynb": "one", "data/words.txt": "words"}
    assert "2 copied, 0 already there" in capsys.readouterr().out


@pytest.mark.usefixtures("shipped")
def test_a_changed_file_is_kept_and_named(tmp_path, capsys):
    mine = tmp_path / "mine"
    main(["tutorials", str(mine)])
    (mine / "01_one.ipynb").write_text("my work")
    (mine / "data/words.txt").unlink()
    capsys.readouterr()
    assert main(["tutorials", str(mine)]) == 0
    assert tree(mine) == {"01_one.ipynb": "my work", "data/words.txt": "words"}
    said = capsys.readouterr().out
    assert f"kept, because it differs from ours: {mine / '01_one.ipynb'}" in said
    assert "1 copied, 0 already there" in said


@pytest.mark.usefixtures("shipped")
def test_a_link_is_not_written_through(tmp_path):
    mine, target = tmp_path / "mine", tmp_path / "elsewhere"
    mine.mkdir()
    (mine / "01_one.ipynb").symlink_to(target)
    assert tutorials.copy(mine).kept == ["01_one.ipynb"]
    assert not target.exists()


@pytest.mark.usefixtures("shipped")
def test_a_folder_that_cannot_be_made_is_an_error_in_two_lines(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["tutorials", str(tmp_path / "file" / "folder")]) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert "alcf-jupyter tutorials FOLDER" in said[1]


def test_a_copy_without_tutorials_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tutorials, "__file__", str(tmp_path / "alcf_jupyter/cli/tutorials.py"))
    assert main(["demo", "--headless"]) == 1
    assert "not installed" in capsys.readouterr().err


def test_in_a_checkout_they_are_found_beside_the_package():
    assert tutorials.source() == NOTEBOOKS


@pytest.mark.parametrize("module", ["alcf_jupyter.cli.terminal", "alcf_jupyter.notebook.doctor"])
def test_a_command_imports_nothing_heavy_before_it_runs(module):
    program = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert module in loaded
    assert loaded & {"httpx", "pandas", "openai", "nbformat", "jupyter_client", "numpy"} == set()
