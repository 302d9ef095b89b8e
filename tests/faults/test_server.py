"""The fault server does what its faults say, seen through the standard library's client."""

import ast
import contextlib
import http.client
import json
import socket
import sys
from pathlib import Path

import pytest

from tests.faults import answers, bodies
from tests.faults.faults import FAULTS
from tests.faults.server import BASE, FaultServer, Limits, Served

CHAT = f"{BASE}/sophia/vllm/v1/chat/completions"
EMBED = f"{BASE}/sophia/vllm/v1/embeddings"
UNSEEN = ("cut-without-length", "two-lengths")  # this client does not notice them
BROKEN = (http.client.HTTPException, OSError, ValueError)


def body_of(route, model="m", text="who are you?"):
    if route == CHAT:
        return {"model": model, "messages": [{"role": "user", "content": text}]}
    return {"model": model, "input": [text, "b", "c"], "encoding_format": "base64"}


class Client:
    def __init__(self, server, seconds=60):
        self.wire = http.client.HTTPConnection("127.0.0.1", server.port, timeout=seconds)

    def get(self, path):
        self.wire.request("GET", path)
        answer = self.wire.getresponse()
        return answer.status, json.loads(answer.read())

    def post(self, route, body):
        self.wire.request("POST", route, json.dumps(body), {"Content-Type": "application/json"})
        answer = self.wire.getresponse()
        return answer.status, answer.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wire.close()


def placed(answer):
    """The vectors in the order of their index, whatever their form."""
    rows = sorted(answer["data"], key=lambda row: row["index"])
    return [
        answers.packed(row["embedding"], "base64")
        if isinstance(row["embedding"], list)
        else row["embedding"]
        for row in rows
    ]


def is_right(route, body, raw):
    found, wanted = json.loads(raw), answers.right(body)
    if route == EMBED:
        return placed(found) == placed(wanted)
    said = found["choices"][0]
    if said["finish_reason"] == "length":
        return answers.mark(answers.prompt_of(body)) in said["message"]["content"]
    return said == wanted["choices"][0]


def cases():
    for name, fault in FAULTS.items():
        # the standard library does not know what comes before an answer
        if fault.kind not in ("endless", "huge") and name != "early-hints":
            for route in (CHAT, EMBED):
                if fault.fits(route.removeprefix(f"{BASE}/sophia/vllm/v1/")):
                    yield name, route


def test_each_fault_is_what_it_says():
    with FaultServer() as server:
        for name, route in cases():
            fault = FAULTS[name]
            model = f"{name} {route}"
            server.models[model] = Served([name])
            body = body_of(route, model)
            with Client(server) as client:
                try:
                    status, raw = client.post(route, body)
                except BROKEN:
                    status, raw = 0, b""
            (sent,) = server.ledger.of(model)
            assert sent.fault == name
            if fault.kind in ("right", "smuggled"):
                assert (status, is_right(route, body, raw)) == (200, True), name
                assert sent.delivered, name
            else:
                assert not sent.delivered, name
            if fault.kind == "broken":
                assert status == 0 or name in UNSEEN, name
            if fault.kind == "wrong":
                assert status == 200, name
            if fault.kind in ("refusal", "model"):
                assert status >= 300, name
            if name in bodies.REFUSALS:
                assert (status, raw) == (bodies.REFUSALS[name][0], bodies.REFUSALS[name][2])
            server.models[model].states = ["running"]
            with Client(server) as client:
                status, raw = client.post(route, body)
                assert (status, is_right(route, body, raw)) == (200, True), f"behind {name}"


def read_to_the_end(wire):
    while wire.recv(65_536):
        pass


def test_endless_ones_do_not_end():
    names = sorted(name for name, fault in FAULTS.items() if fault.kind == "endless")
    with (
        FaultServer({name: Served([name]) for name in names}) as server,
        contextlib.ExitStack() as wires,
    ):
        for name in names:
            wire = wires.enter_context(socket.create_connection(("127.0.0.1", server.port), 60))
            body = json.dumps(body_of(CHAT, name)).encode()
            wire.sendall(b"POST %b HTTP/1.1\r\n" % CHAT.encode())
            wire.sendall(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
            server.wait_for(1, name)
            if name in ("drip", "endless-head"):
                # the timeout of a read starts anew with every byte, which is what they live by
                assert all(wire.recv(65_536) for _ in range(3)), name
            else:
                wire.settimeout(0.4)
                with pytest.raises(TimeoutError):
                    read_to_the_end(wire)
        assert server.ledger.in_flight == len(names), "none has ended"


def test_huge_ones_are_huge():
    models = {"a": Served(["long-line"]), "b": Served(["gzip-bomb"])}
    with FaultServer(models) as server, Client(server) as client:
        assert len(client.post(CHAT, body_of(CHAT, "a"))[1]) > 100_000_000
        status, raw = client.post(CHAT, body_of(CHAT, "b"))
        assert (status, len(raw) < 1_000_000) == (200, True)


def test_it_counts_on_its_own():
    with FaultServer({"m": Served(["502", "", "finish-null"])}) as server, Client(server) as client:
        for _ in range(4):
            client.post(CHAT, body_of(CHAT))
        ledger = server.ledger
        assert ledger.texts() == {"who are you?": 4}
        assert ledger.delivered() == {"who are you?": 2}
        assert ledger.faults() == {"502": 1, "finish-null": 1}
        assert [one.number for one in ledger.sent] == [0, 1, 2, 3]
        assert (ledger.in_flight, ledger.most_in_flight, ledger.connections) == (0, 1, 1)
        assert ledger.most_in(60) == 4
        assert all(one.bytes_out > 100 and one.bytes_in > 50 for one in ledger.sent)


def test_its_limits_are_the_gateways():
    now = [1000.0]
    limits = Limits(per_second=10, tokens=14, window=0.5, clock=lambda: now[0])
    with FaultServer(limits=limits) as server, Client(server) as client:
        seen = [client.post(CHAT, body_of(CHAT))[0] for _ in range(3)]
        assert seen == [200, 200, 429], "three words each, and four of their answers"
        now[0] += 0.55
        assert client.post(CHAT, body_of(CHAT))[0] == 200
        now[0] += 1.0
        seen = [client.get(f"{BASE}/status")[0] for _ in range(11)]
        assert seen == [200] * 10 + [429]
        assert limits.refused == 1
        now[0] += 1.0
        assert client.get(f"{BASE}/status")[0] == 200


def test_a_cold_model_starts_by_its_first_request():
    with FaultServer({"m": Served(states=["offline"])}) as server, Client(server) as client:
        listed = client.get(f"{BASE}/sophia/jobs")[1]
        assert listed["running"] + listed["queued"] + listed["stopped"] == []
        assert client.post(CHAT, body_of(CHAT))[0] == 503
        assert server.models["m"].starts == 1
        assert [
            client.get(f"{BASE}/sophia/jobs")[1][where][0]["Model Status"]
            for where in ("queued", "running", "running")
        ] == ["queued", "starting", "running"]
        assert client.post(CHAT, body_of(CHAT))[0] == 200


def test_it_takes_one_token_and_can_refuse_connections():
    with FaultServer(token="right") as server:
        with Client(server) as client:
            assert client.post(CHAT, body_of(CHAT))[0] == 401
        server.refuse()
        with Client(server) as client, pytest.raises(ConnectionRefusedError):
            client.get("/v1/models")
        server.accept()
        server.token = None
        with Client(server) as client:
            assert client.get("/v1/models")[1]["data"][0]["id"] == "m"


def test_it_knows_nothing_of_the_client():
    for name in ("answers", "bodies", "faults", "ledger", "server"):
        tree = ast.parse(Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            modules = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module]
            for module in modules:
                top = module.partition(".")[0]
                assert top in sys.stdlib_module_names or module.startswith("tests.faults"), name
