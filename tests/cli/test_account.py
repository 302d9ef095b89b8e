"""The commands about signing in, in a shell: piped, and typed on a real terminal."""

import re
import resource
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from tests.globus_auth import store_path

COMMAND = str(Path(sys.executable).with_name("alcf-jupyter"))


@pytest.fixture
def shell(alcf, clean_environ):
    """Runs the command with nobody signed in, against the gateway."""
    clean_environ["ALCF_JUPYTER_SERVICE"] = alcf.url

    def run(*arguments):
        done = subprocess.run(
            [COMMAND, *arguments],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture
def terminal(shell):
    """Runs the command on a terminal."""
    spawned = []

    def run(*arguments):
        child = pexpect.spawn(
            COMMAND, list(arguments), encoding="utf-8", timeout=60, dimensions=(40, 400)
        )
        spawned.append(child)
        return child

    assert shell
    yield run
    for child in spawned:
        child.close()


def test_sign_in_on_a_terminal(terminal, shell, auth):
    child = terminal("login")
    child.expect(r"(http://\S+)")
    url = child.match[1]
    child.expect("stays hidden")
    child.sendline("wrong")
    child.expect("does not take this code")
    child.expect("stays hidden")
    code = auth.sign_in(url)
    child.sendline(f" {code} ")
    child.expect("Signed in as Alice Example")
    rest = child.read()
    assert code not in rest
    child.close()
    assert child.exitstatus == 0
    status, out, err = shell("whoami")
    assert (status, err) == (0, "")
    assert out.startswith("Signed in as Alice Example (alice@anl.gov) through Argonne LCF")
    assert terminal("login").read().count("Signed in as Alice Example") == 1
    status, out, _ = shell("logout")
    assert (status, out) == (
        0,
        "Signed out; the tokens are deleted here and revoked at Globus.\n",
    )
    status, out, err = shell("whoami")
    assert (status, out) == (1, "")
    assert "You are not signed in" in err


def test_sign_in_at_the_prompt_of_ipython(shell, auth):
    assert shell
    command = str(Path(sys.executable).with_name("ipython"))
    options = ["--simple-prompt", "--no-banner", "--no-confirm-exit"]
    child = pexpect.spawn(command, options, encoding="utf-8", timeout=60, dimensions=(40, 400))
    try:
        child.expect(r"In \[1\]")
        child.sendline("%load_ext alcf_jupyter")
        child.expect(r"In \[2\]")
        child.sendline("%alcf login")
        child.expect(r"(http://\S+)")
        code = auth.sign_in(child.match[1])
        child.expect("stays hidden")
        child.sendline(code)
        child.expect("Signed in as Alice Example")
        child.expect(r"In \[3\]")
        child.sendline("%history")
        child.expect(r"In \[4\]")
        assert code not in child.before
        # by itself: killed, it would have a tenth of a second to be gone
        child.sendline("exit")
        child.expect(pexpect.EOF)
    finally:
        child.close()


def spent():
    """Return the processor time of all processes that have ended, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_without_a_terminal_it_names_the_three_ways_within_two_seconds(shell):
    shell("whoami")  # compiles what has not run here yet
    for command in ("login", "whoami", "token", "token-expiry"):
        began = spent()
        status, out, err = shell(command)
        # its own time: on a busy machine a process may have to wait for its turn
        assert spent() - began < 2
        assert (status, out) == (1, "")
        for way in ("alcf-jupyter login", "ALCF_AI_TOKEN", "GLOBUS_SERVICE_ACCOUNT_CLIENT_ID"):
            assert way in err
        # what a shell does not understand is not said in one
        assert not re.search("%alcf|%env|in a terminal", err), err
        assert "alcf-jupyter demo" in err


def test_a_token_is_printed_into_a_pipe_and_on_a_terminal_only_when_asked_for(
    shell, terminal, auth
):
    token = auth.store(store_path())
    assert shell("token") == (0, f"{token}\n", "")
    child = terminal("token")
    said = child.read()
    assert token not in said
    assert "--show" in said
    child.close()
    assert child.exitstatus == 1
    assert token in terminal("token", "--show").read()


def test_a_printed_token_is_a_fresh_one(shell, auth):
    old = auth.store(store_path(), expires_in=-10)
    status, out, _ = shell("token")
    assert status == 0
    assert out.strip() in auth.issued
    assert out.strip() != old


@pytest.mark.parametrize(
    ("arguments", "least", "most"),
    [
        ([], 7100, 7200),
        (["--units", "seconds"], 7100, 7200),
        (["--units", "minutes"], 118, 120),
        (["--units=hours"], 1.97, 2.0),
    ],
)
def test_how_long_the_token_holds(shell, auth, arguments, least, most):
    auth.store(store_path(), expires_in=7200)
    status, out, _ = shell("token-expiry", *arguments)
    assert status == 0
    assert least <= float(out) <= most


def test_a_ready_token_has_no_known_end(shell, auth, clean_environ):
    assert auth
    clean_environ["ALCF_AI_TOKEN"] = "ready"
    assert shell("token") == (0, "ready\n", "")
    status, out, err = shell("token-expiry")
    assert (status, out) == (1, "")
    assert "ALCF_AI_TOKEN" in err
    status, _, err = shell("login", "--force")
    assert status == 1
    assert "comes before any sign-in" in err


def test_what_is_repaired_is_told_on_stderr(shell, auth):
    token = auth.store(store_path())
    store_path().chmod(0o644)
    status, out, err = shell("token")
    assert (status, out) == (0, f"{token}\n")
    assert "could be read by others" in err
    assert store_path().stat().st_mode & 0o077 == 0


def test_wrong_units_are_refused(shell):
    status, _, err = shell("token-expiry", "--units", "days")
    assert status == 2
    assert "seconds" in err
