"""What is lacking is said with a line that installs it here; the command as it is typed here."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import alcf_jupyter
from alcf_jupyter.cli import here

ROOT = Path(alcf_jupyter.__file__).parents[1]


@pytest.fixture
def without(tmp_path):
    """Return a function that runs the command where some packages are not installed."""

    def run(*words, lacks):
        folder = tmp_path / "packages"
        folder.mkdir()
        for path in Path(sysconfig.get_path("purelib")).iterdir():
            if path.name.split("-")[0].removesuffix(".py") not in lacks:
                (folder / path.name).symlink_to(path)
        return subprocess.run(
            [sys.executable, "-S", "-m", "alcf_jupyter.cli", *words],
            env=os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.mark.parametrize(
    ("words", "lacks", "installs"),
    [
        (["demo", "mine", "--headless"], ["ipykernel"], "ipykernel"),
        (
            ["demo", "mine", "--headless"],
            ["ipykernel", "jupyter_client"],
            "ipykernel jupyter_client",
        ),
        (["demo", "mine", "--no-browser"], ["jupyterlab", "ipykernel"], "jupyterlab ipykernel"),
        (["install-kernel"], ["ipykernel"], "ipykernel"),
    ],
)
def test_what_is_lacking_is_said_with_the_line_that_installs_it_here(
    without, words, lacks, installs
):
    done = without(*words, lacks=lacks)
    what, do = done.stderr.splitlines()
    assert all(name in what for name in lacks)
    assert do == f"Type:  {sys.executable} -m pip install {installs}"
    assert done.returncode == 1


def test_the_command_is_typed_as_it_is_found_here(clean_environ, tmp_path, monkeypatch):
    folder = Path(sys.executable).parent
    assert (folder / "alcf-jupyter").exists()
    clean_environ["PATH"] = str(folder)
    assert here.command() == "alcf-jupyter"
    clean_environ["PATH"] = str(tmp_path)
    for place in (folder.parent.parent, tmp_path):
        monkeypatch.chdir(place)
        assert Path(shutil.which(here.command())).samefile(folder / "alcf-jupyter")
    assert here.command() == str(folder / "alcf-jupyter")
