"""The command ``alcf-jupyter`` as a person meets it: its words and its exit code."""

import json
import os
import subprocess
import sys

import pytest

from alcf_jupyter import __version__


def alcf_jupyter(*arguments, cwd=None, timeout=60, **environ):
    return subprocess.run(
        [sys.executable, "-m", "alcf_jupyter.cli", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def test_the_console_script_is_installed_and_knows_its_version():
    script = os.path.join(os.path.dirname(sys.executable), "alcf-jupyter")  # noqa: PTH118, PTH120
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"alcf-jupyter {__version__}\n"


def test_without_a_command_it_lists_them():
    done = alcf_jupyter()
    assert done.returncode == 0
    for command in ("demo", "sandbox", "tutorials", "doctor"):
        assert f"    {command} " in done.stdout.replace("\n", " \n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["docter"], "no command 'docter'. Did you mean:  alcf-jupyter doctor\n"),
        (["--nothing", "zzz"], "no command 'zzz': alcf-jupyter -h\n"),
        (["doctor", "--ofline"], "unknown: --ofline. Did you mean:  --offline\n"),
        (["demo", "--prot=3"], "unknown: --prot=3. Did you mean:  --port\n"),
        (["doctor", "--zzz"], "doctor: error: unknown: --zzz\n"),
        (["doctor", "offline"], "unknown: offline\n"),
        (["--verzion"], "error: unknown: --verzion. Did you mean:  --version\n"),
        (["token-expiry", "--units", "weeks"], "invalid choice: 'weeks'"),
    ],
)
def test_wrong_arguments_are_named_and_end_with_2(arguments, said):
    done = alcf_jupyter(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_a_reader_that_stops_reading_is_no_error():
    done = subprocess.run(
        f"{sys.executable} -m alcf_jupyter.cli doctor --offline | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(f"alcf-jupyter {__version__}: ")
    assert done.stderr == ""


class TestDoctor:
    def test_it_tells_what_is_there_and_asks_nobody(self):
        done = alcf_jupyter("doctor", "--offline", ALCF_JUPYTER_SERVICE="sandbox")
        assert (done.returncode, done.stderr) == (0, "")
        words = done.stdout.split()
        for name in ("ipykernel", "jupyterlab", "ipywidgets", "python3", "ALCF_JUPYTER_SERVICE"):
            assert name in words
        assert words[words.index("ALCF_JUPYTER_SERVICE") + 1] == "sandbox"

    def test_a_problem_ends_with_1_and_is_there_for_a_program(self):
        done = alcf_jupyter("doctor", "--json", "--offline", ALCF_JUPYTER_SERVICE="sandbux")
        told = json.loads(done.stdout)
        assert (done.returncode, done.stderr, told["problems"]) == (1, "", 1)
        wrong = {one["about"]: one["do"] for one in told["findings"] if one["level"] == "problem"}
        assert wrong == {"Service": "Type:  export ALCF_JUPYTER_SERVICE=sandbox"}

    @pytest.mark.parametrize("mode", ["only", "onyl"])
    def test_a_record_that_is_not_there(self, mode, tmp_path):
        environ = {"ALCF_JUPYTER_REPLAY": mode, "ALCF_JUPYTER_SERVICE": "sandbox"}
        done = alcf_jupyter("doctor", "--offline", cwd=tmp_path, **environ)
        assert done.returncode == 1
        assert "problem  Replay" in done.stdout
        assert list(tmp_path.iterdir()) == []

    def test_it_shows_no_secret(self):
        done = alcf_jupyter(
            "doctor",
            "--offline",
            ALCF_AI_TOKEN="canary-token",
            https_proxy="http://me:canary-password@proxy.example:3128",
            http_proxy="me:canary-password@proxy.example:3128",
            ALCF_JUPYTER_SERVICE="https://me:canary-password@host.example/v1?key=canary-key",
        )
        assert "canary" not in done.stdout + done.stderr
        assert "ALCF_AI_TOKEN" in done.stdout
        assert "http://proxy.example:3128 (with a password)" in done.stdout
        assert "host.example" in done.stdout
