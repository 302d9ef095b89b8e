"""A prompt over every row: CPU time a request and throughput, beside the OpenAI SDK and the limit.

A server in a process of its own replays a chat's answer over loopback. Ours is ``alcf.map``, from a
table to the frame, recorded and not. Peer: AsyncOpenAI, whose answers' texts stay in a list. Limit:
one socket, each answer decoded with msgspec, and nothing else; with a latency or a quota, what both
leave. Each case runs in a process of its own; they take turns, and medians are printed. CPU time is
steadier than seconds on a machine that others use.

    python benchmarks/map.py             # a minute and a half
    python benchmarks/map.py --large     # 100,000 and 1,000,000 rows, too: half an hour
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _figures import tell
from _replay_server import MODEL, REPLY, replaying, sent
from _workers import Cost, work, workers

if TYPE_CHECKING:
    from _workers import Worker

FEW, LATENCY, IN_FLIGHT, QUOTA = 16, 0.2, 64, 10
TARGET_TIMES, TARGET_IDEAL, TARGET_JOURNAL = 2, 0.95, 0.10
TARGET_QUOTA = 0.90
OURS, UNRECORDED, SDK, LIMIT = "ours", "ours, not recorded", "openai", "socket + msgspec"
CASES = (OURS, UNRECORDED, SDK, LIMIT)
TEMPLATE = "Which kind of material is this about? Answer with one word.\n\n{{text}}"
WHY = {
    "a column with latency": "The answers of a round come together, and one thread reads and "
    "records them, one after the other, while their places stay empty.",
}


def texts(rows: int) -> list[str]:
    """Return texts of the length of a short abstract, all different."""
    more = "on the phonons of a strained perovskite, measured and computed. " * 5
    return [f"Abstract {at:,} {more}" for at in range(rows)]


# what runs in the workers


def ours(url: str, rows: int, in_flight: int | None, *, record: bool) -> Any:
    """Map through the package; the frame is the result."""
    import pandas as pd

    import alcf_jupyter as alcf
    from alcf_jupyter.frames import launch
    from alcf_jupyter.progress import SilentObserver

    if not record:  # there is no way for users to ask for that
        launch._is_one_request = lambda _: True  # noqa: SLF001
    if alcf.client().url != url:
        alcf.connect(url, token="benchmark" if url.endswith("/resource_server") else None)
    table = pd.DataFrame({"text": texts(rows)})
    with tempfile.TemporaryDirectory(dir=os.environ["BENCH_FOLDER"]) as folder:
        frame = alcf.map(
            table,
            TEMPLATE,
            model=MODEL,
            concurrency=in_flight,
            checkpoint=folder if record else None,
            observer=SilentObserver(),
        )
    if (frame["reply"] != REPLY).any():
        raise SystemExit("rows were lost")
    return frame


def sdk(url: str, rows: int, in_flight: int) -> list[str]:
    """Ask through the OpenAI SDK; a list of texts is the result."""
    import openai

    async def run() -> list[str]:
        gate = asyncio.Semaphore(in_flight)
        async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=50) as client:

            async def one(text: str) -> str:
                message = {"role": "user", "content": TEMPLATE.replace("{{text}}", text)}
                async with gate:
                    told = await client.chat.completions.create(model=MODEL, messages=[message])
                return told.choices[0].message.content

            return await asyncio.gather(*map(one, texts(rows)))

    return asyncio.run(run())


def limit(url: str, rows: int) -> list[str]:
    """Ask through one socket; a list of texts is the result."""
    import msgspec

    read, found = msgspec.json.Decoder().decode, []
    host, _, rest = url.removeprefix("http://").partition("/")
    name, _, port = host.partition(":")
    with socket.create_connection((name, int(port))) as sock:
        for text in texts(rows):
            message = {"role": "user", "content": TEMPLATE.replace("{{text}}", text)}
            body = msgspec.json.encode({"model": MODEL, "messages": [message]})
            head = f"POST /{rest}/chat/completions HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n"
            sock.sendall(head.encode() + body)
            data = sock.recv(65_536)
            while (end := data.find(b"\r\n\r\n")) < 0:
                data += sock.recv(65_536)
            length = int(data[:end].split(b"Content-Length: ")[1].split(b"\r\n")[0])
            while len(data) < end + 4 + length:
                data += sock.recv(65_536)
            found.append(read(data[end + 4 :])["choices"][0]["message"]["content"])
    return found


def run(case: str, **order: Any) -> Any:
    """Run a case once."""
    if case in (OURS, UNRECORDED):
        return ours(**order, record=case == OURS)
    if case == LIMIT:
        order.pop("in_flight")
        return limit(**order)
    return sdk(**order)


# what is measured


def cpu(made: dict[str, Worker], runs: int) -> None:
    """Print the CPU time of each case."""
    requests = 1_000
    found: dict[str, list[Cost]] = {case: [] for case in CASES}
    with replaying() as origin:
        for turn in range(runs + 1):
            for case, worker in made.items():
                # the first makes connections and fills caches
                rows = requests if turn else 100
                cost = worker.run(url=f"{origin}/v1", rows=rows, in_flight=FEW)
                if turn:
                    found[case].append(cost)
    print(f"no latency, {FEW} in flight, {requests:,} requests, median of {runs}:\n")
    print(f"{'':<20}{'CPU a request':>15}{'least..most':>16}{'of ours':>9}{'requests/s':>12}")
    middle = {case: statistics.median(one.cpu for one in costs) for case, costs in found.items()}
    for case, costs in found.items():
        each = sorted(one.cpu / requests * 1e6 for one in costs)
        rate = requests / statistics.median(one.seconds for one in costs)
        print(
            f"{case:<20}{middle[case] / requests * 1e6:>12.0f} us"
            f"{f'{each[0]:.0f}..{each[-1]:.0f}':>16}"
            f"{middle[case] / middle[OURS]:>8.2f}x{rate:>12,.0f}"
        )
    times = middle[SDK] / middle[OURS]
    each_us = {case: spent / requests * 1e6 for case, spent in middle.items()}
    tell(
        "a prompt over a column",
        each_us[OURS],
        "us CPU a request",
        peer=("AsyncOpenAI", each_us[SDK]),
        target=f"{TARGET_TIMES} times less than the peer",
        reached=times >= TARGET_TIMES,
        cases=f"{requests:,} requests, median of {runs}",
    )
    print(f"\ntarget: {TARGET_TIMES} times less than openai (here {times:.1f})\n")


def throughput(
    made: dict[str, Worker], origin: str, rows: int, ideal: float, way: str, target: float
) -> None:
    """Print requests a second of each case, beside what can be had."""
    rates: dict[str, float] = {}
    for case in (UNRECORDED, OURS, SDK):
        time.sleep(1.5)  # what the case before has sent counts no longer
        before = sent(origin)["refused"]
        address = "v1" if case == SDK else way
        cost = made[case].run(url=f"{origin}/{address}", rows=rows, in_flight=IN_FLIGHT)
        rates[case] = rows / cost.seconds
        refused = sent(origin)["refused"] - before
        wasted = f"   {refused} refused" if refused else ""
        print(
            f"{case:<20}{rates[case]:>8.1f} requests/s{rates[case] / ideal:>8.1%} of what can be "
            f"had{cost.cpu / rows * 1e6:>9.0f} us CPU a request{wasted}"
        )
    share = 1 - rates[OURS] / rates[UNRECORDED]
    tell(
        "a column under a quota" if way != "v1" else "a column with latency",
        rates[OURS],
        "requests/s",
        peer=("AsyncOpenAI", rates[SDK]),
        limit=("what can be had", ideal),
        target=f">= {target:.0%} of the limit",
        reached=rates[OURS] >= target * ideal,
        cases=f"{rows:,} rows",
    )
    print(f"{'limit':<20}{ideal:>8.1f} requests/s   target {target:.0%}")
    print(f"the record costs {share:.1%} of throughput (target {TARGET_JOURNAL:.0%})\n")


def growth(made: dict[str, Worker], sizes: list[int]) -> None:
    """Print how cost grows with the rows."""
    print("growth, recorded, as many at once as it finds:\n")
    print(f"{'rows':>10}{'seconds':>10}{'CPU a row':>14}{'memory':>14}{'a row':>12}")
    with replaying() as origin:
        for rows in sizes:
            cost = made[OURS].run(url=f"{origin}/v1", rows=rows, in_flight=None)
            print(
                f"{rows:>10,}{cost.seconds:>10.2f}{cost.cpu / rows * 1e6:>11.0f} us"
                f"{cost.grew / 1e6:>11,.0f} MB{cost.grew / rows:>10,.0f} B"
            )
    print()


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--large", action="store_true", help="up to a million rows")
    parser.add_argument("--folder", default=".", help="a folder on the disk to record on")
    parser.add_argument("--parts", nargs="+", default=["cpu", "latency", "quota", "growth"])
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        work(lambda **order: run(given.worker, **order))
        return
    os.environ["BENCH_FOLDER"] = str(Path(given.folder).resolve())
    with workers(__file__, CASES) as made:
        if "cpu" in given.parts:
            cpu(made, given.runs)
        if "latency" in given.parts:
            print(f"answers take {LATENCY * 1e3:.0f} ms, {IN_FLIGHT} requests in flight:\n")
            with replaying(LATENCY) as origin:
                ideal = IN_FLIGHT / LATENCY
                throughput(made, origin, 60 * IN_FLIGHT, ideal, "v1", TARGET_IDEAL)
        if "quota" in given.parts:
            print(f"a quota of {QUOTA} requests a second:\n")
            with replaying(quota=QUOTA) as origin:
                throughput(made, origin, 80, QUOTA, "resource_server", TARGET_QUOTA)
        if "growth" in given.parts:
            growth(made, [1_000, 10_000, *([100_000, 1_000_000] if given.large else [])])


if __name__ == "__main__":
    main()
