"""The stand-in of a process: one, found again, and never left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import alcf_jupyter as alcf
from alcf_jupyter.connection import session, standin
from alcf_jupyter.errors import UnreachableError


@pytest.fixture
def used():
    """End the stand-ins that a test starts."""
    client, before = session.current().client, dict(standin._running)
    yield
    session.current().client = client
    for key, one in list(standin._running.items()):
        if before.get(key) is not one:
            one.process.stdin.close()
            one.process.wait(60)
            one.process.stdout.close()
            del standin._running[key]


def gone(number, seconds=60):
    """Whether a process ends soon; one whose parent has not looked yet has ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            state = (
                Path(f"/proc/{number}/stat").read_text(encoding="ascii").split(")")[1].split()[0]
            )
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


@pytest.mark.usefixtures("used")
def test_whoever_only_looks_undoes_no_connect(clean_environ):
    """The panel asks for the client in a thread of its own, while the notebook connects."""
    session.current().client = None
    clean_environ["_ALCF_JUPYTER_DEMO"] = "sandbox"
    seen = []
    thread = threading.Thread(target=lambda: seen.append(alcf.client()))
    with standin._lock:  # one that takes its time to come up
        thread.start()
        while sys._current_frames()[thread.ident].f_code is not standin.start.__code__:
            time.sleep(0.01)
        mine = alcf.connect("http://127.0.0.1:9/v1")
    thread.join(60)
    assert seen == [mine]
    assert alcf.client() is mine


@pytest.mark.usefixtures("used")
def test_one_stand_in_found_again_and_replaced_when_it_died():
    client = alcf.connect("sandbox", aliases={"quick": "sandbox/echo"})
    again = alcf.connect("sandbox", aliases={"quick": "sandbox/echo"})
    assert again.url == client.url
    assert "quick" in {model.id for model in again.models().models}
    running = standin.start({"quick": "sandbox/echo"})
    assert running.alive
    secret = standin.secret_of(running)
    assert len(secret) > 20
    for thing in (client, running, client.profile, client._credential):
        assert secret not in repr(thing)
    running.process.kill()
    running.process.wait(60)
    assert not running.alive
    other = alcf.connect("sandbox", aliases={"quick": "sandbox/echo"})
    assert other.url != client.url
    assert other.models().models


PROGRAM = """
import os, sys, time
import alcf_jupyter as alcf
from alcf_jupyter.connection import standin

client = alcf.connect("sandbox")
running = standin.start()
print(running.process.pid, running.url, flush=True)
"""


def owner(program):
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM + program], stdout=subprocess.PIPE, text=True
    )
    number, url = process.stdout.readline().split()
    return process, int(number), url


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_dies_with_its_owner(how):
    process, number, _ = owner("time.sleep(60)")
    with process:
        assert not gone(number, 0.3)
        process.send_signal(how)
        assert gone(number)


def test_a_forked_child_neither_shares_it_nor_keeps_it_alive():
    """The child starts one of its own; the parent's ends with the parent, not with the child."""
    process, number, url = owner("""
if os.fork() == 0:
    own = standin.start()
    mine = alcf.connect("sandbox")
    print(os.getpid(), own.process.pid, own.url, len(mine.models().models) > 3, flush=True)
    time.sleep(60)
    os._exit(0)
client.models()
time.sleep(60)
""")
    with process:
        child, others, other_url, works = process.stdout.readline().split()
        assert other_url != url
        assert works == "True"
        process.kill()
        assert gone(number), "although the child lives on"
        assert not gone(int(others), 0.3)
        os.kill(int(child), signal.SIGKILL)
        assert gone(int(others))


@pytest.mark.parametrize("program", ["/bin/false", "/bin/echo"])
@pytest.mark.usefixtures("used")
def test_one_that_does_not_start_is_said_and_cleared_away(monkeypatch, program):
    monkeypatch.setattr(standin.sys, "executable", program)
    with pytest.raises(UnreachableError, match="did not start") as caught:
        standin.start({"never": "seen"})
    assert "alcf-jupyter sandbox" in caught.value.do
    assert all("never" not in str(key) for key in standin._running)


def test_it_starts_where_many_files_are_open():
    code = (
        "import os, resource\n"
        "_, most = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (1300, most))\n"
        "held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]\n"
        "import alcf_jupyter as alcf\n"
        "print(alcf.connect('sandbox').profile)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "local stand-in" in done.stdout, done.stderr
