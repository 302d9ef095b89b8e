"""Starting and ending: one line of JSON, the loopback address, a secret, an owner."""

import ast
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

import alcf_jupyter.sandbox

from .conftest import running

HERE = Path(alcf_jupyter.sandbox.__file__).parent
COMMAND = [sys.executable, "-m", "alcf_jupyter.sandbox"]


def test_prints_one_line_with_url_and_secret(start):
    with start() as sandbox:
        assert httpx.URL(sandbox.url).host == "127.0.0.1"
        assert len(sandbox.secret) > 30
        assert sandbox.get("/whoami").json()["name"] == "Sandbox User"
        sandbox.process.stdin.close()
        assert sandbox.process.wait(60) == 0
        assert sandbox.process.stdout.read() == ""


def test_secrets_differ(start, sandbox):
    with start() as other:
        assert other.secret != sandbox.secret
        strange = {"Authorization": f"Bearer {other.secret}"}
        assert sandbox.get("/whoami", headers=strange).status_code == 401


def test_starts_quickly(start):
    # Processor time, which does not depend on what else the machine does.
    with start() as sandbox:
        spent = _processor_seconds(sandbox.process.pid)
    assert spent < 0.8


def _processor_seconds(number):
    told = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def test_dies_with_an_owner_that_is_killed():
    # The owner is a process of its own here, so that it can be killed without a farewell.
    script = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen({[*COMMAND, '--with-owner']!r}, stdin=subprocess.PIPE)\n"
        "print(child.pid, file=sys.stderr, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as owner:
        port = httpx.URL(json.loads(owner.stdout.readline())["url"]).port
        owner.stderr.readline()
        os.kill(owner.pid, signal.SIGKILL)
        assert _refused(port)


def _refused(port):
    for _ in range(1200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return True
        time.sleep(0.05)
    return False


def test_ends_at_once_though_busy(start, tmp_path):
    lines = [
        json.dumps({"custom_id": str(n), "method": "POST", "url": "/v1/embeddings",
                    "body": {"model": "sandbox/embed", "input": ["word " * 2000] * 20}})
        for n in range(400)
    ]  # fmt: skip
    (tmp_path / "in.jsonl").write_text("\n".join(lines), "utf-8")
    with start(f"--batch-root={tmp_path}") as sandbox:
        sandbox.control("POST", "/limits", {"batch_seconds": 0})
        body = {"model": "sandbox/embed", "input_file": "/in.jsonl", "output_folder_path": "/"}
        assert sandbox.post("/sophia/vllm/v1/batches", body).status_code == 200
        time.sleep(0.5)
        spent = _processor_seconds(sandbox.process.pid)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        sandbox.process.stdin.close()
        sandbox.process.wait(60)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert total - spent < 2, "what it was busy with takes many times as long"


def test_listens_on_no_other_address(sandbox):
    # Every address of 127/8 is this machine; only the one it is bound to answers.
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", sandbox.port), timeout=1)


def test_seed_makes_ids_the_same(start):
    made = []
    for _ in range(2):
        with start("--seed=7") as sandbox:
            made.append(sandbox.chat("hello").json()["id"])
    assert made[0] == made[1]


def test_settings_of_a_file_and_of_the_command_line(start, tmp_path):
    config = tmp_path / "config.json"
    settings = {"clock_speed": 5, "models_route": False, "aliases": {"real/model": "sandbox/echo"}}
    config.write_text(json.dumps({**settings, "rate_limit": False}), "utf-8")
    options = ["--clock-speed=9", "--token=t=bob", "--alias=other/model=sandbox-echo"]
    with start(f"--config={config}", *options) as sandbox:
        assert sandbox.control("GET", "/clock")["speed"] == 9
        assert sandbox.get("/sophia/models").status_code == 404
        clusters = sandbox.get("/list-endpoints").json()["clusters"]
        assert "real/model" in clusters["sophia"]["frameworks"]["vllm"]["models"]
        assert "other/model" in clusters["minerva"]["frameworks"]["api"]["models"]
        assert "real/model" in sandbox.get("/sophia/jobs").json()["running"][0]["Models"]
        said = sandbox.chat("hello", model="real/model").json()
        assert (said["model"], said["choices"][0]["message"]["content"]) == ("real/model", "hello")
        bob = sandbox.get("/whoami", headers={"Authorization": "Bearer t"}).json()
        assert bob["name"] == "Bob Example"


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--config=nowhere.json", "nowhere.json"),
        ("--alias=a=no/such", "no/such"),
        ("--token=half", "name=value"),
        ("--clock-speed=0", "positive"),
        ("--clock-speed=nan", "positive"),
        ("--token=t=king", "king"),
    ],
)
def test_wrong_settings_are_said_in_one_line(option, words):
    ended = subprocess.run(
        [*COMMAND, option], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode != 0
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr


def test_unknown_setting(tmp_path):
    config = tmp_path / "config.json"
    config.write_text('{"clok_speed": 5}', "utf-8")
    command = [*COMMAND, f"--config={config}"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "no such setting: clok_speed" in ended.stderr


def test_says_nothing_else(tmp_path):
    with (tmp_path / "err").open("w") as err, running(stderr=err) as sandbox:
        sandbox.chat("hello")
        with pytest.raises(httpx.HTTPError):
            sandbox.chat("hello", fault="reset-in-body")
        sandbox.get("/nothing")
    assert (tmp_path / "err").read_text() == ""


def test_imports_nothing_of_the_package():
    allowed = {"h11", "pydantic", "numpy", "alcf_jupyter.sandbox"}
    for path in HERE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            else:
                continue
            for name in names:
                top = name.split(".")[0]
                ours = name if top == "alcf_jupyter" else top
                known = top in sys.stdlib_module_names or any(
                    ours == one or ours.startswith(f"{one}.") for one in allowed
                )
                assert known, f"{path.name} imports {name}"


def test_modules_are_of_readable_length():
    for path in HERE.rglob("*.py"):
        assert len(path.read_text("utf-8").splitlines()) <= 300, path
