"""Nothing of the person at the keyboard reaches a test, a notebook or a kernel."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.environment import changes, clean


@pytest.mark.parametrize(
    "name",
    [
        "ALCF_AI_TOKEN",
        "ALCF_JUPYTER_SERVICE",
        "_ALCF_JUPYTER_DEMO",
        "GLOBUS_SERVICE_ACCOUNT_CLIENT_SECRET",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "MODEL_NAME",
        "https_proxy",
        "ALL_PROXY",
        "JUPYTER_CONFIG_DIR",
        "XDG_STATE_HOME",
        "PYTHONSTARTUP",
        "VIRTUAL_ENV",
    ],
)
def test_personal_settings_are_removed(monkeypatch, tmp_path, name):
    monkeypatch.setenv(name, "real")
    assert changes(tmp_path)[name] is None


@pytest.mark.parametrize(
    "name", ["PATH", "LANG", "SSL_CERT_FILE", "ALCF_JUPYTER_REQUIRE_BROWSER", "ALCF_JUPYTER_FAULTS"]
)
def test_what_the_machine_needs_stays(monkeypatch, tmp_path, name):
    monkeypatch.setenv(name, "needed")
    assert name not in changes(tmp_path)


def test_a_cleaned_process_lives_in_the_home_it_was_given(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setenv("ALCF_AI_TOKEN", "real")
    clean(tmp_path)
    assert "ALCF_AI_TOKEN" not in os.environ
    assert os.environ["HOME"] == str(tmp_path)
    assert "127.0.0.1" in os.environ["NO_PROXY"]


@pytest.mark.parametrize("name", ["first", "second"])
def test_every_test_has_a_home_of_its_own(tmp_path_factory, name):
    home = Path(os.environ["HOME"])
    assert home.is_relative_to(tmp_path_factory.getbasetemp())
    assert not list(home.glob("of the *"))
    (home / f"of the {name}").touch()


def test_that_home_is_empty(tmp_path):
    """In a process of its own: threads that other tests left write into whatever home there is."""
    (tmp_path / "test_home.py").write_text(
        "import os\n"
        "def test_home(tmp_path_factory):\n"
        "    assert os.environ['HOME'].startswith(str(tmp_path_factory.getbasetemp()))\n"
        "    assert os.listdir(os.environ['HOME']) == []\n"
    )
    options = ("-q", "-p", "no:cacheprovider", "-p", "tests.conftest", "-c", os.devnull)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, f"--rootdir={tmp_path}", tmp_path],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout
