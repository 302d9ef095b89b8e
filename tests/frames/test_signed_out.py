"""A run in the background that needs a sign-in: it waits, and goes on when there is one."""

import subprocess
import sys
import time

import pytest

import alcf_jupyter
from alcf_jupyter.connection.sign_in.login import LoginFlow
from tests.globus_auth import store_path

ROWS = [f"row {number}" for number in range(24)]
PROGRAM = """
import sys
import urllib.request
from alcf_jupyter.connection.sign_in.login import LoginFlow

flow = LoginFlow(force=True)
page = urllib.request.urlopen(flow.url).read().decode()
flow.finish(page.partition("<code>")[2].partition("</code>")[0])
"""


def until(happened):
    end = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def begun(auth, alcf, client):  # noqa: ARG001 - it is connected
    """A run whose sign-in becomes too old in the middle."""
    token = auth.store(store_path())
    run = alcf_jupyter.map(ROWS, "{{text}}", model="sandbox/echo", background=True)
    until(lambda: run.progress.ok)
    alcf.take(token, "policy")
    yield run
    run.stop()
    assert run.wait(60)


def sign_in(auth):
    flow = LoginFlow(force=True)
    flow.finish(auth.sign_in(flow.url))


def all_right(run):
    out = run.result(60)
    assert out["reply"].tolist() == ROWS
    assert set(out["status"]) == {"ok"}


def test_it_says_what_to_type_and_goes_on_by_itself(begun, auth, alcf):
    until(lambda: begun.progress.state == "paused")
    until(lambda: begun.progress.words)
    assert begun.progress.words.endswith("The run goes on when you have signed in:  %alcf login")
    assert "too old for its policy" in begun.progress.words
    seen = len(alcf.requests("/chat/"))
    assert not begun.wait(0.5)
    assert len(alcf.requests("/chat/")) == seen, "nothing is sent meanwhile"
    sign_in(auth)
    all_right(begun)


def test_a_login_that_finds_another_process_s_sign_in_will_do(begun, auth):
    until(lambda: begun.progress.state == "paused")
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=60)
    assert alcf_jupyter.login().name == "Alice Example"
    assert auth.grants == ["authorization_code"]
    all_right(begun)


def test_what_the_user_paused_stays_paused(begun, auth):
    until(lambda: begun.progress.state == "paused")
    begun.pause()
    sign_in(auth)
    assert not begun.wait(0.5)
    assert (begun.progress.state, begun.progress.words) == ("paused", "")
    begun.resume()
    all_right(begun)


def test_a_run_that_cannot_begin_without_a_sign_in_waits_for_it(auth, alcf, client):  # noqa: ARG001
    alcf.take(auth.store(store_path()), "policy")
    run = alcf_jupyter.map(ROWS, "{{text}}", model="sandbox/echo", background=True)
    until(lambda: run.progress.state == "paused")
    sign_in(auth)
    all_right(run)


def test_so_does_one_that_waits_for_its_model(auth, alcf, client):  # noqa: ARG001
    token = auth.store(store_path())
    alcf_jupyter.connect(alcf.url, poll_seconds=0.2)
    run = alcf_jupyter.map(ROWS, "{{text}}", model="sandbox/cold", background=True)
    until(lambda: "sandbox/cold" in run.progress.words)
    alcf.take(token, "policy")
    until(lambda: run.progress.state == "paused")
    sign_in(auth)
    all_right(run)
