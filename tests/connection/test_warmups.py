"""One warm-up in ten minutes, over all of a user's processes."""

import asyncio
import fcntl
import json
import os
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from alcf_jupyter.connection.warmups import WarmUps
from alcf_jupyter.errors import UnreachableError
from alcf_jupyter.service.catalog import Model

MODEL = Model(id="org/model", cluster="sophia")
PROGRAM = """
import asyncio, sys
from alcf_jupyter.connection import warmups
from alcf_jupyter.connection.warmups import WarmUps
from alcf_jupyter.service.catalog import Model

warmups._LOCK_TRIES = 30_000  # one that stands still with the lock is waited for

async def send():
    print("sent", flush=True)

async def work():
    warm = WarmUps("https://service/resource_server", float(sys.argv[1]))
    warm.start(Model(id="org/model", cluster="sophia"), send)
    await asyncio.sleep(0.05)

asyncio.run(work())
"""


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("ALCF_JUPYTER_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def start(warm, model=MODEL, fails=None):
    """Start a model; return whether it was asked, and how often something was sent."""
    sent = []

    async def send():
        sent.append(model.id)
        if fails:
            raise fails

    async def work():
        asked = warm.start(model, send)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return asked

    return asyncio.run(work()), len(sent)


def test_a_second_start_sends_nothing():
    warm = WarmUps("https://one", 600)
    assert start(warm) == (True, 1)
    assert start(warm) == (False, 0)


def test_another_client_of_the_same_user_sends_nothing_either():
    assert start(WarmUps("https://one", 600)) == (True, 1)
    assert start(WarmUps("https://one", 600)) == (False, 0)


@pytest.mark.parametrize(
    ("url", "model"),
    [
        ("https://two", MODEL),
        ("https://one", Model(id="org/other", cluster="sophia")),
        ("https://one", Model(id="org/model", cluster="minerva")),
    ],
)
def test_another_service_model_or_cluster_is_another_thing(url, model):
    start(WarmUps("https://one", 600))
    assert start(WarmUps(url, 600), model) == (True, 1)


def test_a_process_that_hangs_with_the_file_holds_up_nobody(state):
    start(WarmUps("https://one", 0.01))
    (file,) = (state / "warmups").iterdir()
    time.sleep(0.02)
    with file.open("rb") as handle, ThreadPoolExecutor() as pool:
        fcntl.flock(handle, fcntl.LOCK_EX)
        asked = pool.submit(start, WarmUps("https://one", 0.01))
        try:
            assert asked.result(60) == (True, 1)
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)


def test_after_the_window_it_is_sent_again():
    assert start(WarmUps("https://one", 0.05)) == (True, 1)
    time.sleep(0.06)
    assert start(WarmUps("https://one", 0.05)) == (True, 1)


def test_its_failure_is_expected():
    failure = UnreachableError("gone")
    assert start(WarmUps("https://one", 600), fails=failure) == (True, 1)


def test_of_eight_processes_at_once_one_sends():
    running = [
        subprocess.Popen([sys.executable, "-c", PROGRAM, "600"], stdout=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    said = [process.communicate(timeout=120)[0] for process in running]
    assert sorted(said) == [""] * 7 + ["sent\n"]


@pytest.mark.parametrize("content", [b"", b"never", b"\xff\xfe", b"1e999", b"-5", b"9" * 5000])
def test_a_file_that_holds_anything_else_does_not_stop_it(state, content):
    start(WarmUps("https://one", 600))
    (file,) = (state / "warmups").iterdir()
    file.write_bytes(content)
    assert start(WarmUps("https://one", 600)) == (True, 1)


def test_what_it_writes_is_private(state):
    start(WarmUps("https://one", 600))
    (file,) = (state / "warmups").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert float(file.read_text()) <= time.time()


def test_a_link_in_its_place_is_not_followed(state, tmp_path):
    start(WarmUps("https://one", 600))
    (file,) = (state / "warmups").iterdir()
    target = tmp_path / "precious"
    target.write_text(json.dumps("keep me"))
    file.unlink()
    file.symlink_to(target)
    assert start(WarmUps("https://one", 600)) == (True, 1)
    assert json.loads(target.read_text()) == "keep me"


@pytest.mark.skipif(os.getuid() == 0, reason="root can write everywhere")
def test_without_a_place_to_write_this_process_remembers(state):
    state.mkdir(mode=0o500)
    warm = WarmUps("https://one", 600)
    assert start(warm) == (True, 1)
    assert start(warm) == (False, 0)


def test_a_file_where_the_folder_should_be(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("ALCF_JUPYTER_STATE", str(tmp_path / "file" / "below"))
    warm = WarmUps("https://one", 600)
    assert start(warm) == (True, 1)
    assert start(warm) == (False, 0)
