"""Tutorials where a reader runs them: signed in, in a folder of one's own, side by side, again."""

import contextlib
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest

from alcf_jupyter.cli import tutorials

ROOT = Path(__file__).resolve().parents[1]
RERUN = """\
import pathlib, sys
from tools.notebooks import rerun
path, *inside = map(pathlib.Path, sys.argv[1:])
print(rerun(path, inside=inside[0] if inside else None), end="")
"""
TOKEN = "AgCANARYnobodymaysee0123456789abcdefghijklmnopqrstuv"
NO_SANDBOX = """\
import sys
if "alcf_jupyter.sandbox" in sys.orig_argv:
    sys.exit("no server may run on this machine")
"""


@pytest.fixture
def folder(tmp_path):
    """Copy the tutorials into a folder of the reader's."""
    tutorials.copy(tmp_path / "my notebooks")
    return tmp_path / "my notebooks"


def run(notebook, *inside, **variables):
    """Run a notebook in a process with these variables; return what it printed, and its errors."""
    return subprocess.run(
        [sys.executable, "-c", RERUN, str(notebook), *map(str, inside)],
        env=os.environ | variables,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def holding(folder, text):
    """Return the files below a folder with this in them."""
    found = []
    for where, _, names in os.walk(folder):
        for path in (Path(where, name) for name in names):
            # a stand-in that takes its leave removes what it used
            with contextlib.suppress(FileNotFoundError):
                if path.is_file() and text.encode() in path.read_bytes():
                    found.append(path)
    return found


def test_again_and_side_by_side_with_a_token_that_is_nobodys_business(folder, clean_environ):
    home = Path(clean_environ["HOME"])
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        signed_in = {"ALCF_AI_TOKEN": TOKEN, "https_proxy": address, "HTTPS_PROXY": address}

        def fresh(name):
            return run(folder / f"{name}.ipynb", **signed_in)

        for names in (("08_recipes", "01_first_prompt"), ("08_recipes",)):
            with ThreadPoolExecutor(2) as pool:
                for name, done in zip(names, pool.map(fresh, names), strict=True):
                    assert done.returncode == 0, done.stderr
                    assert done.stdout == (folder / f"{name}.ipynb").read_text(encoding="utf-8")
        proxy.settimeout(0)
        with pytest.raises(BlockingIOError):
            proxy.accept()  # nobody came: everything was on this machine
    assert holding(home, TOKEN) == []
    assert holding(folder, TOKEN) == []


def test_in_the_demo_they_connect_where_they_say(tmp_path, clean_environ):
    clean_environ["ALCF_JUPYTER_SERVICE"] = "https://theirs.example/v1"
    tutorials.prepare(tmp_path / "mine")
    for name in ("07_when_things_go_wrong", "08_recipes"):
        path = tmp_path / "mine" / f"{name}.ipynb"
        done = run(path)
        assert done.returncode == 0, done.stderr
        assert done.stdout == path.read_text(encoding="utf-8")


def test_without_the_sandbox_the_first_cell_says_what_is_missing(folder, tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(NO_SANDBOX)
    said = run(folder / "01_first_prompt.ipynb", PYTHONPATH=str(tmp_path / "site")).stderr
    assert "The local stand-in service did not start." in said
    assert "no server may run on this machine" in said
    assert "alcf-jupyter sandbox" in said


def test_in_another_working_directory_the_missing_file_is_named(folder, tmp_path):
    said = run(folder / "01_first_prompt.ipynb", tmp_path).stderr
    assert "No such file or directory: 'data/light_source.txt'" in said


@pytest.mark.parametrize("path", sorted(tutorials.source().glob("*.ipynb")), ids=lambda p: p.name)
def test_every_tutorial_begins_by_asking_for_the_sandbox(path):
    cells = [c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    begin = "\n".join(cells[:2]).splitlines()
    assert begin[:2] == ["%load_ext alcf_jupyter", "%alcf connect sandbox"]
    assert not any("connect alcf" in line or 'connect("alcf")' in line for line in cells)
