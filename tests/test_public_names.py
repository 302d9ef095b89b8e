"""What is public is named, documented, and of one version."""

import inspect
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import alcf_jupyter

CHANGELOG = Path(__file__).resolve().parents[1] / "CHANGELOG.md"


def members(name):
    """The function itself, or the class and the methods it defines."""
    value = getattr(alcf_jupyter, name)
    yield name, value
    if inspect.isclass(value):
        for attribute, member in vars(value).items():
            if not attribute.startswith("_") and inspect.isfunction(member):
                yield f"{name}.{attribute}", member


def documented():
    for name in alcf_jupyter.__all__:
        if callable(getattr(alcf_jupyter, name)):
            yield from (pytest.param(value, id=full) for full, value in members(name))


def test_all_is_what_is_public_and_sorted():
    assert alcf_jupyter.__all__ == sorted(set(alcf_jupyter.__all__))
    program = "import alcf_jupyter; print(*(n for n in dir(alcf_jupyter) if n[:1] != '_'))"
    listed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    public = {name for name in alcf_jupyter.__all__ if not name.startswith("_")}
    assert set(listed) == public


@pytest.mark.parametrize("name", alcf_jupyter.__all__)
def test_every_public_name_is_there(name):
    assert getattr(alcf_jupyter, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = alcf_jupyter.no_such_name


@pytest.mark.parametrize("value", list(documented()))
def test_the_docstring_is_a_sentence_and_names_every_parameter(value):
    text = inspect.getdoc(value) or ""
    first = text.split("\n\n")[0]
    assert first.endswith("."), "the first paragraph is a sentence"
    parameters = [
        parameter.name
        for parameter in inspect.signature(value).parameters.values()
        if parameter.name not in {"self", "cls"} and not parameter.name.startswith("_")
    ]
    if inspect.isclass(value) or not parameters:
        return
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w+\n-+$|\Z)", text, re.MULTILINE | re.DOTALL)
    named = set(
        re.findall(r"^\*{0,2}(\w+)|, \*{0,2}(\w+)", section[1] if section else "", re.MULTILINE)
    )
    named = {name for pair in named for name in pair} | set(re.findall(r"`(\w+)`", text))
    missing = set(parameters) - named
    # one function may leave its parameters to another that documents them
    refers = re.search(r"[Ss]ee `(\w+)` for", text) or re.search(r"[Aa]s (?:for )?`(\w+)`", text)
    assert not missing or (refers and hasattr(alcf_jupyter, refers[1])), missing


def test_no_room_stands_where_a_function_of_its_name_is_public():
    program = (
        "import importlib, pkgutil, types, alcf_jupyter\n"
        "for found in pkgutil.walk_packages(alcf_jupyter.__path__, 'alcf_jupyter.'):\n"
        "    if not found.name.endswith('__main__'): importlib.import_module(found.name)\n"
        "for name in alcf_jupyter.__all__:\n"
        "    if isinstance(getattr(alcf_jupyter, name), types.ModuleType): print(name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_one_version_everywhere():
    assert alcf_jupyter.__version__ == metadata.version("alcf-jupyter")
    newest = re.search(r"^## \[(\d[^]]*)\]", CHANGELOG.read_text(encoding="utf-8"), re.MULTILINE)
    assert newest
    assert newest[1] == alcf_jupyter.__version__
