"""Imports run one way; imports inside functions count too."""

import ast
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "alcf_jupyter"
# What stands further left is imported by what stands further right, never the other way round.
ORDER = (
    {"errors", "names", "plain", "progress", "shell", "typed", "user_warning"},
    {"service"},
    {"connection"},
    {"prompt"},
    {"frames"},
    {"notebook"},
    {"cli"},
)
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}
ALONE = "sandbox"
# the package's own __init__ loads every room by name, when its names are asked for
EXEMPT = {"__init__", "_version"}
# what importing from the package itself amounts to: its public names come from every room
ABOVE_THE_ROOMS = RANK["notebook"]


def room_of(path, package):
    return path.relative_to(package).with_suffix("").parts[0]


def imported(path, package):
    """Every module that the file at `path` imports, by its full name."""
    parts = (package.name, *path.relative_to(package).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = parts[: len(parts) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            # `from package import room` names the room in the list of names
            yield from (
                {f"{module}.{a.name}" for a in node.names} if module == package.name else [module]
            )


def wrong_imports(package):
    """Every import that runs against the order, as `file imports module`."""
    wrong = []
    for path in sorted(package.rglob("*.py")):
        room = room_of(path, package)
        if room in EXEMPT:
            continue
        for name in imported(path, package):
            top, _, rest = name.partition(".")
            target = rest.partition(".")[0]
            if top != package.name:
                bad = RANK.get(room, 9) <= RANK["service"] and top not in sys.stdlib_module_names
            elif ALONE in (room, target):
                bad = room != target
            elif target in {"_version", "__version__"}:
                bad = False
            else:
                bad = RANK.get(target, ABOVE_THE_ROOMS) > RANK[room]
            if bad:
                wrong.append(f"{path.relative_to(package)} imports {name}")
    return wrong


def test_the_package_keeps_the_order():
    assert wrong_imports(PACKAGE) == []


def test_every_room_has_its_place():
    rooms = {room_of(path, PACKAGE) for path in PACKAGE.rglob("*.py")}
    assert rooms - EXEMPT - {ALONE} <= set(RANK)
    assert {"errors", "service", "connection", "prompt", "notebook", "cli", "sandbox"} <= rooms


def test_every_package_it_imports_is_declared():
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    declared = [*project["dependencies"], *extras["lab"], *extras["fast"], *extras["map"]]
    names = {re.match(r"[\w-]+", line)[0].lower() for line in declared}
    names |= {"jupyter-client", "nbformat"}  # JupyterLab stands on them; asked for with care
    owners = metadata.packages_distributions()
    undeclared = {
        f"{path.relative_to(PACKAGE)} imports {module}"
        for path in PACKAGE.rglob("*.py")
        for module in imported(path, PACKAGE)
        if (top := module.partition(".")[0]) not in sys.stdlib_module_names
        and top != PACKAGE.name
        and not names & {owner.lower().replace("_", "-") for owner in owners.get(top, [top])}
    }
    assert undeclared == set()


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("errors.py", "from demo.service import catalog"),
        ("service/catalog.py", "import httpx"),
        ("service/catalog.py", "def f():\n    import pandas.core"),
        ("service/catalog.py", "from demo import connection"),
        ("service/catalog.py", "from .. import prompt"),
        ("connection/client.py", "from demo.prompt.reply import Reply"),
        ("connection/client.py", "def f():\n    from ..prompt import reply"),
        ("connection/client.py", "import demo"),
        ("prompt/ask.py", "from demo import models"),
        ("frames/column.py", "from demo.notebook import display"),
        ("notebook/magics.py", "import demo.cli"),
        ("sandbox/server.py", "from demo.service import limits"),
        ("cli.py", "from demo.sandbox import server"),
    ],
)
def test_an_import_against_the_order_is_found(tmp_path, file, line):
    path = tmp_path / "demo" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(line)
    assert len(wrong_imports(tmp_path / "demo")) == 1


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("errors.py", "import re"),
        ("service/dialect.py", "from demo import errors"),
        ("service/dialect.py", "from . import catalog"),
        ("service/dialect.py", "from .catalog import Model"),
        ("connection/client.py", "import httpx\nfrom demo._version import __version__"),
        ("notebook/magics.py", "import demo as alcf"),
        ("sandbox/server.py", "from demo.sandbox import clock\nfrom .models import echo"),
        ("cli.py", "from demo import __version__, notebook"),
    ],
)
def test_an_import_with_the_order_passes(tmp_path, file, line):
    path = tmp_path / "demo" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(line)
    assert wrong_imports(tmp_path / "demo") == []
