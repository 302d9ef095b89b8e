"""Write docs/guarantees.md: what the tests found, most in tests/faults, with cases and seeds.

The tests leave their figures in ``build/guarantees``. ``python -m tools.guarantees`` takes them
into docs/guarantees.json and writes the page; ``--check`` fails when the page is not what would be
written, or a figure is missing or not as promised.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.pages import settle

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
FOUND = ROOT / "build" / "guarantees"
STORED = ROOT / "docs" / "guarantees.json"
PAGE = ROOT / "docs" / "guarantees.md"
SIZES = {"change": "on every change", "release": "for a release"}

Figures = dict[str, dict[str, dict[str, Any]]]
"""By size and by name, as tests/faults/figures.py notes them."""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    name
        What the figures are called; where several begin so, they are told together.
    promise
        What must hold.
    cases
        What is counted.
    least
        How many there must be of them on every change.
    """

    name: str
    promise: str
    cases: str
    least: int


ROWS = (
    Row(
        "schedules",
        "Random columns through random faults: no row lost, sent again once finished, misplaced, "
        "or given a wrong answer; counts add up; no hang",
        "columns",
        1_000,
    ),
    Row(
        "each fault alone in ",
        "Each fault alone in the middle of a column: its row ends as it must, the others do not "
        "notice, and no more is sent than that takes",
        "faults",
        150,
    ),
    Row(
        "kills of ",
        "Killed (SIGKILL) at random and at named points, and run again: the same result, no "
        "finished row sent again, at most `concurrency` requests more for each kill",
        "kills",
        40,
    ),
    Row(
        "interrupt ",
        "Interrupted in a real kernel, in 8 phases from before the first request to writing the "
        "record: control back within a second, with all that had come",
        "interrupts",
        16,
    ),
    Row(
        "storm of requests",
        "Refused for too many requests a second (429), alone and with others who share the limit: "
        "at least 80 % of what is left is used, at most 5 % sent in vain",
        "requests",
        100,
    ),
    Row(
        "storm of tokens",
        "Refused for too many tokens a minute (429): at least 80 % of the limit used, at most 5 % "
        "sent in vain",
        "requests",
        100,
    ),
    Row(
        "cold start",
        "A cold start of 15 minutes: at most 2 requests that start the model, at most 20 looks at "
        "the queue",
        "starts",
        1,
    ),
    Row(
        "soak",
        "One long column through faults in 5 % of requests, kills and expired tokens: nothing "
        "lost or wrong, under 500 MB",
        "rows",
        1_000,
    ),
    Row("long column", "A long column: each row right and sent once", "rows", 500),
    Row(
        "journal ",
        "A record cut off at every byte, and damaged at random: read without a failure, each row "
        "as it was written or not at all",
        "damages",
        10_000,
    ),
    Row(
        "malformed ",
        "Malformed streams, answers, failures and lists of the service: an answer or an error in "
        "words, at once",
        "inputs",
        10_000,
    ),
    Row(
        "hostile text",
        "Hostile text of a model or the service, shown in a real JupyterLab and in nbconvert's "
        "page: no script runs, nothing is fetched",
        "texts shown",
        100,
    ),
    Row(
        "canary",
        "A token looked for in the record, the frame, errors, tracebacks with all variables, "
        "reprs, output and files: nowhere",
        "places",
        10,
    ),
)

_INTRO = """# What is guaranteed, and what the tests found

Written by `python -m tools.guarantees` from what the tests found, most of them in `tests/faults`;
nothing here is typed by hand. `make test` runs the smaller size, `make faults` the larger one.

A server on raw sockets, which shares no code with the package, fails in more than a hundred ways by
a schedule, and keeps its own count of what it was sent. What a row must hold follows from its text
alone, so each answer is checked without asking the package. 0 wrong in N cases says with 95 %
confidence that fewer than 3 in N would be wrong. How much of a limit is used leaves out what the
machine took for others, as far as it tells.

Three things are not promised, because nobody can: sending exactly once (the gateway has no key for
that: what was under way in a crash is sent again), noticing a piece that was lost in the middle of
a streamed answer (columns never stream), and noticing an answer that the service itself gave to the
wrong request. The service itself has not been measured from where these tests run.
"""


def take() -> Figures:
    """Return the stored figures with what the tests found since."""
    figures: Figures = json.loads(STORED.read_text(encoding="utf-8")) if STORED.exists() else {}
    for path in sorted(FOUND.glob("*.json")):
        one = json.loads(path.read_text(encoding="utf-8"))
        name = path.name.removesuffix(f".{one['size']}.json")
        figures.setdefault(one.pop("size"), {})[name] = one
    return figures


def page(figures: Figures) -> str:
    """Return the page."""
    sizes = [size for size in SIZES if size in figures]
    lines = [_INTRO, f"| what is tried | {' | '.join(SIZES[size] for size in sizes)} |"]
    lines.append("|---" * (1 + len(sizes)) + "|")
    for row in ROWS:
        cells = [_cell(row, _of(row, figures[size])) for size in sizes]
        lines.append(f"| {row.promise} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def problems(figures: Figures) -> Iterator[str]:
    """Yield what is missing or not as promised."""
    for row in ROWS:
        found = _of(row, figures.get("change", {}))
        tried = sum(one["tried"] for one in found.values())
        if tried < row.least:
            yield f"{row.name.strip()}: {tried} {row.cases} tried, {row.least} are promised"
    for size, by_name in figures.items():
        for name, one in by_name.items():
            if one["wrong"]:
                yield f"{name} ({size}): {one['wrong']}"


def _of(row: Row, by_name: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: one for name, one in by_name.items() if name.startswith(row.name)}


def _cell(row: Row, found: dict[str, dict[str, Any]]) -> str:
    if not found:
        return "not run"
    tried = sum(one["tried"] for one in found.values())
    seeds = {one["seeds"] for one in found.values()} - {""}
    wrong = [f"{count} {what}" for one in found.values() for what, count in one["wrong"].items()]
    parts = [f"{tried:,} {row.cases}" + (f" (seeds {', '.join(sorted(seeds))})" if seeds else "")]
    parts.append("; ".join(wrong) if wrong else _none_wrong(tried))
    for name, one in found.items():
        label = name.removeprefix(row.name).strip(" ,")
        if one["told"]:
            parts.append(f"{label}: {one['told']}" if label else one["told"])
    parts.append(max(one["day"] for one in found.values()))
    return "<br>".join(part for part in parts if part)


def _none_wrong(tried: int) -> str:
    share = f"**0 wrong**, so under {300 / tried:.2g} %"
    return share if tried >= 10 else "**0 wrong**"


def main(arguments: Sequence[str]) -> int:
    """Write the page, or check it; return 1 when something is not as promised."""
    check = "--check" in arguments
    figures: Figures = json.loads(STORED.read_text(encoding="utf-8")) if check else take()
    if not check:
        STORED.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    current = settle(PAGE, page(figures), "guarantees", check=check)
    found = list(problems(figures))
    for line in found:
        print(line)
    return int(not current or bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
