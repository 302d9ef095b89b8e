"""The stand-in run by hand: the line it prints connects, and it ends with its terminal."""

import http.client
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest


@pytest.fixture
def served():
    process = subprocess.Popen(
        [sys.executable, "-m", "alcf_jupyter.cli", "sandbox", "--seed", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    said = ""
    while "Ctrl-C" not in said:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        said += line
    yield process, said
    process.kill()
    process.communicate()


def answers(url, token):
    """Whether this stand-in answers; another may have its port soon, but not its token."""
    headers = {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(f"{url}/list-endpoints", headers=headers)
    try:
        urllib.request.urlopen(request, timeout=60).close()
    except urllib.error.HTTPError as refused:
        refused.close()
        return False
    except (OSError, http.client.HTTPException):
        return False
    return True


def ended(url, token, seconds=60):
    end = time.monotonic() + seconds
    while answers(url, token):
        assert time.monotonic() < end
        time.sleep(0.05)
    return True


def test_the_printed_lines_connect(served):
    process, said = served
    program = "\n".join(re.findall(r"^    (.*)$", said, re.MULTILINE))
    assert re.search(r"^alcf\.connect\(", program, re.MULTILINE)
    program += "\nprint(alcf.client().url, len(alcf.client().models().models))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    url, models = done.stdout.split()
    assert url in said
    assert int(models) > 3
    assert process.poll() is None


@pytest.mark.parametrize(
    ("options", "words", "code"),
    [
        (["--port", "99999"], "99999 is no port", 2),
        (["--port", "http"], "http is no port", 2),
        (["--config", "/nowhere"], "No such file", 1),
        (["--help"], "usage: alcf-jupyter sandbox ", 0),
        (["--nothing"], "alcf-jupyter sandbox: error: unrecognized arguments: --nothing", 2),
    ],
)
def test_options_are_the_stand_in_s_to_take_in_the_words_of_the_command(options, words, code):
    command = [sys.executable, "-m", "alcf_jupyter.cli", "sandbox", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code
    assert words in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "python -m" not in done.stdout + done.stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_the_command(served, how):
    process, said = served
    url, token = re.search(r'connect\("([^"]+)", token="([^"]+)"', said).groups()
    assert answers(url, token)
    process.send_signal(how)
    process.wait(60)
    assert ended(url, token)
    assert process.returncode == (0 if how is signal.SIGINT else -how)
