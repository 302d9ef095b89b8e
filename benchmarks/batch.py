"""What writing the input of a batch and reading its results cost, and how that grows.

Writing: 150,000 rows of two columns to a file of requests; beside it stand the usual ways (iterrows
with json, a tenth of the rows; zip with msgspec) and the limit, writing the same bytes. Reading:
150,000 answers of 1.9 KB to a frame; beside it ``pandas.read_json``, a loop with msgspec, and the
limit, reading the bytes. Memory is the growth of a process of its own to its peak. With ``--all``
reading is measured from 10,000 to 1,000,000 lines, to a frame and to Parquet.

Each way is measured several times by turns in this one run; the best of each is printed, since
whatever else the machine does only ever adds. Ours reads in two threads, so its CPU time stands
beside it.

    python benchmarks/batch.py            # about two minutes
    python benchmarks/batch.py --all      # and how it grows, to 1,000,000 lines (2 GB of disk)
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _figures import tell

if TYPE_CHECKING:
    from collections.abc import Callable

    Took = dict[str, tuple[float, float]]

ROWS = 150_000
PARAGRAPH = (
    "**Summary.** The abstract reports measurements at 3 °C to 25 °C of the "
    '"critical" exponent β ≈ 0.326(5).\n\n- category: condensed matter\n- confidence: high\n\n'
    "The authors' main claim is that the transition is continuous: the order parameter vanishes "
    "as a power law, and the correlation length diverges with Δ = 1.24. They compare four samples, "
    "each 10 µm thick, with the Monte Carlo results of earlier work, and find agreement within one "
    "standard deviation.\n"
)
TEXT = PARAGRAPH * 8
BODY = {
    "id": "chatcmpl-cdd3597f5a0a47bcb5a330a72fb754fe",
    "object": "chat.completion",
    "created": 1795255446,
    "model": "meta-llama/Meta-Llama-3.1-8B-Instruct",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "reasoning_content": None,
                "content": "",
                "tool_calls": [],
            },
            "logprobs": None,
            "finish_reason": "stop",
            "stop_reason": None,
        }
    ],
    "usage": {
        "prompt_tokens": 410,
        "total_tokens": 700,
        "completion_tokens": 290,
        "prompt_tokens_details": None,
    },
    "prompt_logprobs": None,
}
TEMPLATE = "Classify: {{title}}\n\n{{abstract}}"
MODEL = "meta-llama/Meta-Llama-3.1-8B-Instruct"
WHY = {
    "writing a batch's input": "Making a JSON string of each text takes four times the bare write "
    "by itself.",
    "reading a batch's results": "It was 6 to 10 times in different runs on shared machines; most "
    "of it is reading the JSON.",
}


def make_results(path: Path, rows: int) -> None:
    """Write the answers of a batch as vLLM writes them."""
    choice: Any = BODY["choices"][0]  # type: ignore[index]
    with path.open("w", encoding="utf-8") as file:
        for n in range(rows):
            start = 37 * n % 400
            choice["message"]["content"] = TEXT[start : start + 1200]
            response = {"status_code": 200, "request_id": f"vllm-batch-{n:032x}", "body": BODY}
            line = {"id": f"vllm-{n:032x}", "custom_id": f"row-{n}", "response": response}
            told = json.dumps({**line, "error": None}, ensure_ascii=False, separators=(",", ":"))
            file.write(f"{told}\n")


def readers(path: Path) -> dict[str, Callable[[], int]]:
    """Return the ways to read results; each returns how many rows there are."""
    import msgspec
    import pandas as pd

    import alcf_jupyter as alcf

    def loop() -> int:
        decode = msgspec.json.Decoder().decode
        with path.open("rb") as file:
            told = [decode(line) for line in file]
        rows = [
            (
                one["custom_id"],
                one["response"]["body"]["choices"][0]["message"]["content"],
                one["response"]["body"]["usage"]["total_tokens"],
            )
            for one in told
        ]
        return len(pd.DataFrame(rows, columns=["custom_id", "reply", "tokens"]))

    def bare() -> int:
        count = 0
        with path.open("rb", buffering=0) as file:
            space = bytearray(4_000_000)
            while size := file.readinto(space):
                count += size
        return count

    return {
        "alcf_jupyter": lambda: len(alcf.read_batch_results(path)),
        "pandas.read_json": lambda: len(pd.read_json(path, lines=True)),
        "msgspec in a loop": loop,
        "reading the bytes": bare,
    }


def to_parquet(path: Path) -> int:
    """Read results to Parquet, as one does with more than fits into memory."""
    import pyarrow.parquet

    import alcf_jupyter as alcf

    out = alcf.read_batch_results(path, out=path.with_suffix(".parquet"))
    return int(pyarrow.parquet.read_metadata(out).num_rows)


def memory_of(way: str, path: Path) -> float:
    """Return by how many MB a process grows to its peak while it reads results."""
    command = [sys.executable, __file__, "--memory", way, str(path)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure_memory(way: str, path: Path) -> None:
    """Print the growth of this process to its peak, in MB."""
    small = path.with_name("small.jsonl")
    (readers(small) | {"to Parquet": lambda: to_parquet(small)})[way]()  # imports are not counted
    before = resident("VmRSS")
    (readers(path) | {"to Parquet": lambda: to_parquet(path)})[way]()
    print((resident("VmHWM") - before) / 1e6)


def resident(what: str) -> int:
    """Return the bytes of this process that are in memory now (VmRSS), or were at most (VmHWM)."""
    told = Path("/proc/self/status").read_text(encoding="ascii").partition(f"{what}:")[2]
    return int(told.split()[0]) * 1024


def writers(folder: Path) -> dict[str, Callable[[], int]]:
    """Return the ways to write the input of a batch; each returns its bytes."""
    import msgspec
    import pandas as pd

    from alcf_jupyter.frames.batch.requests import requests
    from alcf_jupyter.frames.batch.writer import write_files

    frame = pd.DataFrame(
        {
            "title": [f"Title number {n}" for n in range(ROWS)],
            "abstract": [TEXT[37 * n % 400 :][:300] for n in range(ROWS)],
        }
    )
    whole = b""

    def request(n: int, title: str, abstract: str) -> dict[str, Any]:
        content = f"Classify: {title}\n\n{abstract}"
        return {
            "custom_id": f"row-{n}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": MODEL, "messages": [{"role": "user", "content": content}]},
        }

    def ours() -> int:
        asked = requests(
            frame, TEMPLATE, kind="chat", model=MODEL, system=None, schema=None, params={}
        )
        written = write_files(asked, folder, private=True)
        return sum((folder / part.name).stat().st_size for part in written.named("ours"))

    def slow() -> int:
        with (folder / "iterrows.jsonl").open("w", encoding="utf-8") as file:
            for n, row in frame.head(ROWS // 10).iterrows():
                file.write(json.dumps(request(int(n), row["title"], row["abstract"])) + "\n")
        return (folder / "iterrows.jsonl").stat().st_size

    def zipped() -> int:
        encode = msgspec.json.Encoder().encode
        rows = zip(range(ROWS), frame["title"], frame["abstract"], strict=True)
        with (folder / "zip.jsonl").open("wb") as file:
            for row in rows:
                file.write(encode(request(*row)) + b"\n")
        return (folder / "zip.jsonl").stat().st_size

    def bare() -> int:
        nonlocal whole
        whole = whole or (folder / "ours.jsonl").read_bytes()
        return (folder / "bare.jsonl").write_bytes(whole)

    ours()
    bare()
    return {
        "alcf_jupyter": ours,
        "zip and msgspec": zipped,
        "iterrows, a tenth": slow,
        "writing the bytes": bare,
    }


def best_of(ways: dict[str, Callable[[], int]], rounds: int, slow: set[str]) -> Took:
    """Return the shortest seconds of each way and their CPU; those in `slow` are tried twice."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for turn in range(rounds):
        for name, way in ways.items():
            if turn < 2 or name not in slow:
                began, cpu = time.perf_counter(), time.process_time()
                way()
                took = time.perf_counter() - began, time.process_time() - cpu
                found[name].append(took)
    return {name: min(took) for name, took in found.items()}


def show(title: str, took: Took, memory: dict[str, float] | None = None) -> None:
    """Print seconds and CPU seconds, and each as a multiple of ours."""
    print(f"\n{title}")
    ours = took["alcf_jupyter"][0]
    for name, (wall, cpu) in took.items():
        grown = f"{memory[name]:>9,.0f} MB" if memory and name in memory else ""
        print(f"  {name:<20}{wall:>8.2f} s   CPU {cpu:>6.2f} s   {wall / ours:>7.2f} x{grown}")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", help="where to write; the temporary folder by default")
    parser.add_argument("--all", action="store_true", help="also how reading grows")
    parser.add_argument("--memory", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    if given.memory:
        measure_memory(given.memory[0], Path(given.memory[1]))
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        make_results(folder / "small.jsonl", 10)
        path = folder / "results.jsonl"
        make_results(path, ROWS)
        took = best_of(writers(folder), given.rounds, {"iterrows, a tenth"})
        show(f"Writing {ROWS:,} rows as a batch's input, best of {given.rounds}", took)
        limit = took["alcf_jupyter"][0] / took["writing the bytes"][0]
        print(f"  ours is {limit:.1f} x the bare write (target <= 5)")
        tell(
            "writing a batch's input",
            took["alcf_jupyter"][0],
            "s",
            peer=("zip and msgspec", took["zip and msgspec"][0]),
            limit=("writing the bytes", took["writing the bytes"][0]),
            target="<= 5 times the limit",
            reached=limit <= 5,
            cases=f"{ROWS:,} rows, best of {given.rounds}",
        )
        for written in ("ours", "iterrows", "zip", "bare"):
            (folder / f"{written}.jsonl").unlink()
        ways = readers(path)
        took = best_of(ways, given.rounds, {"pandas.read_json", "msgspec in a loop"})
        memory = {way: memory_of(way, path) for way in ways if way != "reading the bytes"}
        show(
            f"Reading {ROWS:,} answers ({path.stat().st_size / ROWS:,.0f} bytes each)", took, memory
        )
        faster = took["pandas.read_json"][0] / took["alcf_jupyter"][0]
        smaller = memory["pandas.read_json"] / memory["alcf_jupyter"]
        print(f"  {faster:.1f} x as fast as pandas (target >= 10), ", end="")
        print(f"{smaller:.1f} x less growth (target >= 8)")
        cases = f"{ROWS:,} answers, best of {given.rounds}"
        tell(
            "reading a batch's results",
            took["alcf_jupyter"][0],
            "s",
            peer=("pandas.read_json", took["pandas.read_json"][0]),
            limit=("reading the bytes", took["reading the bytes"][0]),
            target="10 times as fast as the peer",
            reached=faster >= 10,
            cases=cases,
        )
        tell(
            "memory of reading a batch's results",
            memory["alcf_jupyter"],
            "MB",
            peer=("pandas.read_json", memory["pandas.read_json"]),
            target="8 times less than the peer",
            reached=smaller >= 8,
            cases=cases,
        )
        path.unlink()
        if given.all:
            growth(folder)


def growth(folder: Path) -> None:
    """Print how reading grows with the lines: to a frame, and to Parquet."""
    print(
        f"\n{'lines':>10}{'frame':>12}{'per line':>11}{'growth':>11}{'Parquet':>12}{'growth':>11}"
    )
    readers(folder / "small.jsonl")["alcf_jupyter"]()  # imports are not counted
    for rows in (10_000, 100_000, 1_000_000):
        path = folder / f"{rows}.jsonl"
        make_results(path, rows)
        began = time.perf_counter()
        readers(path)["alcf_jupyter"]()
        frame = time.perf_counter() - began
        began = time.perf_counter()
        if to_parquet(path) != rows:
            raise SystemExit("rows were lost")
        parquet = time.perf_counter() - began
        grown = [memory_of(way, path) for way in ("alcf_jupyter", "to Parquet")]
        print(
            f"{rows:>10,}{frame:>10.2f} s{1e6 * frame / rows:>8.1f} us{grown[0]:>8,.0f} MB"
            f"{parquet:>10.2f} s{grown[1]:>8,.0f} MB",
            flush=True,
        )
        path.unlink()
        path.with_suffix(".parquet").unlink()


if __name__ == "__main__":
    main()
