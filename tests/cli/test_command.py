"""The command ``alcf-jupyter`` as a person meets it: its words and its exit code."""

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
    [(["dmeo"], "invalid choice: 'dmeo'"), (["demo", "--headles-s"], "unknown: --headles-s")],
)
def test_wrong_arguments_are_named_and_end_with_2(arguments, said):
    done = alcf_jupyter(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_a_reader_that_stops_reading_is_no_error():
    done = subprocess.run(
        f"{sys.executable} -m alcf_jupyter.cli doctor | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"alcf-jupyter {__version__}\n"
    assert done.stderr == ""


class TestDoctor:
    def test_it_tells_versions_kernels_and_what_is_set(self):
        done = alcf_jupyter("doctor", ALCF_JUPYTER_SERVICE="sandbox")
        assert done.returncode == 0
        assert done.stderr == ""
        words = done.stdout.split()
        for name in ("ipykernel", "jupyterlab", "ipywidgets", "python3", "ALCF_JUPYTER_SERVICE"):
            assert name in words
        assert words[words.index("ALCF_JUPYTER_SERVICE") + 1] == "sandbox"

    def test_it_shows_no_secret(self):
        done = alcf_jupyter(
            "doctor",
            ALCF_AI_TOKEN="canary-token",
            https_proxy="http://me:canary-password@proxy.example:3128",
            http_proxy="me:canary-password@proxy.example:3128",
            ALCF_JUPYTER_SERVICE="https://me:canary-password@host.example/v1?key=canary-key",
        )
        assert "canary" not in done.stdout + done.stderr
        assert "ALCF_AI_TOKEN" in done.stdout
        assert "http://proxy.example:3128 (with a password)" in done.stdout
        assert "host.example" in done.stdout
