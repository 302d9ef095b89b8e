"""The demo in JupyterLab: an address that opens the first tutorial, errors, and no more words."""

import json
import os
import re
import socket
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pexpect
import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from tests.kernels import server_by_files

WORDS = ["-m", "alcf_jupyter.cli", "demo"]
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/lab/tree/01_first_prompt\.ipynb\?token=(\w+)")


@pytest.fixture
def demo(tmp_path):
    """Return a function that starts the demo on a terminal, with a browser that notes its page."""
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    os.environ["JUPYTER_RUNTIME_DIR"] = str(server_by_files(Path.home() / ".jupyter"))
    started = []

    def start(*words):
        child = pexpect.spawn(
            sys.executable,
            [*WORDS, *map(str, words)],
            env=os.environ | {"BROWSER": f"{browser} %s"},
            encoding="utf-8",
            timeout=60,
            dimensions=(40, 300),
        )
        started.append(child)
        return child

    yield start
    for child in started:
        child.close(force=True)


def asked(address, token, path, body=None):
    server = "{0.scheme}://{0.netloc}".format(urlsplit(address))
    headers = {"Authorization": f"token {token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{server}{path}", data, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def until_ready(kernel):
    """Wait until a kernel answers: what it has to say as it starts, it has said by then."""
    file = Path(os.environ["JUPYTER_RUNTIME_DIR"], f"kernel-{kernel}.json")
    client = BlockingKernelClient(connection_file=str(file))
    client.load_connection_file()
    client.start_channels()
    end, ready = time.monotonic() + 60, False
    try:
        while not ready:
            try:
                client.wait_for_ready(timeout=60)
                ready = True
            except RuntimeError:  # a heartbeat that comes a second late is taken for death
                assert time.monotonic() < end
    finally:
        client.stop_channels()


def written(path):
    """Wait until a whole line stands in a file; return it."""
    end = time.monotonic() + 60
    while not (path.exists() and path.read_text().endswith("\n")):
        assert time.monotonic() < end
        time.sleep(0.05)
    return path.read_text().strip()


def test_it_opens_the_first_tutorial_says_little_and_ends_with_one_ctrl_c(demo, tmp_path):
    mine = Path.home() / ".jupyter" / "lab" / "workspaces" / "default.jupyterlab-workspace"
    mine.parent.mkdir(parents=True)
    mine.write_text('{"data": {}, "metadata": {"id": "default"}}')
    child = demo(tmp_path / "mine")
    child.expect(ADDRESS)
    address, token = child.match[0], child.match[1]
    names = [item["name"] for item in asked(address, token, "/api/contents")["content"]]
    assert "01_first_prompt.ipynb" in names
    assert "conftest.py" not in names
    assert (tmp_path / "mine" / ".kernels.log").stat().st_mode & 0o777 == 0o600
    kernel = {"type": "notebook", "name": "", "path": "01_first_prompt.ipynb", "kernel": {}}
    started = asked(address, token, "/api/sessions", kernel)["kernel"]
    assert started["name"] == "python3"
    until_ready(started["id"])
    assert asked(address, token, "/lab/api/workspaces")["workspaces"]["ids"] == []
    opened = Path(urlsplit(written(tmp_path / "opened")).path).read_text()
    assert f"/lab/tree/01_first_prompt.ipynb?token={token}" in opened
    said = child.before
    child.sendintr()
    child.expect(pexpect.EOF)
    child.wait()
    assert (child.exitstatus, child.before.strip()) == (0, "^C")
    assert (
        said.split()
        == (
            f"The tutorials are in {tmp_path / 'mine'} "
            "Everything runs on this machine: no account, no network. Ctrl-C ends it. "
            "JupyterLab, with the first of them:"
        ).split()
    )


def test_ctrl_c_ends_it_while_it_starts(demo):
    child = demo("--no-browser")
    child.expect(r"to have them elsewhere:  \S*alcf-jupyter demo FOLDER")
    child.expect(r"Ctrl-C ends it\.")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.wait()
    assert (child.exitstatus, child.before.strip()) == (0, "^C")


def test_ctrl_c_ends_it_while_its_extensions_load(demo, tmp_path, clean_environ):
    (tmp_path / "late.py").write_text(
        "import time\n"
        "def _jupyter_server_extension_points(): return [{'module': 'late'}]\n"
        "def _load_jupyter_server_extension(app): print('It loads.', flush=True); time.sleep(60)\n"
    )
    enabled = Path.home() / ".jupyter/jupyter_server_config.d/late.json"
    enabled.parent.mkdir(parents=True)
    enabled.write_text('{"ServerApp": {"jpserver_extensions": {"late": true}}}')
    clean_environ["PYTHONPATH"] = str(tmp_path)
    child = demo(tmp_path / "mine", "--no-browser")
    child.expect(r"It loads\.")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.wait()
    assert (child.exitstatus, child.before.strip()) == (0, "^C")


def test_an_error_of_the_server_is_shown(demo, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        child = demo(tmp_path / "mine", "--no-browser", "--port", port)
        child.expect(f"port {port} is not available")
        child.expect(pexpect.EOF)
        child.wait()
    assert child.exitstatus == 1
