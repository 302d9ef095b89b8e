"""The wheel holds the package, types, tutorials and the JupyterLab extension; it works alone."""

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from alcf_jupyter._version import __version__

ROOT = Path(__file__).resolve().parents[1]
EXTENSION = ".data/data/share/jupyter/labextensions/alcf-jupyter/"
SDIST = """
import sys
sys.path.insert(0, "labextension")
import build_backend
print(build_backend.build_sdist(sys.argv[1]))
"""


def run(*command, cwd):
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, capture_output=True, text=True, timeout=300, check=False
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


def test_the_jupyterlab_extension_is_in_it_as_it_was_built(wheel, names):
    [root] = {name.partition(EXTENSION)[0] + EXTENSION for name in names if EXTENSION in name}
    assert root.startswith("alcf_jupyter-")
    built = ROOT / "alcf_jupyter" / "labextension"
    shipped = {name.removeprefix(root) for name in names if name.startswith(root)}
    assert shipped == {
        path.relative_to(built).as_posix() for path in built.rglob("*") if path.is_file()
    }
    with zipfile.ZipFile(wheel) as archive:
        package = json.loads(archive.read(f"{root}package.json"))
    assert package["version"] == __version__
    # what JupyterLab loads first is there
    assert package["jupyterlab"]["_build"]["load"] in shipped


def test_nothing_else_is_in_it(names):
    assert {name.split("/")[0].split("-")[0] for name in names} == {"alcf_jupyter"}
    data = [name for name in names if ".data/" in name]
    assert [name for name in data if EXTENSION not in name] == []
    assert [name for name in names if "test" in name or "__pycache__" in name] == []
    assert [name for name in names if name.startswith("alcf_jupyter/labextension")] == []


def test_a_source_distribution_needs_no_node(tmp_path):
    done = run(sys.executable, "-c", SDIST, tmp_path, cwd=ROOT)
    with tarfile.open(tmp_path / done.split()[-1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    built = ROOT / "alcf_jupyter" / "labextension"
    assert {path.relative_to(ROOT).as_posix() for path in built.rglob("*.js*")} <= names
    assert {"labextension/package-lock.json", "labextension/build_backend.py"} <= names
    assert [name for name in names if "node_modules" in name or "generated" in name] == []


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
