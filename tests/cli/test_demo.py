"""The demo: one command from nothing to answers, in the terminal and in JupyterLab."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

DEMO = [sys.executable, "-m", "alcf_jupyter.cli", "demo"]


def test_headless_it_prints_an_answer_and_an_embedding_frame(tmp_path):
    done = subprocess.run(
        [*DEMO, tmp_path / "mine", "--headless"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
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
    assert (tmp_path / "mine" / "01_first_prompt.ipynb").exists()


def gone(folder, seconds=10):
    end = time.monotonic() + seconds
    while folder.exists() and time.monotonic() < end:
        time.sleep(0.05)
    return not folder.exists()


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
    done = subprocess.run(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        text=True,
        timeout=60,
        check=False,
    )
    folder = Path(done.stdout.strip())
    assert folder.parent == tmp_path
    assert gone(folder, 10 if goes else 1.5) == goes


@pytest.fixture
def lab(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [*DEMO, tmp_path / "mine", "--no-browser", "--port", str(port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said, address = [], None
    while not address and (line := process.stdout.readline()):
        said.append(line)
        address = re.search(r"(http://127\.0\.0\.1:\d+)/lab\S*token=(\w+)", line)
    assert address, "".join(said)
    yield "".join(said), *address.groups()
    process.kill()
    process.communicate()


def test_in_jupyterlab_it_opens_the_tutorials(lab):
    said, server, token = lab
    assert "no account, no network" in said
    contents = urllib.request.Request(
        f"{server}/api/contents", headers={"Authorization": f"token {token}"}
    )
    end = time.monotonic() + 30  # the address is printed a moment before it is listened to
    while True:
        try:
            with urllib.request.urlopen(contents, timeout=30) as answer:
                names = [item["name"] for item in json.load(answer)["content"]]
            break
        except urllib.error.URLError:
            assert time.monotonic() < end
            time.sleep(0.1)
    assert "01_first_prompt.ipynb" in names
    assert "conftest.py" not in names
