"""Other Pythons are found by their names, tried, and where there is none that is said."""

import sys
from pathlib import Path

import pytest

from tools import pythons

THIS = "{}.{}".format(*sys.version_info)


@pytest.fixture
def no_pythons(clean_environ, tmp_path):
    """A machine with no Python but what a test puts there."""
    clean_environ["PATH"] = str(tmp_path / "bin")
    clean_environ["PYENV_ROOT"] = str(tmp_path / "pyenv")
    return tmp_path


def put(path, to):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{to}\n")
    path.chmod(0o755)
    return path


def test_the_supported_versions_are_those_of_the_package():
    assert THIS in pythons.supported()
    assert all(version.count(".") == 1 for version in pythons.supported())


def test_one_on_the_path_is_found(no_pythons):
    program = put(no_pythons / "bin" / f"python{THIS}", f'exec "{sys.executable}" "$@"')
    assert pythons.find(THIS) == program


def test_one_that_pyenv_has_but_does_not_switch_on_is_found(no_pythons):
    put(no_pythons / "bin" / f"python{THIS}", "echo 'pyenv: command not found' >&2; exit 127")
    there = no_pythons / "pyenv" / "versions" / f"{THIS}.9" / "bin" / "python"
    put(there, f'exec "{sys.executable}" "$@"')
    assert pythons.find(THIS) == there


@pytest.mark.parametrize("told", ["echo 3.1", "exit 1", "this is no program"])
def test_one_that_is_something_else_is_not_taken(no_pythons, told):
    put(no_pythons / "bin" / f"python{THIS}", told)
    assert pythons.find(THIS) is None


@pytest.mark.usefixtures("no_pythons")
def test_where_there_is_none_that_is_said_and_nothing_fails(capsys):
    assert pythons.main(["3.99"]) == 0
    assert capsys.readouterr().out == ("NOT TESTED on Python 3.99: there is none on this machine\n")


def test_what_is_run_there_is_in_the_checkout():
    assert [name for name in pythons.TESTS if not Path(pythons.CHECKOUT, name).exists()] == []
