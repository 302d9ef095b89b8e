"""A sandbox as a subprocess, spoken to over real sockets."""

import contextlib
import json
import subprocess
import sys
import time
from dataclasses import dataclass

import httpx
import pytest

GATEWAY = "/resource_server"


@dataclass
class Running:
    """A sandbox that runs, with a client that carries its secret."""

    process: subprocess.Popen
    url: str
    secret: str
    client: httpx.Client

    @property
    def port(self):
        return httpx.URL(self.url).port

    def get(self, path, **rest):
        return self.client.get(GATEWAY + path, **rest)

    def post(self, path, body, fault=None, token=None, **rest):
        headers = {"X-Sandbox-Fault": fault} if fault else {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return self.client.post(GATEWAY + path, json=body, headers=headers, **rest)

    def chat(self, content="one two three four five six seven", fault=None, **parameters):
        cluster = parameters.pop("cluster", "sophia/vllm")
        body = {"model": "sandbox/echo", "messages": [{"role": "user", "content": content}]}
        return self.post(f"/{cluster}/v1/chat/completions", {**body, **parameters}, fault=fault)

    def embed(self, texts, fault=None, **parameters):
        body = {"model": "sandbox/embed", "input": texts, **parameters}
        return self.post("/sophia/vllm/v1/embeddings", body, fault=fault)

    def control(self, method, path, body=None, **rest):
        answer = self.client.request(method, f"/sandbox{path}", json=body, **rest)
        answer.raise_for_status()
        return answer.json()


@contextlib.contextmanager
def running(*arguments, **settings):
    command = [sys.executable, "-m", "alcf_jupyter.sandbox", "--with-owner", *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **settings
    ) as process:
        try:
            told = json.loads(process.stdout.readline())
            base = told["url"].removesuffix(GATEWAY)
            headers = {"Authorization": f"Bearer {told['secret']}"}
            with httpx.Client(base_url=base, headers=headers, timeout=60) as client:
                yield Running(process, told["url"], told["secret"], client)
        finally:
            process.stdin.close()
            process.wait(60)
            process.stdout.close()


@pytest.fixture(scope="session")
def start():
    return running


@pytest.fixture(scope="session")
def _shared(tmp_path_factory):
    root = tmp_path_factory.mktemp("batches")
    tokens = [f"--token={role}-token={role}" for role in ("good", "bob", "premium", "expired")]
    options = ("--no-rate-limit", "--seed=1", f"--batch-root={root}", *tokens)
    errors = root / "errors"
    with errors.open("w") as err, running(*options, stderr=err) as sandbox:
        sandbox.root = root
        yield sandbox
    # Whatever it does not expect it writes here, with a traceback.
    assert errors.read_text("utf-8") == ""


@pytest.fixture
def sandbox(_shared):
    """The shared sandbox, with nothing left over from another test."""
    _shared.control("DELETE", "/faults")
    _shared.control("DELETE", "/log")
    _shared.control("POST", "/clock", {"speed": 60})
    _shared.control("POST", "/state", {"model": "sandbox/queued", "state": "Queued"})
    return _shared


def wait_until(happens, seconds=60):
    """Wait until `happens()` is true; return what it tells."""
    end = time.monotonic() + seconds
    while not (told := happens()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return told


def has_ended(root, batch):
    """Whether a batch is done, whatever the database has heard of it."""
    try:
        return bool(json.loads((root / ".batches" / f"{batch}.json").read_text())["outcome"])
    except ValueError:  # it is being written
        return False


def events(answer):
    """Return the events of a stream: dicts, and None for [DONE]."""
    lines = [line for line in answer.text.replace("\r\n", "\n").split("\n") if line]
    assert all(line.startswith("data: ") for line in lines), lines[:3]
    return [None if line == "data: [DONE]" else json.loads(line[6:]) for line in lines]


def spoken(listed):
    """Return the text and the finish reason of a stream's events."""
    choices = [event["choices"][0] for event in listed if event and event.get("choices")]
    text = "".join(choice["delta"].get("content") or "" for choice in choices)
    return text, next((c["finish_reason"] for c in choices if c["finish_reason"]), None)
