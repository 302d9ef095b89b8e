"""Batches, run for real on files under the sandbox's own folder."""

import ast
import json
import re
import stat
import time
from pathlib import Path

import pytest

from .conftest import has_ended, wait_until

FOLDER = "/eagle/project"
CHAT = "/v1/chat/completions"
LATER = {"advance": 120}


def line(number, url=CHAT, **body):
    message = {"role": "user", "content": f"row {number}"}
    usual = {"model": "sandbox/echo", "messages": [message]}
    request = {"custom_id": f"req-{number}", "method": "POST", "url": url}
    return json.dumps({**request, "body": {**usual, **body}})


@pytest.fixture(scope="module")
def batches(start, tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    (root / "eagle" / "project").mkdir(parents=True)
    tokens = "--token=bob-token=bob"
    with start("--no-rate-limit", f"--batch-root={root}", tokens, "--clock-speed=600") as sandbox:
        limits = {"batches_per_user": 100, "batch_chunk_lines": 4, "batch_chunk_seconds": 1}
        sandbox.control("POST", "/limits", limits)
        sandbox.root = root
        yield sandbox


def submit(sandbox, lines, name, fault=None, **more):
    path = sandbox.root / "eagle" / "project" / f"{name}.jsonl"
    path.write_text("\n".join(lines), "utf-8")
    body = {"model": "sandbox/echo", "input_file": f"{FOLDER}/{name}.jsonl", **more}
    body.setdefault("output_folder_path", FOLDER)
    answer = sandbox.post("/sophia/vllm/v1/batches", body, fault=fault)
    assert answer.status_code == 200, answer.text
    return answer.json()["batch_id"]


def finish(sandbox, batch):
    """Let the clock run until the database knows; return the status."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        sandbox.control("POST", "/clock", LATER)
        status = sandbox.get(f"/v1/batches/{batch}").json()
        if status != "pending":
            break
        time.sleep(0.02)
    return status


def result(sandbox, batch):
    return sandbox.get(f"/v1/batches/{batch}/result")


def summary(sandbox, batch):
    told = result(sandbox, batch).json()
    assert isinstance(told, str)
    return ast.literal_eval(told)


def on_disk(sandbox, path):
    return sandbox.root / path.lstrip("/")


def test_a_batch_from_file_to_results(batches):
    lines = [line(n) for n in range(6)]
    lines[1] = lines[1].replace("row 1", "row\u2028 1\x85")
    lines[2] = line(2, max_tokens=100_000)
    lines[3] = line(3, url="/v1/bogus")
    batches.control("POST", "/clock", {"speed": 0.1})
    batch = submit(batches, [*lines, ""], "good")
    assert result(batches, batch).json()["error"]["code"] == "batch_ongoing"
    batches.control("POST", "/clock", {"speed": 600})
    assert finish(batches, batch) == "completed"
    told = summary(batches, batch)
    assert (told["lines_processed"], told["num_responses"]) == (6, 4)
    stem = rf"{FOLDER}/good_echo_{batch}/good_\d{{8}}_\d{{6}}"
    assert re.fullmatch(rf"{stem}\.results\.jsonl", told["results_file"])
    assert re.fullmatch(rf"{stem}\.progress\.json", told["progress_file"])
    written = on_disk(batches, told["results_file"]).read_text("utf-8").strip().split("\n")
    rows = [json.loads(one) for one in written]
    assert [row["custom_id"] for row in rows] == [f"req-{n}" for n in range(6)]
    assert ": " not in written[0].split("content")[0], "compact"
    body = rows[0]["response"]["body"]
    assert body["choices"][0]["message"]["content"] == "row 0"
    assert rows[2]["response"]["body"] is None
    assert rows[2]["error"]["error"]["code"] == 400
    assert rows[3]["error"].startswith("URL /v1/bogus was used.")
    tokens = sum(
        row["response"]["body"]["usage"]["total_tokens"] for row in rows if not row["error"]
    )
    assert told["total_tokens"] == tokens
    progress = on_disk(batches, told["progress_file"])
    assert json.loads(progress.read_text("utf-8")) == told
    assert stat.S_IMODE(progress.stat().st_mode) == 0o666


def test_progress_while_it_runs(batches):
    batches.control("POST", "/clock", {"speed": 0.1})
    batches.control("POST", "/limits", {"batch_chunk_seconds": 1000, "batch_seconds": 0})
    batch = submit(batches, [line(n) for n in range(18)], "running")

    def progress():
        found = list(batches.root.glob(f"**/running_echo_{batch}/*.progress.json"))
        try:
            return json.loads(found[0].read_text("utf-8")) if found else None
        except ValueError:  # it is being written
            return None

    time.sleep(0.2)
    assert progress() is None
    told = []

    def goes_on():
        # one chunk at most ends by an advance: the next one begins to wait after it
        batches.control("POST", "/clock", {"advance": 1000})
        time.sleep(0.1)
        told.append(progress())
        return told[-1] and told[-1]["lines_processed"] == 18

    wait_until(goes_on)
    batches.control("POST", "/limits", {"batch_chunk_seconds": 1, "batch_seconds": 60})
    batches.control("POST", "/clock", {"speed": 600})
    *between, last = filter(None, told)
    assert between
    for one in between:
        assert one["lines_processed"] == 4 * min(len(one["chunks"]), 4)
    assert set(between[0]["chunks"][0]) == {
        "chunk_index",
        "lines",
        "tokens",
        "responses",
        "time_sec",
        "log",
    }
    assert "chunks" not in last
    assert finish(batches, batch) == "completed"


def test_embeddings_in_a_batch(batches):
    lines = [
        json.dumps(
            {
                "custom_id": "vectors",
                "method": "POST",
                "url": "/v1/embeddings",
                "body": {"model": "sandbox/embed", "input": ["a", "b"], "dimensions": 3},
            }
        )
    ]
    batch = submit(batches, lines, "vectors", model="sandbox/embed")
    assert finish(batches, batch) == "completed"
    rows = on_disk(batches, summary(batches, batch)["results_file"]).read_text("utf-8")
    assert len(json.loads(rows)["response"]["body"]["data"]) == 2


def test_a_line_that_is_no_request_fails_the_batch(batches):
    for number, bad in enumerate(("nonsense", '{"custom_id": "x"}', line(1, messages=5))):
        batch = submit(batches, [line(0), bad], f"bad{number}")
        assert finish(batches, batch) == "failed"
    failed = result(batches, batch)
    assert failed.status_code == 400
    message = failed.json()["error"]["message"]
    assert message.startswith("('Batch failed: \\n Traceback from worker")
    assert message.endswith(
        f"400, <ASGIRequest: GET '/resource_server/v1/batches/{batch}/result'>)"
    )


def test_a_path_that_is_not_there_is_noticed_later(batches):
    body = {"model": "sandbox/echo", "output_folder_path": FOLDER}
    answer = batches.post(
        "/sophia/vllm/v1/batches", {**body, "input_file": "/eagle/project/none.jsonl"}
    )
    assert finish(batches, answer.json()["batch_id"]) == "failed"


@pytest.mark.parametrize(
    "path",
    ["/../../../../etc/passwd", "/eagle/../../secret.jsonl", "relative.jsonl", "/link/x.jsonl"],
)
def test_nothing_outside_the_folder_is_read(batches, path, tmp_path):
    (tmp_path / "x.jsonl").write_text(line(0), "utf-8")
    link = batches.root / "link"
    link.unlink(missing_ok=True)
    link.symlink_to(tmp_path)
    body = {"model": "sandbox/echo", "input_file": path, "output_folder_path": FOLDER}
    batch = batches.post("/sophia/vllm/v1/batches", body).json()["batch_id"]
    assert finish(batches, batch) == "failed"


@pytest.mark.parametrize("folder", ["/../../tmp/out", "/link"])
def test_nothing_outside_the_folder_is_written(batches, folder, tmp_path):
    link = batches.root / "link"
    link.unlink(missing_ok=True)
    link.symlink_to(tmp_path)
    name = f"outside{len(folder)}"
    batch = submit(batches, [line(0)], name, output_folder_path=folder)
    assert finish(batches, batch) == "failed"
    assert not list(tmp_path.iterdir())


def test_real_paths_under_the_folder_are_taken_as_they_are(batches):
    source = batches.root / "plain.jsonl"
    source.write_text(line(0), "utf-8")
    body = {"model": "sandbox/echo", "input_file": str(source)}
    body["output_folder_path"] = str(batches.root / "out")
    batch = batches.post("/sophia/vllm/v1/batches", body).json()["batch_id"]
    assert finish(batches, batch) == "completed"
    told = summary(batches, batch)
    assert told["results_file"].startswith(str(batches.root / "out"))
    assert Path(told["results_file"]).exists()


def test_without_a_folder_every_batch_fails(start):
    with start("--no-rate-limit") as sandbox:
        body = {"model": "sandbox/echo", "input_file": "/etc/passwd", "output_folder_path": "/tmp"}
        batch = sandbox.post("/sophia/vllm/v1/batches", body).json()["batch_id"]
        assert finish(sandbox, batch) == "failed"
        assert "without --batch-root" in result(sandbox, batch).text


def test_no_output_folder_runs_untracked(batches):
    path = batches.root / "eagle" / "project" / "lost.jsonl"
    path.write_text(line(0), "utf-8")
    before = len(batches.get("/v1/batches").json())
    body = {"model": "sandbox/echo", "input_file": f"{FOLDER}/lost.jsonl"}
    answer = batches.post("/sophia/vllm/v1/batches", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert len(batches.get("/v1/batches").json()) == before

    def found():
        batches.control("POST", "/clock", LATER)
        return list(batches.root.glob("lus/eagle/projects/**/*.results.jsonl"))

    assert wait_until(found)


def test_quota_and_refusals(batches):
    batch = submit(batches, [line(0)], "once", fault="batch-stuck")
    batches.control("POST", "/limits", {"batches_per_user": 100})

    def create(**change):
        body = {"model": "sandbox/echo", "input_file": "/x.jsonl", "output_folder_path": "/out"}
        cluster = change.pop("cluster", "sophia/vllm")
        return batches.post(f"/{cluster}/v1/batches", {**body, **change}).json()["error"]

    same = create(input_file=f"{FOLDER}/once.jsonl")
    assert same["code"] == "batch_ongoing"
    assert batch in same["message"]
    assert create(model="sandbox/vision")["code"] == "batch_unavailable"
    assert create(model="sandbox-echo", cluster="metis/api")["code"] == "batch_unavailable"
    assert create(model="none")["code"] == "endpoint_not_found"
    assert create(cluster="sophia/api")["message"].startswith("Framework 'api'")
    batches.control("POST", "/limits", {"batches_per_user": 1})
    assert create()["message"] == "Quota of 1 active batch(es) per user exceeded."
    batches.control("POST", "/limits", {"batches_per_user": 100})


def test_active_is_what_the_database_says(batches):
    """A batch that is done still counts until somebody asks for its status."""
    bob = {"Authorization": "Bearer bob-token"}
    batches.control("POST", "/limits", {"batches_per_user": 1})

    def create(name):
        (batches.root / "eagle" / "project" / name).write_text(line(0), "utf-8")
        body = {"model": "sandbox/echo", "input_file": f"{FOLDER}/{name}"}
        body["output_folder_path"] = FOLDER
        return batches.post("/sophia/vllm/v1/batches", body, token="bob-token")

    batch = create("bob1.jsonl").json()["batch_id"]

    def ended():
        batches.control("POST", "/clock", LATER)
        return has_ended(batches.root, batch)

    wait_until(ended)
    assert create("bob2.jsonl").json()["error"]["code"] == "quota_exceeded"
    (row,) = batches.get("/v1/batches", headers=bob).json()
    assert (row["status"], row["batch_id"]) == ("completed", batch)
    assert create("bob2.jsonl").status_code == 200
    batches.control("POST", "/limits", {"batches_per_user": 100})
    assert batches.get(f"/v1/batches/{batch}").status_code == 403


def test_status_is_refreshed_every_thirty_seconds(batches):
    batches.control("POST", "/clock", {"speed": 0.1})
    batches.control("POST", "/limits", {"batch_seconds": 10, "batch_chunk_seconds": 0})
    batch = submit(batches, [line(0)], "refresh")
    told = [batches.get(f"/v1/batches/{batch}").json()]
    for advance in (15, 20):
        batches.control("POST", "/clock", {"advance": advance})
        wait_until(lambda: has_ended(batches.root, batch))
        told.append(batches.get(f"/v1/batches/{batch}").json())
    assert told == ["pending", "pending", "completed"]
    batches.control("POST", "/limits", {"batch_seconds": 60, "batch_chunk_seconds": 1})
    batches.control("POST", "/clock", {"speed": 600})


def test_list_and_its_filter(batches):
    rows = batches.get("/v1/batches").json()
    assert set(rows[0]) == {
        "id",
        "cluster",
        "framework",
        "input_file",
        "in_progress_at",
        "completed_at",
        "failed_at",
        "status",
        "batch_id",
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", rows[0]["in_progress_at"])
    failed = batches.get("/v1/batches", params={"status": "failed"}).json()
    assert {row["status"] for row in failed} == {"failed"}
    assert all(row["failed_at"] and not row["completed_at"] for row in failed)
    assert batches.get("/v1/batches", params={"status": "running"}).json() == []
    assert batches.get("/v1/batches", params={"status": "done"}).status_code == 422


def test_a_model_that_is_gone_hides_the_whole_list(batches):
    batches.control("POST", "/state", {"cluster": "sophia", "add": {"id": "sandbox/guest"}})
    submit(batches, [line(0, model="sandbox/guest")], "guest", "batch-stuck", model="sandbox/guest")
    batches.control("POST", "/state", {"model": "sandbox/guest", "remove": True})
    assert batches.get("/v1/batches").json()["error"]["code"] == "endpoint_not_found"
    batches.control("POST", "/state", {"cluster": "sophia", "add": {"id": "sandbox/guest"}})
    assert batches.get("/v1/batches").status_code == 200


def test_methods_that_do_not_exist(batches):
    path = "/resource_server/v1/batches"
    assert batches.client.post(f"{path}/x/cancel").status_code == 404
    assert batches.client.delete(f"{path}/x").status_code == 405
    assert batches.get("/sophia/vllm/v1/batches").status_code == 405
    assert batches.get("/v1/batches/not-a-uuid").status_code == 500


LINES = [line(n) for n in range(10)]


@pytest.mark.parametrize(
    ("fault", "status", "rows"),
    [
        ("batch-fails", "failed", 5),
        ("batch-fails-early", "failed", None),
        ("batch-files-gone", "completed", None),
        ("batch-repeated-lines", "completed", 13),
        ("batch-missing-lines", "completed", 7),
        ("batch-torn-results", "completed", 10),
        ("batch-bad-lines", "completed", 13),
        ("batch-stuck", "pending", None),
    ],
)
def test_faults_of_files(batches, fault, status, rows):
    batch = submit(batches, LINES, fault, fault=fault)
    if fault != "batch-stuck":
        assert finish(batches, batch) == status
    else:
        batches.control("POST", "/clock", LATER)
        assert batches.get(f"/v1/batches/{batch}").json() == status
    found = list(batches.root.glob(f"**/{fault}_echo_{batch}/*.results.jsonl"))
    assert [len(one.read_text("utf-8").splitlines()) for one in found] == ([rows] if rows else [])
    if fault == "batch-torn-results":
        with pytest.raises(json.JSONDecodeError):
            json.loads(found[0].read_text("utf-8").splitlines()[-1])


def test_faults_of_results(batches):
    def told(fault):
        batch = submit(batches, LINES, fault, fault=fault)
        assert finish(batches, batch) == "completed"
        return result(batches, batch).json()

    assert told("batch-result-object")["metrics"]["lines_processed"] == 10
    pair = ast.literal_eval(told("batch-result-two-tasks"))
    assert [one["lines_processed"] for one in pair] == [10, 10]
    with pytest.raises(SyntaxError):
        ast.literal_eval(told("batch-result-garbage"))
    elsewhere = ast.literal_eval(told("batch-result-elsewhere"))
    assert not elsewhere["results_file"].startswith(FOLDER)
    batch = submit(batches, [line(0, max_tokens=10**6)], "older", fault="batch-older-errors")
    assert finish(batches, batch) == "completed"
    row = on_disk(batches, summary(batches, batch)["results_file"]).read_text("utf-8")
    assert json.loads(row)["error"]["object"] == "error"
