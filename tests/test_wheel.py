"""The wheel holds the package, its types and its tutorials, and works without the checkout."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run(*command, cwd):
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check")
    offline = ("--no-index", "--no-deps", "--no-build-isolation")
    run(*pip, *offline, "--wheel-dir", folder, ROOT, cwd=folder)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel):
    return zipfile.ZipFile(wheel).namelist()


def test_every_module_is_in_it_and_its_types(names):
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "alcf_jupyter").rglob("*.py")}
    assert sources <= set(names)
    assert "alcf_jupyter/py.typed" in names


def test_the_tutorials_and_what_they_read_are_in_it(names):
    shipped = {name for name in names if name.startswith("alcf_jupyter/notebooks/")}
    files = ("git", "ls-files", "--cached", "--others", "--exclude-standard", "notebooks")
    wanted = {f"alcf_jupyter/{name}" for name in run(*files, cwd=ROOT).splitlines()}
    not_theirs = {f"alcf_jupyter/notebooks/{name}" for name in ("conftest.py", "sanitize.cfg")}
    assert shipped == wanted - not_theirs
    assert "alcf_jupyter/notebooks/01_first_prompt.ipynb" in shipped


def test_nothing_else_is_in_it(names):
    assert {name.split("/")[0].split("-")[0] for name in names} == {"alcf_jupyter"}
    assert [name for name in names if "test" in name or "__pycache__" in name] == []


def test_it_works_alone(wheel, tmp_path):
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv", cwd=tmp_path)
    site = sysconfig.get_path("purelib", vars={"base": str(tmp_path / "venv")})
    # the packages it stands on, but not the checkout: path files inside are not followed
    Path(site, "others.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    python = tmp_path / "venv" / "bin" / "python"
    where = run(python, "-c", "import alcf_jupyter; print(alcf_jupyter.__file__)", cwd=tmp_path)
    assert where.startswith(str(site))
    run(python, "-m", "alcf_jupyter.cli", "tutorials", "mine", cwd=tmp_path)
    assert "01_first_prompt.ipynb" in os.listdir(tmp_path / "mine")  # noqa: PTH208
    program = "import alcf_jupyter as alcf; print(alcf.connect('sandbox').whoami())"
    assert "sandbox.invalid" in run(python, "-c", program, cwd=tmp_path)
