"""The demo: one command from nothing to answers, in the terminal and in JupyterLab."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = [sys.executable, "-m", "alcf_jupyter.cli", "demo"]


def test_headless_it_prints_an_answer_and_an_embedding_frame(tmp_path):
    done = subprocess.run(
        [*DEMO, tmp_path / "mine", "--headless"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "In [1]: %load_ext alcf_jupyter" in done.stdout
    assert re.search(r"^In \[\d+\]: %%alcf_chat", done.stdout, re.MULTILINE)
    assert re.search(r"^sandbox/\S+ @ \S+ · .* in / \S+ out", done.stdout, re.MULTILINE)
    assert re.search(r"^ +text .*\n(.*\n)*? +embedding ", done.stdout, re.MULTILINE)
    # the second one waits for a model: each state is said once, then there is the answer
    for state in ("Offline", "Queued", "Starting"):
        assert (
            len(re.findall(rf"^sandbox/cold @ sophia · {state} ", done.stdout, re.MULTILINE)) == 1
        )
    assert "Offline → Queued → Starting → Live" in done.stdout
    last = done.stdout.splitlines()[-1]
    assert last.startswith("Both tutorials ran; the errors above were meant. In JupyterLab:  ")
    assert last.endswith("alcf-jupyter demo")
    # where nothing can be clicked, the models that were asked for are a table
    assert re.search(r"^sandbox/cold +sophia +Offline$", done.stdout, re.MULTILINE)
    assert (tmp_path / "mine" / "01_first_prompt.ipynb").exists()


@pytest.mark.parametrize(
    ("act", "goes"),
    [
        ("pass", True),
        # run by a person: the outputs are others, the cells are not
        ("cells[2]['execution_count'] = 99; cells[2]['outputs'] = []", True),
        ("cells[2]['source'] = ['my own']", False),
        ("open('mine.txt', 'w').write('x')", False),
    ],
)
@pytest.mark.parametrize("how", ["os.kill(os.getpid(), 9)", "os.execv('/bin/true', ['true'])"])
def test_a_temporary_folder_goes_unless_it_was_worked_in(tmp_path, act, goes, how):
    program = (
        "import json, os, pathlib\n"
        "from alcf_jupyter.cli import tutorials\n"
        "first = tutorials.prepare(None); print(first.parent, flush=True)\n"
        "os.chdir(first.parent)\n"
        "os.makedirs('.ipynb_checkpoints'); open('.ipynb_checkpoints/x', 'w').close()\n"
        "told = json.loads(first.read_text()); cells = told['cells']\n"
        f"{act}\n"
        "first.write_text(json.dumps(told))\n"
        f"{how}\n"
    )
    # until whoever removes the folder has ended, too: it has the same standard error
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        text=True,
        timeout=60,
        check=False,
    )
    folder = Path(done.stdout.strip())
    assert folder.parent == tmp_path
    assert folder.exists() is not goes
    assert done.stderr == ("" if goes else f"What you changed is kept in {folder}.\n")
