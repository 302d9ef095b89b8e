"""Writing and reading an embedding frame, beside pandas' own and the bare bytes.

Every case runs in a process of its own, so that its memory is its own, too. Peer: the same frame
through ``DataFrame.to_parquet`` and ``read_parquet(dtype_backend="pyarrow")`` (without that pandas
cannot read its own file of such a column), and vectors as Python lists. Limit: the bare matrix
written and read. Writing ends with the data on the disk (fsync) in ours and in the limit.

    python benchmarks/embedding_file.py                    # 50,000 x 1024
    python benchmarks/embedding_file.py --rows 1000000     # 4 GB: memory shows how it grows
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _figures import tell

TARGET_OUT, TARGET_IN = 0.38, 0.27
CASES = ("ours", "pandas", "lists", "bare")
WHY = {
    "saving an embedding frame": "A Parquet file holds two levels for each number of a list. Arrow "
    "takes most of the time for them; the rest is the disk.",
    "loading an embedding frame": "Arrow reads two levels for each number of a list; then the "
    "vectors are copied into one piece of memory.",
}


def made(rows: int, width: int) -> object:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    flat = np.random.default_rng(1).standard_normal(rows * width, np.float32)
    column = pa.FixedSizeListArray.from_arrays(pa.array(flat), width)
    vectors = pd.arrays.ArrowExtensionArray(pa.chunked_array([column]))
    texts = pd.Series([f"text {i}" for i in range(rows)], dtype="str")
    return pd.DataFrame({"text": texts, "embedding": vectors, "status": "ok"})


def write(case: str, frame: object, path: Path) -> float:
    """Return the seconds of writing."""
    from alcf_jupyter.frames.embedding_file import save_embeddings
    from alcf_jupyter.frames.matrix import matrix

    if case == "lists":
        frame = frame.assign(embedding=[row.tolist() for row in matrix(frame)])
    began = time.perf_counter()
    if case == "ours":
        save_embeddings(frame, path)
    elif case == "bare":
        with path.open("wb") as file:
            matrix(frame).tofile(file)
            os.fsync(file.fileno())
    else:
        frame.to_parquet(path)
    return time.perf_counter() - began


def read(case: str, path: Path, rows: int, width: int) -> float:
    """Return the seconds from the file to a matrix."""
    import numpy as np
    import pandas as pd

    from alcf_jupyter.frames.embedding_file import load_embeddings
    from alcf_jupyter.frames.matrix import matrix

    began = time.perf_counter()
    if case == "ours":
        found = matrix(load_embeddings(path))
    elif case == "bare":
        found = np.fromfile(path, np.float32).reshape(rows, width)
    elif case == "pandas":
        found = matrix(pd.read_parquet(path, dtype_backend="pyarrow"))
    else:
        found = np.stack(pd.read_parquet(path)["embedding"])
    took = time.perf_counter() - began
    if found.shape != (rows, width):
        raise SystemExit("rows were lost")
    return took


def once(case: str, what: str, path: Path, rows: int, width: int) -> None:
    """Measure one case in this process; print its seconds, CPU seconds and bytes it grew by."""
    import alcf_jupyter.frames.embedding_file  # noqa: F401 - what importing takes is not counted

    frame = made(rows, width) if what == "out" else None
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    cpu = time.process_time()
    took = write(case, frame, path) if what == "out" else read(case, path, rows, width)
    cpu = time.process_time() - cpu
    grew = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    print(json.dumps([took, cpu, grew]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", default=".", help="a folder on the disk to be measured")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--once", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.once:
        case, what, path = given.once
        once(case, what, Path(path), given.rows, given.width)
        return
    size = given.rows * given.width * 4
    figures: dict[tuple[str, str], list[tuple[float, float, int]]] = {}
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        for _ in range(given.rounds):
            for case in given.cases:
                for what in ("out", "in"):
                    path = Path(folder, f"{case}.parquet")
                    command = [sys.executable, __file__, "--once", case, what, str(path)]
                    command += ["--rows", str(given.rows), "--width", str(given.width)]
                    done = subprocess.run(command, capture_output=True, text=True, check=True)
                    figures.setdefault((case, what), []).append(json.loads(done.stdout))
    print(f"{given.rows:,} x {given.width} ({size / 1e6:,.0f} MB), median of {given.rounds}")
    head = f"{'':>9}CPU{'memory':>16}"
    print(f"{'':10}{'out':>8}{head}{'in':>9}{head}   (memory: besides the frame)")
    for case in given.cases:
        told = [f"{case:<10}"]
        for what in ("out", "in"):
            seconds, cpu, grew = (
                statistics.median(one) for one in zip(*figures[case, what], strict=True)
            )
            told.append(f"{seconds:7.2f} s{cpu:9.2f} s{grew / 1e6:8,.0f} MB {grew / size:4.2f}x")
        print(" ".join(told))
    middle = {
        at: statistics.median(seconds for seconds, _, _ in told) for at, told in figures.items()
    }
    for what, verb, most in (("out", "saving", TARGET_OUT), ("in", "loading", TARGET_IN)):
        if set(given.cases) == set(CASES):
            tell(
                f"{verb} an embedding frame",
                middle["ours", what],
                "s",
                peer=("pandas, of Arrow", middle["pandas", what]),
                limit=("the bare matrix", middle["bare", what]),
                target=f"<= {most} s",
                reached=middle["ours", what] <= most,
                cases=f"{given.rows:,} x {given.width}, median of {given.rounds}",
            )
    if (given.rows, given.width) == (50_000, 1024):
        print(f"target    {TARGET_OUT:7.2f} s{'':28}{TARGET_IN:6.2f} s")


if __name__ == "__main__":
    main()
