"""Listing the models: requests, our own time, and what a refresh costs.

A server on loopback lists 200 models on 4 clusters and answers at once, so nearly all that is
measured is our own work. Limit: the same requests with bare httpx, one after the other decoded
with json. Target: one round of parallel requests, under 20 ms of our own CPU time.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
from _figures import tell

from alcf_jupyter.connection.client import Client
from alcf_jupyter.connection.profiles import Profile
from alcf_jupyter.connection.sign_in.credentials import Credential
from alcf_jupyter.frames.models import table
from alcf_jupyter.service.selection import select

CLUSTERS = ("sophia", "metis", "minerva", "polaris")
MODELS = 50
RUNS = 15
TARGET_MS = 20


def answers() -> dict[str, bytes]:
    """Return the answer of every route, as the gateway gives it."""
    names = {c: [f"org-{i % 9}/Model-{i}-Instruct-{c}" for i in range(MODELS)] for c in CLUSTERS}
    listed = {
        c: {
            "base_url": f"/resource_server/{c}",
            "frameworks": {"vllm": {"models": names[c], "endpoints": ["/v1/chat/completions"]}},
        }
        for c in CLUSTERS
    }
    found: dict[str, object] = {"/list-endpoints": {"clusters": listed}}
    found["/status"] = dict.fromkeys(CLUSTERS, True)
    for cluster in CLUSTERS:
        rows = [
            {
                "Models": name,
                "Framework": "vllm",
                "Cluster": cluster,
                "Model Status": "running",
                "Job ID": f"9100{i}.pbs",
                "Job State": "R",
                "Host Name": f"{cluster}-gpu-{i:02}/0*256",
                "Job Comments": "Job run at Sat Nov 21 at 01:10",
                "Nodes Reserved": "1",
                "Walltime": "12:31:07",
            }
            for i, name in enumerate(names[cluster])
        ]
        found[f"/{cluster}/jobs"] = {
            "running": rows,
            "queued": [],
            "stopped": [],
            "others": [],
            "cluster_status": {"free_nodes": 4},
        }
        found[f"/{cluster}/models"] = [{"id": n, "max_model_len": 32768} for n in names[cluster]]
    return {f"/resource_server{path}": json.dumps(body).encode() for path, body in found.items()}


class Server(ThreadingHTTPServer):
    """Answers at once, counts, and notes how many requests were under way at the same time."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, bodies: dict[str, bytes]) -> None:
        self.bodies = bodies
        self.requests = 0
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.requests += 1
        body = self.server.bodies[self.path]
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


async def bare(url: str, paths: list[str]) -> None:
    """Fetch and decode the same with httpx alone."""
    async with httpx.AsyncClient(trust_env=False) as client:
        for answer in await asyncio.gather(*(client.get(f"{url}{path}") for path in paths)):
            json.loads(answer.content)


def join_ms(client: Client) -> float:
    """Return the CPU time of joining, filtering and tabling alone, in ms."""
    directory = client._directory  # noqa: SLF001 - the part without the network
    from alcf_jupyter.service import listing

    began = time.process_time()
    known = listing.join(directory._listed, directory._jobs, directory._details, directory._status)  # noqa: SLF001
    table(select(known))
    return (time.process_time() - began) * 1e3


def main() -> None:
    """Measure, and print each figure beside its limit and its target."""
    bodies = answers()
    server = Server(bodies)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    origin = f"http://127.0.0.1:{server.server_address[1]}"
    profile = Profile("gateway", f"{origin}/resource_server", None)
    ours, limits, joins = [], [], []
    for _ in range(RUNS):
        client = Client(profile, Credential("a-token", "the benchmark"))
        before = server.requests
        began = time.perf_counter()
        known = client.models()
        ours.append((time.perf_counter() - began) * 1e3)
        requests = server.requests - before
        joins.append(join_ms(client))
        began = time.perf_counter()
        asyncio.run(bare(origin, list(bodies)))
        limits.append((time.perf_counter() - began) * 1e3)
    assert len(known.models) == MODELS * len(CLUSTERS)
    mine, limit, own = (statistics.median(values) for values in (ours, limits, joins))
    print(f"{len(known.models)} models on {len(CLUSTERS)} clusters, median of {RUNS} runs")
    print(f"requests                        {requests} (routes there are: {len(bodies)})")
    print(f"own time: join, select, table   {own:7.1f} ms   target {TARGET_MS} ms")
    print(f"client.models(), everything     {mine:7.1f} ms")
    print(f"bare httpx and json (limit)     {limit:7.1f} ms   ratio {mine / limit:.2f}")
    cases = f"{len(known.models)} models, median of {RUNS}"
    target = {"target": f"<= {TARGET_MS} ms", "reached": own <= TARGET_MS}
    tell("own time to join, select and table", own, "ms CPU", **target, cases=cases)
    tell("`alcf.models()`", mine, "ms", limit=("bare httpx and json", limit), cases=cases)


if __name__ == "__main__":
    main()
