"""The page of figures is what the benchmarks noted, and every benchmark notes some."""

import ast
import json
import subprocess
import sys

import pytest

from tools import figures as tool

FIGURES = """\
import sys
sys.argv = ["sample.py"]
from pathlib import Path
import _figures
_figures.FOUND = Path({found!r})
_figures.tell("a request", 3.0, "ms", peer=("others", 9.0), limit=("the wire", 1.0),
              target="<= 5 ms", reached=True, cases="median of 7")
_figures.tell("a row | of two", 12_345.6, "us", target="<= 1 us", reached=False)
_figures.tell("a request", 4.0, "ms", peer=("others", 8.0), target="<= 5 ms", reached=True)
"""


def test_the_page_is_current(capsys):
    tool.main(["--check"])
    assert "not current" not in capsys.readouterr().out


def test_an_old_page_is_found(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tool, "PAGE", tmp_path / "measured.md")
    tool.PAGE.write_text("old")
    assert tool.main(["--check"]) == 1
    assert "python -m tools.figures" in capsys.readouterr().out


def test_what_a_benchmark_notes_becomes_a_row(tmp_path, monkeypatch):
    monkeypatch.setattr(tool, "BENCHMARKS", tmp_path)
    monkeypatch.setattr(tool, "FOUND", tmp_path / "found")
    monkeypatch.setattr(tool, "STORED", tmp_path / "figures.json")
    sample = '"""What ``x`` costs.\n\nAnd more."""\n'
    (tmp_path / "sample.py").write_text(sample)
    command = [sys.executable, "-c", FIGURES.format(found=str(tool.FOUND))]
    subprocess.run(command, cwd=tool.ROOT / "benchmarks", check=True, timeout=60)
    measured = tool.take()
    (problem,) = tool.problems(measured)
    assert problem == "benchmarks/sample.py: say in WHY why a target is missed: a row | of two"
    (tmp_path / "sample.py").write_text(sample + 'WHY = {"a row | of two": "It is " "slow."}\n')
    assert list(tool.problems(measured)) == []
    text = tool.page(measured)
    assert "## What `x` costs\n" in text
    assert "| a request | 4 ms | others: 8 ms, 2 times ours |  | <= 5 ms: reached |" in text
    assert "| a row \\| of two | 12,346 us |  |  | <= 1 us: **missed** |" in text
    assert "\n- a row | of two: It is slow.\n" in text
    one = measured["sample"]
    assert f"{one['day']}, {one['machine']} (load {one['load']}), Python" in text
    assert json.loads(json.dumps(measured)) == measured


def test_a_benchmark_without_figures_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(tool, "BENCHMARKS", tmp_path)
    (tmp_path / "sample.py").write_text('"""What it costs."""\n')
    assert "has not been run yet" in tool.page({})
    assert list(tool.problems({"gone": {"figures": {}}})) == [
        "benchmarks/sample.py: no figures; type:  make bench",
        "docs/figures.json: there is no benchmark gone",
    ]


@pytest.mark.parametrize("name", tool.scripts())
def test_every_benchmark_notes_its_figures(name):
    tree = ast.parse((tool.BENCHMARKS / f"{name}.py").read_text(encoding="utf-8"))
    called = {ast.unparse(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    assert "tell" in called
