"""What recording a run costs: appending answers, vectors too, and reading everything back.

The same bytes are written bare in the same groups, one write and one fdatasync each, in the same
folder and in turns: that is the limit. For reading, the limit is reading the bytes.

    python benchmarks/journal.py                 # 100,000 rows, groups of 64, in the current folder
    python benchmarks/journal.py --folder /dev/shm    # without the disk: our own work alone
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from _figures import tell

from alcf_jupyter.frames.record.journal import Journal
from alcf_jupyter.frames.record.journal_content import LINES, VECTORS, read
from alcf_jupyter.frames.record.journal_lines import Row
from alcf_jupyter.frames.record.row_keys import identity, keys

RUN = identity(model="a model")
REPLY = "An answer of the usual length, which names a category and says in a sentence why. " * 5
GROUP = 64
WIDTH = 1024
RATE = 640
"""Texts a second that the service takes at most, 64 in a request: what the cost is a share of."""


def rows(count: int) -> list[Row]:
    return [
        Row(key, "ok", REPLY, finish_reason="stop", tokens=120, seconds=1.25)
        for key in keys(map(str, range(count)), RUN)
    ]


def ours(folder: Path, made: list[Row], vectors: np.ndarray | None) -> tuple[float, float]:
    """Return the seconds and the CPU seconds of appending."""
    with Journal(folder, RUN) as journal:
        began, cpu = time.perf_counter(), time.process_time()
        for start in range(0, len(made), GROUP):
            group = made[start : start + GROUP]
            journal.append(group, None if vectors is None else vectors[: len(group)])
        return time.perf_counter() - began, time.process_time() - cpu


def bare(folder: Path, path: Path, names: list[str]) -> tuple[float, float]:
    """Return the same of writing the same files in groups of lines, and nothing else."""
    groups = []
    for name in names:
        data = (path / name).read_bytes()
        if name == VECTORS:
            size = GROUP * WIDTH * 4
            groups.append([data[at : at + size] for at in range(0, len(data), size)])
        else:
            lines = data.splitlines(keepends=True)[1:]
            cut = range(0, len(lines), GROUP)
            groups.append([b"".join(lines[at : at + GROUP]) for at in cut])
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    handles = [os.open(folder / f"bare-{name}", flags, 0o600) for name in names]
    began, cpu = time.perf_counter(), time.process_time()
    for pieces in zip(*groups, strict=True):
        for handle, piece in zip(handles, pieces, strict=True):
            os.write(handle, piece)
            os.fdatasync(handle)
    took = time.perf_counter() - began, time.process_time() - cpu
    for handle in handles:
        os.close(handle)
    return took


def measure(folder: str, made: list[Row], vectors: np.ndarray | None) -> list[float]:
    """Return wall and CPU seconds of appending, ours and bare, and of reading, ours and bare."""
    names = [LINES] if vectors is None else [VECTORS, LINES]
    with tempfile.TemporaryDirectory(dir=folder) as made_here:
        here = Path(made_here)
        figures = [*ours(here / "run", made, vectors), *bare(here, here / "run", names)]
        began = time.perf_counter()
        found = read(here / "run", RUN)
        figures.append(time.perf_counter() - began)
        if len(found.rows) != len(made):
            raise SystemExit("rows were lost")
        began = time.perf_counter()
        for name in names:
            (here / "run" / name).read_bytes()
        return [*figures, time.perf_counter() - began]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", default=".", help="a folder on the disk to be measured")
    given = parser.parse_args()
    began = time.perf_counter()
    made = rows(given.rows)
    print(f"{given.rows:,} keys and rows made in {time.perf_counter() - began:.2f} s\n")
    vectors = np.random.default_rng(1).random((GROUP, WIDTH), np.float32)
    cases = (
        (f"{given.rows:,} answers", made, None),
        (f"{given.rows // 10:,} vectors of {WIDTH}", made[: given.rows // 10], vectors),
    )
    for name, some, with_vectors in cases:
        rounds = [measure(given.folder, some, with_vectors) for _ in range(given.rounds)]
        wall, cpu, bare_wall, bare_cpu, reading, bare_reading = (
            statistics.median(one) for one in zip(*rounds, strict=True)
        )
        each = 1e6 / len(some)
        share = wall / len(some) * RATE
        print(f"{name}, groups of {GROUP}, median of {given.rounds}")
        print(f"  append        {wall:7.2f} s  {wall * each:7.1f} us a row   CPU {cpu:6.2f} s")
        print(f"  limit         {bare_wall:7.2f} s  {bare_wall * each:7.1f} us a row   ", end="")
        print(f"CPU {bare_cpu:6.2f} s   ratio {wall / bare_wall:.2f}")
        print(f"  open, replay  {reading:7.2f} s  {reading * each:7.1f} us a row")
        print(
            f"  limit         {bare_reading:7.2f} s  {bare_reading * each:7.1f} us a row   ", end=""
        )
        print(f"ratio {reading / bare_reading:.1f}")
        cases = f"{len(some):,} in groups of {GROUP}, median of {given.rounds}"
        what = name.partition(" ")[2]
        tell(
            f"recording {what}",
            wall * each,
            "us a row",
            limit=("writing and syncing the bytes", bare_wall * each),
            target="<= 10 % of the time",
            reached=share <= 0.10,
            cases=cases,
        )
        tell(
            f"opening a record of {what}",
            reading * each,
            "us a row",
            limit=("reading the bytes", bare_reading * each),
            cases=cases,
        )
        print(
            f"  at {RATE} texts a second the record takes {share:.1%} of the time (target 10 %)\n"
        )


if __name__ == "__main__":
    main()
