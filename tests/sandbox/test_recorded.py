"""Every recorded exchange with a running copy of the gateway, asked of the sandbox.

Compared are the status, the content type, the keys at every depth, an error's whole text but for
ids and times, and of a stream the sequence of its events and their framing.
"""

import json
import re
from pathlib import Path

import httpx
import pytest

from .conftest import has_ended, running, wait_until

HERE = Path(__file__).parent
EXCHANGES = json.loads((HERE.parent / "recorded" / "exchanges.json").read_text("utf-8"))
MODEL = "meta-llama/Meta-Llama-3.1-8B-Instruct"

# What differs on purpose, and why.
DIFFERENT = {
    "chat: model in the wrong case": (
        "the recorded stand-in for vLLM answered to any name; vLLM itself answers 404 to a wrong "
        "case, which the gateway wraps into a 500 (contract, 1.2)"
    ),
}

# What the first caller of a phase finds; set through the control routes.
PHASES = {
    "endpoint offline": [{"model": MODEL, "state": "Unreachable"}],
    "no managers": [{"model": MODEL, "state": "Disconnected"}],
    "no managers: jobs (disconnected)": [
        {"model": model, "state": "Disconnected"}
        for model in (
            "openai/gpt-oss-20b",
            "openai/gpt-oss-120b",
            "mistralai/Mistral-7B-Instruct-v0.3-embed",
            "google/gemma-3-27b-it",
        )
    ],
    "maintenance": [{"cluster": "sophia", "notice": "sophia is under maintenance"}],
    "tokens per minute": [
        {"cluster": "sophia", "notice": ""},
        {"model": "openai/gpt-oss-20b", "state": "Live"},
    ],
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Every exchange asked in the order of the recording, as (status, type, chunks)."""
    root = tmp_path_factory.mktemp("root")
    _write_inputs(root)
    config = f"--config={HERE / 'recorded.json'}"
    with running(config, f"--batch-root={root}", "--latency=0") as sandbox:
        return dict(_ask_all(sandbox, root))


def _write_inputs(root):
    folder = root / "eagle" / "argonne_tpc" / "rec"
    folder.mkdir(parents=True)
    recorded = (HERE.parent / "recorded" / "batch.results.jsonl").read_text("utf-8")
    urls = ["chat/completions"] * 3 + ["bogus", "embeddings"]
    lines = []
    for line, url in zip(recorded.splitlines(), urls, strict=True):
        content = "!400n" if url != "embeddings" and '"status_code":400' in line else "one"
        message = {"role": "user", "content": content}
        body = {"model": MODEL, "messages": [message], "input": ["a", "b"]}
        request = {"custom_id": json.loads(line)["custom_id"], "method": "POST"}
        lines.append(json.dumps({**request, "url": f"/v1/{url}", "body": body}))
    for name in ("in", "crash"):
        (folder / f"{name}-1795255443.jsonl").write_text("\n".join(lines), "utf-8")


def _ask_all(sandbox, root):
    ids = {}
    begun = set()
    nobody = httpx.Client(timeout=60)
    for exchange in EXCHANGES:
        name = exchange["name"]
        for phase, states in PHASES.items():
            if name.startswith(phase) and phase not in begun:
                begun.add(phase)
                for state in states:
                    sandbox.control("POST", "/state", state)
        _prepare(sandbox, root, name, ids.values())
        answer = _ask(nobody, sandbox.url, exchange, ids)
        while name == "request rate exceeded" and answer[0] == 200:  # the next one is too many
            answer = _ask(nobody, sandbox.url, exchange, ids)
        yield name, answer
        if name.startswith("batch create") and answer[0] == 200:
            recorded = json.loads(exchange["response"]["body"])["batch_id"]
            ids[recorded] = json.loads(answer[2][0])["batch_id"]
    nobody.close()


def _prepare(sandbox, root, name, batches):
    """Bring the sandbox to where the recorded gateway was."""
    if name == "batch create":  # what is asked of a batch that runs must find it running
        sandbox.control("POST", "/clock", {"speed": 0.1})
    elif name in ("batch status", "batch status, failed"):
        sandbox.control("POST", "/clock", {"advance": 60, "speed": 60})
        wait_until(lambda: all(has_ended(root, batch) for batch in batches))
    elif name == "request rate exceeded":
        sandbox.control("POST", "/limits", {"requests_per_second": 1})
    elif name == "maintenance: status":
        sandbox.control("POST", "/limits", {"requests_per_second": 0})
    elif name == "tokens per minute 1":
        sandbox.control("POST", "/clock", {"speed": 0.1})
        used = {"model": "openai/gpt-oss-20b", "messages": [{"role": "user", "content": "word"}]}
        sandbox.post("/sophia/vllm/v1/chat/completions", used, token="good-token")
        sandbox.control("POST", "/limits", {"tokens_per_user": 10})


def _ask(client, base, exchange, ids):
    """Return the status, the content type, and the parts in which the body came."""
    asked = exchange["request"]
    path = asked["path"]
    for recorded, ours in ids.items():
        path = path.replace(recorded, ours)
    headers = {"Authorization": f"Bearer {asked['token']}"} if asked["token"] else {}
    if exchange["name"] == "whoami without Bearer":
        headers = {"Authorization": "Token good-token"}
    content = _content(exchange["name"], asked["body"])
    url = f"{base}{path}"
    with client.stream(asked["method"], url, content=content, headers=headers) as answer:
        parts = [part.decode() for part in answer.iter_raw()]
        if answer.headers["content-type"] != "text/event-stream":
            parts = ["".join(parts)]
        return answer.status_code, answer.headers["content-type"], parts


def _content(name, body):
    if body is None:
        return None
    size = re.fullmatch(r"<(\d+) bytes>", body) if isinstance(body, str) else None
    if size is None:
        return body if isinstance(body, str) else json.dumps(body)
    if "2049" in name:
        request = {"model": "Salesforce/SFR-Embedding-Mistral", "input": ["a"] * 2049}
        return json.dumps(request)
    message = {"role": "user", "content": "x" * (int(size[1]) - 100)}
    return json.dumps({"model": MODEL, "messages": [message]}).ljust(int(size[1]))


def keys(value):
    """Return the keys at every depth; a list stands for all its items at once."""
    if isinstance(value, dict):
        return {key: keys(one) for key, one in value.items()}
    if isinstance(value, list):
        merged = {}
        for one in value:
            merged |= _joined(merged, keys(one)) if isinstance(one, dict) else {}
        return [merged]
    return None if value is None else "value"


def _joined(first, second):
    return {key: first.get(key) or second[key] for key in second}


def alike(ours, recorded):
    """Tell whether two outlines agree; null agrees with anything."""
    if ours is None or recorded is None:
        return True
    if isinstance(ours, dict) and isinstance(recorded, dict):
        return set(ours) == set(recorded) and all(alike(ours[k], recorded[k]) for k in ours)
    if isinstance(ours, list) and isinstance(recorded, list):
        return not ours[0] or not recorded[0] or alike(ours[0], recorded[0])
    return ours == recorded


def without_ids(text):
    """Return an error's text without what can never be the same twice."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<uuid>", text)
    text = re.sub(r"\b[0-9a-f]{32}\b", "<id>", text)
    text = re.sub(r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT", "<date>", text)
    text = re.sub(r"Response time: [\d.e-]+", "Response time: <time>", text)
    text = re.sub(r'File \\+"[^"]*\\"', 'File "<path>"', text)
    text = re.sub(r'"(global|user)_model_usage": \d+', r'"\1_model_usage": <n>', text)
    return re.sub(r"http://[^/]*/v1", "http://<host>/v1", text)


def outline(chunks):
    """Return the kinds of a stream's events, repeated ones once."""
    made = []
    for chunk in chunks:
        assert re.fullmatch(r"data: [^\n]+\n\n", chunk), "one event in one chunk"
        if chunk == "data: [DONE]\n\n":
            kind = "done"
        else:
            kind = json.dumps(_blank(json.loads(chunk[6:])), sort_keys=True)
        if not made or made[-1] != kind:
            made.append(kind)
    return made


def _blank(event):
    """Return an event without what differs from one answer to the next; an error keeps its text."""
    if event.get("id") == "chatcmpl-api-error" or event["object"] == "error":
        return json.loads(without_ids(json.dumps({**event, "created": 0})))
    return _without_values(event)


def _without_values(value, key=""):
    if isinstance(value, dict):
        return {name: _without_values(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return [_without_values(one) for one in value]
    if isinstance(value, str) and key not in ("object", "role", "finish_reason"):
        return ""
    return 0 if isinstance(value, int) else value


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange["name"])
def test_recorded(answers, exchange):
    name, recorded = exchange["name"], exchange["response"]
    if name in DIFFERENT:
        assert answers[name][0] != recorded["status"], "no longer different: take it off the table"
        return
    status, content_type, parts = answers[name]
    assert (status, content_type) == (recorded["status"], recorded["content_type"])
    if content_type == "text/event-stream":
        theirs = [text for _, text in recorded["chunks"]]
        assert outline(parts) == outline(theirs)
        return
    theirs = recorded.get("body") or "".join(text for _, text in recorded["chunks"])
    if status >= 400 and name != "batch result, failed":
        for recorded_id, our_id in _ids(answers).items():
            theirs = theirs.replace(recorded_id, our_id)
        assert without_ids(parts[0]) == without_ids(theirs)
    elif content_type.startswith("application/json"):
        ours, theirs = json.loads(parts[0]), json.loads(theirs)
        assert type(ours) is type(theirs)
        assert alike(keys(ours), keys(theirs)), (keys(ours), keys(theirs))


def _ids(answers):
    """Return the recorded ids of batches with those of this run."""
    pairs = {}
    for exchange in EXCHANGES:
        if exchange["name"] in ("batch create", "batch create, will fail"):
            recorded = json.loads(exchange["response"]["body"])["batch_id"]
            pairs[recorded] = json.loads(answers[exchange["name"]][2][0])["batch_id"]
    return pairs


def test_jobs_are_the_recorded_ones(answers):
    # Rows may stand in another order; models of one job, in the order of the catalogue.
    for name in ("jobs sophia", "jobs metis"):
        recorded = next(one for one in EXCHANGES if one["name"] == name)["response"]["body"]
        ours, theirs = json.loads(answers[name][2][0]), json.loads(recorded)
        for place, rows in theirs.items():
            if isinstance(rows, list):
                assert [_without_time(row) for row in ours[place]] == [
                    _without_time(row) for row in rows
                ]
        assert ours["cluster_status"] == theirs["cluster_status"]


def _without_time(row):
    return {key: value for key, value in row.items() if key != "Walltime"}


def test_result_of_a_batch_is_a_python_literal(answers):
    import ast

    told = ast.literal_eval(json.loads(answers["batch result"][2][0]))
    recorded = next(one for one in EXCHANGES if one["name"] == "batch result")["response"]["body"]
    theirs = ast.literal_eval(json.loads(recorded))
    assert set(told) == set(theirs)
    assert (told["lines_processed"], told["num_responses"]) == (5, 2)


def test_failed_batch_tells_a_tuple(answers):
    message = json.loads(answers["batch result, failed"][2][0])["error"]["message"]
    assert message.startswith("('Batch failed: \\n Traceback from worker\\n\\n Traceback (most")
    assert re.search(
        r"', 400, <ASGIRequest: GET '/resource_server/v1/batches/\S+/result'>\)$", message
    )
