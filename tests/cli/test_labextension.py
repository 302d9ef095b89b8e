"""alcf-jupyter install-labextension: the panel, where a JupyterLab finds it."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from jupyterlab_server.config import get_federated_extensions

from alcf_jupyter._version import __version__
from alcf_jupyter.cli import labextension, main
from alcf_jupyter.errors import AlcfError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def users(clean_environ):
    """The user's own folder of extensions."""
    return Path(clean_environ["HOME"], ".local/share/jupyter/labextensions")


@pytest.fixture
def install(capsys):
    """Run the command; return what it says."""

    def run(*options, fails=False):
        assert bool(main(["install-labextension", *options])) is fails
        said = capsys.readouterr()
        return said.err if fails else said.out

    return run


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_it_is_copied_whole_and_jupyterlab_finds_it(install, users):
    told = install("--user")
    assert files(users / "alcf-jupyter") == files(labextension.source())
    assert f"{__version__} in {users / 'alcf-jupyter'}" in told
    found = get_federated_extensions([str(users)])
    assert found["alcf-jupyter"]["version"] == __version__


def test_an_older_one_is_replaced_with_all_its_files(install, users):
    old = users / "alcf-jupyter"
    old.mkdir(parents=True)
    (old / "package.json").write_text('{"version": "0.0.1"}')
    (old / "left.js").write_text("old")
    told = install("--user")
    assert "It replaces 0.0.1." in told
    assert files(old) == files(labextension.source())
    assert [path.name for path in users.iterdir()] == ["alcf-jupyter"]


def test_a_link_is_replaced_and_what_it_leads_to_stays(install, users, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine.js").write_text("mine")
    users.mkdir(parents=True)
    (users / "alcf-jupyter").symlink_to(elsewhere)
    install("--user")
    assert (elsewhere / "mine.js").read_text() == "mine"
    assert not (users / "alcf-jupyter").is_symlink()


def test_twice_is_once(install, users):
    install("--user")
    before = files(users)
    install("--user")
    assert files(users) == before


def test_a_folder_that_cannot_even_be_looked_at(install, clean_environ):
    # as one that belongs to another, but for root, too
    clean_environ["JUPYTER_DATA_DIR"] = f"/{'x' * 300}"
    told = install("--user", fails=True)
    assert "File name too long" in told
    assert len(told.splitlines()) == 2


def test_an_environment_that_cannot_be_written_is_not_the_only_place(
    install, tmp_path, monkeypatch
):
    (tmp_path / "share").write_text("a file where a folder should be")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    told = install(fails=True)
    assert told.endswith("For yourself alone:  alcf-jupyter install-labextension --user\n")
    assert [path.name for path in tmp_path.iterdir()] == ["share"]


def test_what_is_in_the_way_is_told_in_two_lines_and_nothing_is_left(install, users):
    users.parent.mkdir(parents=True)
    users.write_text("a file where the folder should be")
    told = install("--user", fails=True)
    assert str(users) in told
    assert len(told.splitlines()) == 2
    assert users.read_text() == "a file where the folder should be"


def test_a_copy_that_breaks_off_leaves_the_old_one(users, tmp_path, monkeypatch):
    built = tmp_path / "built"
    shutil.copytree(labextension.source(), built)
    old = users / "alcf-jupyter"
    old.mkdir(parents=True)
    (old / "package.json").write_text('{"version": "0.0.1"}')
    (built / "static" / "gone.js").symlink_to(tmp_path / "nowhere")
    monkeypatch.setattr(labextension, "source", lambda: built)
    with pytest.raises(AlcfError, match="cannot be written"):
        labextension.install(user=True)
    assert json.loads((old / "package.json").read_text()) == {"version": "0.0.1"}
    assert [path.name for path in users.iterdir()] == ["alcf-jupyter"]


def test_this_environment_has_what_was_built_last():
    place = Path(sys.prefix, "share/jupyter/labextensions/alcf-jupyter")
    assert files(place) == files(labextension.source()), "type:  make .venv/.installed"


def test_versions_agree():
    package = json.loads((ROOT / "labextension" / "package.json").read_text())
    lock = json.loads((ROOT / "labextension" / "package-lock.json").read_text())
    assert package["version"] == lock["version"] == lock["packages"][""]["version"] == __version__


def test_the_lock_names_no_registry_and_serves_every_platform():
    packages = json.loads((ROOT / "labextension" / "package-lock.json").read_text())["packages"]
    assert [name for name, entry in packages.items() if "resolved" in entry] == []
    optional = {
        name for entry in packages.values() for name in entry.get("optionalDependencies", ())
    }
    assert [name for name in optional if f"node_modules/{name}" not in packages] == []


def test_the_bundle_is_small():
    scripts = (labextension.source() / "static").glob("*.js")
    assert sum(path.stat().st_size for path in scripts) < 100_000
