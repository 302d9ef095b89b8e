"""Write docs/measured.md: what the benchmarks measured, each figure beside its peer and its limit.

The benchmarks leave their figures in ``build/figures``. ``python -m tools.figures`` takes them into
docs/figures.json and writes the page; ``--check`` fails when the page is not what would be written,
a benchmark has no figures, or does not say in its ``WHY`` why a target is missed.
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.pages import settle

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
FOUND = ROOT / "build" / "figures"
STORED = ROOT / "docs" / "figures.json"
PAGE = ROOT / "docs" / "measured.md"
BENCHMARKS = ROOT / "benchmarks"

Measured = dict[str, dict[str, Any]]
"""By benchmark, as benchmarks/_figures.py notes it."""

_INTRO = """# What is measured

Written by `python -m tools.figures` from what `make bench` found; nothing here is typed by hand.
Each figure was taken in one run beside a peer, which does the same in the usual way, and a limit,
which nothing could beat; so the ratios say more than the figures, and CPU time more than seconds on
a machine that others use. Everything runs over loopback, without TLS and without the real service,
from which nothing has been measured.
"""


def take() -> Measured:
    """Return the stored figures with what the benchmarks found since."""
    measured: Measured = json.loads(STORED.read_text(encoding="utf-8")) if STORED.exists() else {}
    for path in sorted(FOUND.glob("*.json")):
        measured[path.stem] = json.loads(path.read_text(encoding="utf-8"))
    return measured


def scripts() -> list[str]:
    """Return the names of the benchmarks."""
    return sorted(path.stem for path in BENCHMARKS.glob("[a-z]*.py"))


def page(measured: Measured) -> str:
    """Return the page."""
    lines = [_INTRO]
    for name in scripts():
        lines += [f"## {_title(name)}", ""]
        if name not in measured:
            lines += [f"`benchmarks/{name}.py` has not been run yet.", ""]
            continue
        one = measured[name]
        lines += ["| what | ours | peer | limit | target |", "|---|---|---|---|---|"]
        lines += [_row(what, figure) for what, figure in one["figures"].items()]
        if missed := _missed(name, one):
            lines += ["", "Why a target is missed:", ""]
            lines += [f"- {what}: {why}" for what, why in missed.items()]
        versions = ", ".join(f"{package} {told}" for package, told in one["versions"].items())
        where = f"{one['day']}, {one['machine']} (load {one['load']}), Python {one['python']}"
        lines += ["", f"`benchmarks/{name}.py`, {where}, {versions}.", ""]
    return "\n".join(lines)


def problems(measured: Measured) -> Iterator[str]:
    """Yield what is missing."""
    for name in scripts():
        if not measured.get(name, {}).get("figures"):
            yield f"benchmarks/{name}.py: no figures; type:  make bench"
            continue
        for what, why in _missed(name, measured[name]).items():
            if not why:
                yield f"benchmarks/{name}.py: say in WHY why a target is missed: {what}"
    for name in sorted(set(measured) - set(scripts())):
        yield f"docs/figures.json: there is no benchmark {name}"


def _missed(name: str, measured: dict[str, Any]) -> dict[str, str]:
    """Return the figures of a benchmark that miss their target, and what it says of the reason."""
    said: dict[str, str] = {}
    for node in _script(name).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "WHY":
            said = ast.literal_eval(node.value)
    figures = measured["figures"].items()
    return {what: said.get(what, "") for what, one in figures if one["reached"] is False}


def _script(name: str) -> ast.Module:
    return ast.parse((BENCHMARKS / f"{name}.py").read_text(encoding="utf-8"))


def _title(name: str) -> str:
    first = (ast.get_docstring(_script(name)) or name).split("\n\n")[0]
    return " ".join(first.split()).rstrip(".").replace("``", "`")


def _row(what: str, figure: dict[str, Any]) -> str:
    unit, ours = figure["unit"], figure["ours"]
    cells = [what + (f" ({figure['cases']})" if figure["cases"] else ""), _amount(ours, unit)]
    for other in (figure["peer"], figure["limit"]):
        if other is None:
            cells.append("")
        else:
            ratio = f", {other[1] / ours:.3g} times ours" if ours > 0 else ""
            cells.append(f"{other[0]}: {_amount(other[1], unit)}{ratio}")
    verdict = {True: ": reached", False: ": **missed**", None: ""}[figure["reached"]]
    cells.append(figure["target"] + verdict)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _amount(value: float, unit: str) -> str:
    digits = f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"
    return f"{digits} {unit}".strip()


def main(arguments: Sequence[str]) -> int:
    """Write the page, or check it; return 1 when something is missing."""
    check = "--check" in arguments
    measured: Measured = json.loads(STORED.read_text(encoding="utf-8")) if check else take()
    if not check:
        STORED.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    current = settle(PAGE, page(measured), "figures", check=check)
    found = list(problems(measured))
    for line in found:
        print(line)
    return int(not current or bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
