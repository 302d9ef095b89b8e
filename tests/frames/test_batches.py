"""Batches from a table to answers on its rows, against the sandbox."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import alcf_jupyter as alcf
from alcf_jupyter.connection import session
from alcf_jupyter.connection.client import Client
from alcf_jupyter.errors import (
    AlcfError,
    DeadlineError,
    RefusedError,
    RestrictedError,
    ServerFailureError,
    UnknownModelError,
    UsageError,
)
from alcf_jupyter.frames.batch import manifest, requests, writer
from alcf_jupyter.frames.batch.progress import Progress
from tests.faults.others_time import Usable
from tests.frames.batching import (
    CREATE,
    LONG,
    MODEL,
    connect,
    created,
    limits,
    sandbox,
    slow,
    table,
    until,
)


@pytest.fixture(scope="module")
def _box(tmp_path_factory):
    with sandbox(tmp_path_factory.mktemp("root")) as made:
        made.client = connect(made)
        yield made


@pytest.fixture
def box(_box):
    _box.heal()
    limits(
        _box,
        batches_per_user=100,
        batch_chunk_lines=20_000,
        batch_seconds=20,
        batch_chunk_seconds=1,
    )
    session.current().client = _box.client
    _box.sent()
    return _box


@pytest.fixture
def folder(box):
    made = box.root / f"project-{time.monotonic_ns()}"
    made.mkdir()
    return made


def submit(where, data=None, template="Say: {{text}}", **options):
    data = table(20) if data is None else data
    return alcf.submit_batch(data, template, **{"model": MODEL, "folder": where, **options})


def used():
    found = alcf.usage().groupby("model").sum()
    return found.loc[MODEL].to_dict() if MODEL in found.index else dict.fromkeys(found.columns, 0)


def test_a_batch_is_counted_when_its_answers_are_read_and_once(box, folder):
    data = table(5)
    data.loc[2, "text"] = None
    before = used()
    batch = submit(folder, data).wait()
    assert used() == before
    for _ in range(2):
        found = batch.results()
        took = {name: used()[name] - before[name] for name in before}
        tokens = {n: found[n].sum() for n in found.columns if n.endswith("_tokens")}
        assert took == {"answers": 4, **tokens}
    connect(box)
    alcf.batch(batch.id).results(out=folder / "answers.parquet")
    assert {name: used()[name] - before[name] for name in before} == took


def test_a_table_and_its_answers(box, folder):
    index = pd.MultiIndex.from_tuples([("a", 1), ("a", 1), ("b", 2), ("c", 3)], names=["x", None])
    data = table(4).set_index(index)
    data.loc[("b", 2), "text"] = None
    batch = submit(folder, data, system="Be short.", max_tokens=100)
    assert batch.wait() is batch
    found = batch.results()
    assert found.index.equals(index)
    assert found["status"].tolist() == ["ok", "ok", "skipped", "ok"]
    assert found["reply"].tolist()[:2] == ["Say: text 0", "Say: text 1"]
    assert found["reply"].isna().tolist() == [False, False, True, False]
    assert found["reason"].tolist()[2] == "missing value in 'text'"
    assert found["total_tokens"].sum() == batch.metrics()["total_tokens"].sum()
    about = found.attrs["alcf"]
    assert (about["model"], about["cluster"], about["batches"]) == (MODEL, "sophia", [batch.id])
    lines = [json.loads(one) for one in (folder / f"{batch.name}.jsonl").read_text().splitlines()]
    assert [one["custom_id"] for one in lines] == ["row-0", "row-1", "row-3"]
    assert lines[0]["body"] == {
        "model": MODEL,
        "messages": [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": "Say: text 0"},
        ],
        "max_tokens": 100,
    }
    (asked,) = created(box)
    assert asked["status"] == 200
    assert repr(batch) == f"<batch {batch.name} · completed>"


FORM = {
    "type": "object",
    "properties": {"label": {"type": "string"}, "n": {"type": "integer"}},
    "required": ["label"],
}


def answered(folder, batch, **replies):
    """Change replies in the results: the sandbox makes none of another form in a batch."""
    (path,) = folder.glob(f"{batch.name}_*/*.results.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        message = line["response"]["body"]["choices"][0]["message"]
        message["content"] = replies.get(line["custom_id"].replace("-", ""), message["content"])
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_the_fields_of_a_form_become_columns(box, folder, tmp_path):
    index = pd.MultiIndex.from_tuples([("a", 1), ("a", 1), ("b", 2), ("b", 3), ("c", 4)])
    data = pd.DataFrame({"text": ["a", None, "b", "c", "d"]}, index=index)
    good = '{"label": "x", "n": 1}'
    for prefix in ("", "p_"):
        batch = submit(folder, data, "{{text}}", schema=FORM, prefix=prefix).wait()
        answered(folder, batch, row0=good, row2='{"n": 1}', row3='{"label": "é"}', row4="[0]")
        found = batch.results()
        label, n = f"{prefix}label", f"{prefix}n"
        assert found.columns.tolist()[:5] == [label, n, "status", "reason", "finish_reason"]
        assert found.index.equals(index)
        assert found["status"].tolist() == ["ok", "skipped", "failed", "ok", "failed"]
        assert found[label].dropna().tolist() == ["x", "é"]
        assert found[n].dropna().tolist() == [1]
        assert '"label" is a required property' in found["reason"].iloc[2]
        assert found.attrs["alcf"]["batches"] == batch.ids
    assert len(created(box)) == 1, "what the columns are called is not sent"
    (line, *_) = (folder / f"{batch.name}.jsonl").read_text().splitlines()
    assert json.loads(line)["body"]["response_format"]["json_schema"]["schema"] == FORM
    written = pd.read_parquet(batch.results(out=tmp_path / "out.parquet"))
    assert written["reply"].tolist()[0] == good
    assert batch.failures().index.tolist() == [("b", 2), ("c", 4)]
    again = batch.retry_failed().wait().results()
    assert again["p_label"].notna().all()
    assert alcf.batch(batch.id).results()["p_label"].notna().tolist() == [True, False, *[True] * 3]


def test_a_form_for_embeddings_or_with_a_taken_name(box, folder):
    for wrong in ({"schema": "status"}, {"schema": "reasoning"}, {"schema": "a", "kind": "embed"}):
        with pytest.raises(UsageError):
            submit(folder, **wrong)
    submit(folder, schema="status", prefix="p_")
    assert len(created(box)) == 1


def test_embeddings(folder):
    data = pd.Series(["a text", "", "another text", "a text"], name="abstract")
    batch = submit(folder, data, None, kind="embed", model="sandbox/embed", dimensions=16).wait()
    found = batch.results()
    assert found["status"].tolist() == ["ok", "skipped", "ok", "ok"]
    matrix = alcf.matrix(found[found["status"] == "ok"])
    assert matrix.shape == (3, 16)
    assert np.array_equal(matrix[0], matrix[2])
    direct = alcf.matrix(alcf.embed(["another text"], model="sandbox/embed", dimensions=16))
    assert np.allclose(matrix[1], direct[0])
    near = alcf.neighbors(found.assign(text=data), "another text", 1)
    assert list(near.columns) == ["score", "text"]
    assert near["text"].tolist() == ["another text"]
    assert list(alcf.neighbors(found, "another text", 1).columns) == ["score"]


def test_the_same_call_is_the_same_batch(box, folder):
    first = submit(folder)
    again = submit(folder)
    assert (again.id, again.name) == (first.id, first.name)
    assert len(created(box)) == 1
    first.wait()
    assert submit(folder).results().equals(first.results())
    meant = submit(folder, fresh=True)
    assert meant.id != first.id
    assert submit(folder).id == meant.id, "the newest of them"
    other = submit(folder, table(21))
    assert other.id not in (first.id, meant.id)
    assert len(created(box)) == 2


@pytest.mark.parametrize("fault", ["close-before", "reset-in-headers", "proxy-502", "cut-json"])
def test_a_lost_answer_is_found_again(box, folder, fault):
    box.fail(fault, times=1, match=CREATE)
    with contextlib.suppress(AlcfError):
        submit(folder)
    box.heal()
    batch = submit(folder).wait()
    assert batch.results()["status"].eq("ok").all()
    listed = alcf.batches()
    mine = listed[listed["input_file"].str.startswith(str(folder))]
    assert mine["id"].tolist() == [batch.id]


def test_a_kernel_that_died_between_the_question_and_the_answer(box, folder):
    program = (
        "import sys, os, alcf_jupyter as alcf, pandas as pd\n"
        "from alcf_jupyter.connection.client import Client\n"
        "real = Client.create_batch\n"
        "Client.create_batch = lambda *a, **k: (real(*a, **k), os._exit(9))\n"
        "alcf.connect(sys.argv[1], token=sys.argv[2], poll_seconds=0.2)\n"
        "df = pd.DataFrame({'text': [f'text {n}' for n in range(20)]})\n"
        "alcf.submit_batch(df, 'Say: {{text}}', model='sandbox/echo', folder=sys.argv[3])\n"
    )
    command = [sys.executable, "-c", program, box.url, box.secret, str(folder)]
    assert subprocess.run(command, check=False).returncode == 9
    assert len(created(box)) == 1
    batch = submit(folder)
    assert batch.wait().results()["status"].eq("ok").all()
    assert created(box) == [], "found in the list, and not submitted again"


def test_the_quota_is_waited_for(box, folder):
    limits(box, batches_per_user=1, batch_seconds=LONG)
    first = submit(folder)
    second = submit(folder, table(5))
    assert (first.status, second.status, second.id) == ("pending", "waiting", "")
    assert "Quota of 1 active batch(es)" in second.parts["reason"][0]
    (row,) = alcf.batches("waiting").to_dict("records")
    assert (row["id"], row["cluster"], row["model"]) == (second.name, "sophia", MODEL)
    assert "Quota of 1" in row["reason"]
    assert alcf.batch(row["id"]).rows == 5
    assert {second.name, first.id} <= set(alcf.batches(metrics=False)["id"])
    assert len(alcf.batch_metrics(alcf.batches())) == len(alcf.batches()) - 1
    (folder / "broken.manifest.json").write_text("{")
    manifest.point("broken", folder / "broken.manifest.json")
    assert alcf.batches("waiting")["id"].tolist() == [second.name]
    limits(box, batch_seconds=20)
    box.control("POST", "/clock", {"advance": LONG})
    second.wait("60s")
    assert alcf.batches("waiting").empty
    assert second.results()["reply"].tolist() == [f"Say: text {n}" for n in range(5)]
    assert first.status == "completed"


def test_a_long_table_becomes_a_campaign(box, folder, monkeypatch):
    monkeypatch.setattr(writer, "MOST_LINES", 30)
    limits(box, batches_per_user=1, batch_seconds=LONG)
    data = table(100)
    data.loc[::10, "text"] = ""
    batch = submit(folder, data, name="long")
    assert batch.parts["lines"].tolist() == [30, 30, 30]
    assert batch.parts["status"].tolist() == ["pending", "waiting", "waiting"]
    limits(box, batch_seconds=20)
    box.control("POST", "/clock", {"advance": LONG})
    batch.wait("60s")
    assert len(set(batch.ids)) == 3
    found = batch.results()
    wanted = ["" if n % 10 == 0 else f"Say: text {n}" for n in range(100)]
    assert found["reply"].fillna("").tolist() == wanted
    assert alcf.batch(batch.ids[2]).name == batch.name
    assert len(batch.metrics()) == 3
    assert batch.progress().lines == 90
    assert sorted(one.name for one in folder.glob("long-*.jsonl")) == [
        f"{batch.name}-{n}of3.jsonl" for n in (1, 2, 3)
    ]


def test_it_is_followed_in_the_background(box, folder):
    limits(box, batches_per_user=1, batch_seconds=LONG)
    submit(folder)
    batch = submit(folder, table(5))
    assert batch.waits
    limits(box, batch_seconds=20)
    box.control("POST", "/clock", {"advance": LONG})
    end = time.monotonic() + 60
    while not batch.ended and time.monotonic() < end:
        time.sleep(0.05)
    assert batch.parts["status"].tolist() == ["completed"], "nobody had to wait for it"
    batch.stop()


def test_waiting_ends_at_its_deadline_and_leaves_the_batch(box, folder):
    box.fail("batch-stuck", times=1, match=CREATE)
    batch = submit(folder)
    with pytest.raises(DeadlineError, match="waiting for batch"):
        batch.wait("1s")
    assert batch.results()["status"].unique().tolist() == ["pending"]
    assert batch.results()["reason"].unique().tolist() == ["the batch has not ended"]
    with pytest.raises(UsageError, match="has not ended"):
        batch.retry_failed()


def test_what_was_stopped_can_be_followed_again(box, folder):
    slow(box)
    batch = submit(folder).wait(background=True)
    batch.stop()
    batch.wait(background=True)
    assert until(box, lambda: batch.ended, bool), "the new one follows, whatever the old one does"
    limits(box, batch_chunk_seconds=LONG)
    batch = submit(folder, table(5)).wait(background=True)
    batch.stop()
    with pytest.raises(DeadlineError):
        batch.wait("0.5s")


def test_waiting_survives_a_failing_service(box, folder):
    batch = submit(folder)
    box.fail("proxy-502", times=4, match={"route": "/v1/batches", "method": "GET"})
    said = []

    class Observer:
        def status(self, words):
            said.append(words)

        def close(self, words):
            said.append(words)

    batch.wait("60s", observer=Observer())
    assert batch.results()["status"].eq("ok").all()
    assert any("Trying again" in words for words in said), said


def test_failures_are_listed_and_retried(box, folder):
    data = table(40).set_index(pd.Index([f"k{n}" for n in range(40)], name="key"))
    data.iloc[[3, 17, 39], 0] = ["long " * 40_000, "longer " * 40_000, "longest " * 40_000]
    batch = submit(folder, data).wait()
    failed = batch.failures()
    assert failed.index.tolist() == ["k3", "k17", "k39"]
    assert failed["reason"].str.contains("maximum context length is 32768").all()
    limited = {"cluster": "sophia", "add": {"id": "sandbox/wide", "context": 1_000_000}}
    box.control("POST", "/state", limited)
    connect(box)
    batch = alcf.batch(batch.id)
    again = batch.retry_failed(model="sandbox/wide")
    assert batch.retry_failed(model="sandbox/wide").ids == again.ids, "while it is under way"
    assert again.wait().results()["status"].tolist() == ["ok"] * 3
    assert again.results().index.tolist() == ["k3", "k17", "k39"]
    whole = batch.results()
    assert whole["status"].eq("ok").all()
    assert whole["reply"]["k17"].startswith("Say: longer longer")
    assert whole.index.equals(data.index)
    assert batch.failures().empty
    assert whole.attrs["alcf"]["repeated"] == []
    with pytest.raises(UsageError, match="No row of"):
        batch.retry_failed()
    with pytest.raises(UsageError, match=r"x\.csv does not end in \.parquet"):
        batch.results(out=folder / "x.csv")
    out = batch.results(out=folder / "x.parquet")
    stored = pd.read_parquet(out).loc[data.index]
    assert stored["reply"].tolist() == whole["reply"].tolist()


def boom(line):
    error = {"error": {"message": "boom", "type": "InternalServerError", "code": 500}}
    return {**line, "response": {"status_code": 500, "body": None}, "error": error}


def rewritten(folder, batch, change, *custom_ids):
    """Change lines of the results: the sandbox fails none of those that it can answer."""
    (path,) = folder.glob(f"*_{batch.id}/*.results.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    changed = [change(line) if line["custom_id"] in custom_ids else line for line in lines]
    path.write_text("".join(json.dumps(line) + "\n" for line in changed))


def test_a_batch_that_is_known_twice_forgets_no_retry(box, folder):
    slow(box)
    batch = submit(folder)
    other = alcf.batch(batch.name)
    assert other.status == "pending"
    limits(box, batch_chunk_seconds=0)
    box.control("POST", "/clock", {"advance": LONG})
    rewritten(folder, batch.wait(), boom, "row-3")
    third = alcf.batch(batch.name)
    assert third.results()["status"].tolist().count("failed") == 1
    batch.retry_failed().wait()
    assert batch.results()["status"].eq("ok").all()
    for one in (other.wait(), third, alcf.batch(batch.name)):
        assert one.results()["status"].eq("ok").all()
        with pytest.raises(UsageError, match="No row of"):
            one.retry_failed()


def cut(line):
    line["response"]["body"]["choices"][0]["finish_reason"] = "length"
    return line


def test_a_retry_of_a_retry_is_in_the_results(box, folder):
    batch = submit(folder).wait()
    rewritten(folder, batch, boom, "row-3", "row-4")
    again = batch.retry_failed().wait()
    rewritten(folder, again, boom, "row-4")
    slow(box)
    last = again.retry_failed()
    assert batch.results()["status"].tolist().count("failed") == 1
    assert batch.retry_failed().ids == last.ids, "while it is under way"
    limits(box, batch_chunk_seconds=0)
    box.control("POST", "/clock", {"advance": LONG})
    last.wait()
    for one in (batch, alcf.batch(batch.id)):
        assert one.results()["reply"].tolist() == [f"Say: text {n}" for n in range(20)]
    assert again.results()["reply"].tolist() == ["Say: text 3", "Say: text 4"]


def test_a_retry_that_fails_takes_no_answer_away(folder):
    batch = submit(folder).wait()
    rewritten(folder, batch, cut, "row-3", "row-4", "row-5")
    again = batch.retry_failed(truncated=True, max_tokens=99).wait()
    rewritten(folder, again, boom, "row-3")
    rewritten(folder, again, cut, "row-4")
    found = batch.results()
    assert found["status"].tolist()[2:6] == ["ok", "truncated", "truncated", "ok"]
    assert found["reply"].tolist() == [f"Say: text {n}" for n in range(20)]
    stored = pd.read_parquet(batch.results(out=folder / "x.parquet")).sort_index()
    assert stored["status"].tolist() == found["status"].tolist()


def test_another_kernel_finds_it_and_without_a_manifest_by_custom_ids(box, folder, clean_environ):
    data = table(30).set_index(pd.date_range("2026-01-01", periods=30, freq="h", tz="UTC"))
    batch = submit(folder, data).wait()
    wanted = batch.results()
    clean_environ["ALCF_JUPYTER_STATE"] = str(folder / "another-state")
    connect(box)
    found = alcf.batch(batch.id)
    pd.testing.assert_frame_equal(found.results(), wanted)
    assert (found.name, found.model) == (batch.name, MODEL)
    for path in (*folder.glob("*.manifest.json"), *folder.glob("*.index.parquet")):
        path.unlink()
    clean_environ["ALCF_JUPYTER_STATE"] = str(folder / "third-state")
    bare = alcf.batch(batch.id)
    by_id = bare.results()
    assert by_id.index.tolist() == [f"row-{n}" for n in range(30)]
    joined = bare.results(data)
    assert joined["reply"].tolist() == wanted["reply"].tolist()
    assert joined.index.equals(data.index)
    assert bare.metrics()["model"].tolist() == ["echo"]
    with pytest.raises(UsageError, match="not known here"):
        bare.retry_failed()


def test_a_name_finds_a_campaign_that_was_never_submitted(box, folder):
    limits(box, batches_per_user=0)
    batch = submit(folder)
    assert batch.status == "waiting"
    batch.stop()
    found = alcf.batch(str(folder / f"{batch.name}.jsonl"))
    assert found.name == batch.name
    assert alcf.batch(batch.name).name == batch.name
    limits(box, batches_per_user=100)
    assert found.wait("60s").results()["status"].eq("ok").all()


def test_a_campaign_of_another_service_is_left_alone(box, folder):
    submitted = submit(folder, table(3))
    limits(box, batches_per_user=0)
    waiting = submit(folder)
    waiting.stop()
    waiting.refresh()  # after the last look of the background
    path = manifest.path_of(folder, waiting.name)
    before = path.read_bytes()
    limits(box, batches_per_user=100)
    box.sent()
    profile = replace(box.client.profile, name="sandbox")
    session.current().client = Client(profile, box.client.credential)
    for call in (
        lambda: alcf.batch(waiting.name),
        lambda: alcf.batch(str(path)),
        lambda: alcf.batch(submitted.id),
        lambda: submit(folder),
        lambda: alcf.submit_batch(input_file=folder / f"{waiting.name}.jsonl"),
    ):
        with pytest.raises(UsageError, match=r"belongs to a gateway, .* to the sandbox") as told:
            call()
        assert str(told.value).endswith("Connect to it first:  alcf.connect(ADDRESS)")
    assert (created(box), path.read_bytes()) == ([], before)
    session.current().client = box.client
    assert alcf.batch(waiting.name).rows == 20


def test_somebody_elses_batch(box, folder, clean_environ):
    batch = submit(folder)
    clean_environ["ALCF_JUPYTER_STATE"] = str(folder / "of-bob")
    connect(box, "bob-token")
    with pytest.raises(RestrictedError, match="somebody else's") as refused:
        alcf.batch(batch.id).status  # noqa: B018
    assert "read_batch_results" in str(refused.value)
    with pytest.raises(RestrictedError):
        alcf.batch_metrics(batch.id)


@pytest.mark.parametrize("wrong", ["abc", "", None, 7, "00000000-0000-4000-8000-00000000000"])
def test_a_malformed_id_is_not_sent(box, wrong):
    box.sent()
    with pytest.raises(UsageError, match="no id of a batch"):
        alcf.batch(wrong)
    assert box.sent("/v1/batches") == []


@pytest.mark.usefixtures("box")
def test_an_unknown_id():
    with pytest.raises(RefusedError, match="no such batch"):
        alcf.batch("00000000-0000-4000-8000-000000000000")


@pytest.mark.parametrize("fault", ["batch-fails", "batch-fails-early"])
def test_a_failed_batch_tells_its_reason_and_keeps_what_there_is(box, folder, fault):
    box.fail(fault, times=1, match=CREATE)
    batch = submit(folder).wait()
    assert batch.status == "failed"
    assert "torch.OutOfMemoryError: CUDA out of memory" in batch.parts["reason"][0]
    assert "ASGIRequest" not in batch.parts["reason"][0]
    found = batch.results()
    done = 10 if fault == "batch-fails" else 0
    assert (found["status"] == "ok").sum() == done
    failed = batch.failures()
    assert len(failed) == 20 - done
    assert failed["reason"].str.startswith("the batch failed: ").all()
    row = alcf.batches("failed").set_index("id").loc[batch.id]
    assert "OutOfMemory" in row["reason"]
    again = batch.retry_failed().wait()
    assert again.status == "completed"
    assert batch.results()["reply"].tolist() == [f"Say: text {n}" for n in range(20)]


def test_a_batch_that_waited_for_the_quota_fails_for_its_own_reason(box, folder):
    limits(box, batches_per_user=0)
    waited = submit(folder)
    waited.stop()
    waited.refresh()  # after the last look of the background
    assert waited.parts["reason"][0].startswith("Quota of 0")
    box.fail("batch-fails-early", times=1, match=CREATE)
    limits(box, batches_per_user=100, batch_seconds=LONG)
    alcf.batch(waited.name).refresh()
    waited.submit()
    assert waited.parts[["status", "reason"]].to_numpy().tolist() == [["pending", ""]]
    box.control("POST", "/clock", {"advance": LONG})
    assert "OutOfMemory" in waited.wait().parts["reason"][0]
    assert waited.failures()["reason"].str.contains("OutOfMemory").all()


@pytest.mark.parametrize(
    ("fault", "ok", "words"),
    [
        ("batch-bad-lines", 19, "cannot be read"),
        ("batch-torn-results", 19, "cannot be read"),
        ("batch-missing-lines", 18, "no line for it"),
        ("batch-repeated-lines", 20, ""),
        ("batch-result-two-tasks", 20, ""),
        ("batch-result-object", 20, ""),
        ("batch-result-garbage", 20, ""),
        ("batch-result-elsewhere", 20, ""),
    ],
)
@pytest.mark.filterwarnings("ignore:.*(cannot be read|more than once):UserWarning")
def test_odd_results_lose_no_row(box, folder, fault, ok, words):
    box.fail(fault, times=1, match=CREATE)
    batch = submit(folder).wait()
    found = batch.results()
    assert len(found) == 20
    assert (found["status"] == "ok").sum() == ok
    assert found["reply"].dropna().tolist() == [
        f"Say: text {n}" for n in range(20) if found["status"][n] == "ok"
    ]
    assert batch.failures()["reason"].str.contains(words).all()
    if fault == "batch-repeated-lines":
        assert found.attrs["alcf"]["repeated"] == ["row-0"]


def test_results_that_name_another_folder_are_not_followed(box, folder):
    box.fail("batch-result-elsewhere", times=1, match=CREATE)
    batch = submit(folder).wait()
    for path in folder.glob("*/*"):
        path.unlink()
    with pytest.raises(UsageError, match="outside the batch's own folder: /etc/passwd"):
        batch.results()


def test_a_result_that_cannot_be_had_now_is_asked_for_again(box, folder, clean_environ):
    batch = submit(folder).wait()
    for path in (*folder.glob("*.manifest.json"), *folder.glob("*.index.parquet")):
        path.unlink()
    clean_environ["ALCF_JUPYTER_STATE"] = str(folder / "another-state")
    connect(box)
    bare = alcf.batch(batch.id)
    box.fail("internal-error", match={"route": "/result"})
    assert bare.wait().progress() == Progress(done=True)
    box.sent()
    for _ in range(20):
        bare.progress()
    assert len(box.sent("/result")) < 20, "at the service's pace"
    for _ in range(2):
        with pytest.raises(ServerFailureError):
            bare.results(table(20))
    box.heal()
    assert bare.results(table(20))["status"].eq("ok").all()
    assert bare.wait().progress().lines == 20


def test_results_that_are_gone(box, folder):
    box.fail("batch-files-gone", times=1, match=CREATE)
    batch = submit(folder).wait()
    with pytest.raises(UsageError, match="not where the service says"):
        batch.results()


@pytest.mark.filterwarnings("error")
def test_unknown_custom_ids_are_told(folder):
    batch = submit(folder).wait()
    (path,) = folder.glob("*/*.results.jsonl")
    lines = path.read_text().splitlines()
    lines[3] = lines[3].replace('"row-3"', '"row-77"')
    lines[4] = lines[4].replace('"row-4"', '"question 4"')
    path.write_text("\n".join(lines))
    with pytest.warns(UserWarning, match="2 lines belong to no row .*: row-77, q") as told:
        found = batch.results()
    assert told[0].filename == __file__
    assert found["status"].tolist().count("ok") == 18
    assert found.attrs["alcf"]["unknown"] == ["row-77", "question 4"]


def test_what_a_large_batch_takes_is_said_before_it(box, folder, monkeypatch, capsys):
    monkeypatch.setattr(writer, "MOST_LINES", 100)
    limits(box, batches_per_user=0)
    data = pd.DataFrame({"text": ["x" * 35] * 150 + [None]})
    submit(folder, data, system="Be short.", max_tokens=10).stop()
    told = "150 rows to submit · about 2,025 tokens in · up to 1,500 out · 2 files, each a batch"
    unsent = "Of 151 rows: 1 skipped (missing or blank).\n"
    assert capsys.readouterr().err == f"{told}\n{unsent}"
    submit(folder, data, system="Be short.", max_tokens=10).stop()
    assert capsys.readouterr().err == unsent, "the rest is there already"
    submit(folder, table(7)).stop()
    assert capsys.readouterr().err == "", "few are sent without a word"
    submit(folder, pd.DataFrame({"text": ["a", None, ["no text"]]})).stop()
    told = "Of 3 rows: 1 skipped (missing or blank), 1 cannot be sent.\n"
    assert capsys.readouterr().err == told, "but never less than all"


def test_a_model_without_batches(box, folder):
    with pytest.raises(UsageError, match="takes no batches"):
        submit(folder, model="sandbox/vision")
    assert len(created(box)) == 1
    with pytest.raises(UsageError, match="takes no batches"):
        submit(folder, table(3), model="sandbox/vision")
    assert created(box) == [], "learned"
    assert not alcf.models().set_index("model")["can_batch"]["sandbox/vision"]


def test_bad_calls_send_nothing(box, folder):
    for call in (
        {"template": "{{nope}}"},
        {"model": "sandbox/ech"},
        {"data": table(0)},
        {"data": pd.DataFrame({"text": [None, ""]})},
        {"kind": "chats"},
        {"temperature": 9},
        {"name": "../x"},
        {"name": ""},
        {"folder": folder / "a" / ".." / ".."},
        {"input_file": folder / "none.jsonl"},
        {"data": pd.DataFrame({"text": ["x", "y"]}, index=pd.Index([1, (2, 3)], dtype=object))},
    ):
        with pytest.raises((UsageError, UnknownModelError)):
            pytest.fail(f"{call} gave {submit(folder, **call)}")
    assert created(box) == []
    assert list(folder.iterdir()) == []


def test_an_input_file_of_ones_own(folder):
    body = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}
    line = {"custom_id": "q", "method": "POST", "url": "/v1/chat/completions", "body": body}
    path = folder / "own.jsonl"
    path.write_text("\n".join(json.dumps({**line, "custom_id": f"q{n}"}) for n in range(5)))
    batch = alcf.submit_batch(input_file=path)
    assert (batch.model, batch.rows) == (MODEL, 5)
    assert alcf.submit_batch(input_file=path).id == batch.id
    found = batch.wait().results()
    assert found.index.tolist() == [f"q{n}" for n in range(5)]
    assert found["reply"].unique().tolist() == ["hi"]
    with pytest.raises(UsageError, match="needs a file of its own"):
        alcf.submit_batch(input_file=path, fresh=True)
    path.write_text(path.read_text().replace("hi", "bye"))
    with pytest.raises(UsageError, match="has changed since it was submitted"):
        alcf.submit_batch(input_file=path)
    (folder / "own.manifest.json").unlink()
    os.utime(path, (4e9, 4e9))  # the sandbox's clock runs ahead
    with pytest.raises(UsageError, match="has changed since it was submitted"):
        alcf.submit_batch(input_file=path)
    path.write_text(path.read_text().replace("bye", "hi"))
    os.utime(path, (1, 1))
    assert alcf.submit_batch(input_file=path).id == batch.id
    copy = folder / "copy.jsonl"
    copy.write_text(path.read_text())
    with pytest.raises(UsageError, match=f"is for the model {MODEL}"):
        alcf.submit_batch(input_file=copy, model="sandbox/code")


def test_lines_of_an_input_file_of_ones_own_are_retried_once(box, folder):
    def line(n):
        messages = [{"role": "user", "content": "long " * 40_000 if n == 2 else "hi"}]
        return {**LINE, "custom_id": f"q{n}", "body": {"model": MODEL, "messages": messages}}

    path = folder / "own.jsonl"
    path.write_text("\n".join(json.dumps(line(n)) for n in range(4)))
    batch = alcf.submit_batch(input_file=path).wait()
    assert batch.failures().index.tolist() == ["q2"]
    limited = {"cluster": "sophia", "add": {"id": "sandbox/wide", "context": 1_000_000}}
    box.control("POST", "/state", limited)
    connect(box)
    batch = alcf.batch(batch.id)
    batch.retry_failed(model="sandbox/wide").wait()
    found = batch.results()
    assert sorted(found.index) == [f"q{n}" for n in range(4)]
    assert found["status"].eq("ok").all()
    stored = pd.read_parquet(batch.results(out=folder / "x.parquet"))
    assert sorted(stored["custom_id"]) == sorted(found.index)
    with pytest.raises(UsageError, match="No row of"):
        batch.retry_failed()


LINE = {
    "custom_id": "q",
    "method": "POST",
    "url": "/v1/chat/completions",
    "body": {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]},
}


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("{", "truncated"),
        (json.dumps({**LINE, "url": "/v1/bogus"}), "its url is"),
        (json.dumps({**LINE, "method": "GET"}), "its method is"),
        (json.dumps({**LINE, "custom_id": 3}), "custom_id"),
        (json.dumps({**LINE, "custom_id": "q0"}), "was used before"),
        (json.dumps({**LINE, "body": {"model": "other", "messages": [{}]}}), "the model"),
        (json.dumps({**LINE, "body": {"model": MODEL}}), "has no messages"),
        (json.dumps({**LINE, "body": []}), "array"),
    ],
)
def test_a_broken_line_is_named_before_it_is_submitted(box, folder, bad, words):
    path = folder / "own.jsonl"
    lines = [json.dumps({**LINE, "custom_id": f"q{n}"}) for n in range(3)]
    path.write_text("\n".join([*lines, "", bad]))
    with pytest.raises(UsageError, match=r"^Line 5 of own.jsonl is no request") as refused:
        alcf.submit_batch(input_file=path)
    assert words.casefold() in str(refused.value).casefold()
    assert created(box) == []


def test_written_first_and_submitted_later(box, folder):
    data = table(12).set_index(pd.Index(list("abcdefghijkl")))
    (path,) = alcf.write_batch_input(data, "Say: {{text}}", folder / "later.jsonl", model=MODEL)
    assert path.stat().st_mode & 0o777 == 0o600, "the sandbox reads it as this user"
    assert created(box) == []
    batch = alcf.submit_batch(input_file=path)
    assert batch.wait().results().index.tolist() == list("abcdefghijkl")
    with pytest.raises(UsageError, match="has been submitted"):
        alcf.write_batch_input(data, "Other: {{text}}", folder / "later.jsonl", model=MODEL)
    how = {"model": MODEL, "schema": FORM, "prefix": "p_"}
    (path,) = alcf.write_batch_input(data, '{"label": "{{text}}"}', folder / "form.jsonl", **how)
    found = alcf.submit_batch(input_file=path).wait().results()
    assert found["p_label"].notna().all()
    assert found.index.tolist() == list("abcdefghijkl")
    (path,) = alcf.write_batch_input(data, "Say: {{text}}", folder / "edited.jsonl", model=MODEL)
    path.write_text(path.read_text().replace("text 3", "text 33"))
    with pytest.raises(UsageError, match="has changed since"):
        alcf.submit_batch(input_file=path)


def test_the_table_of_batches(box, folder):
    data = table(20)
    data.loc[2, "text"] = "long " * 40_000
    batch = submit(folder, data).wait()
    row = alcf.batches().set_index("id").loc[batch.id]
    assert (row["cluster"], row["model"], row["status"]) == ("sophia", MODEL, "completed")
    assert (row["lines"], row["responses"], row["failed_lines"]) == (20, 19, 1)
    assert row["created"] <= row["ended"]
    assert row["throughput"] > 0
    box.sent()
    assert batch.id in alcf.batches("completed")["id"].tolist()
    asked = [one["path"] for one in box.sent("/result")]
    assert not any(batch.id in path for path in asked), "what a batch did is asked once"
    frame = alcf.batch_metrics([batch, batch.id])
    assert frame["id"].tolist() == [batch.id] * 2
    assert frame.dtypes["total_tokens"] == "Int64"
    assert len(alcf.batch_metrics(alcf.batches())) == len(alcf.batches())
    with pytest.raises(UsageError, match="no status"):
        alcf.batches("complete")
    with pytest.raises(UsageError, match="no id"):
        alcf.batch_metrics("abc")


@pytest.mark.parametrize(
    ("fault", "tasks"), [("batch-result-two-tasks", 2), ("batch-result-object", 1)]
)
def test_metrics_of_every_form(box, folder, fault, tasks):
    box.fail(fault, times=1, match=CREATE)
    found = submit(folder).wait().metrics()
    assert found["task"].tolist() == list(range(1, tasks + 1))
    assert found["lines"].tolist() == [20] * tasks
    assert found["response_time"].gt(0).all()


def test_a_withdrawn_model_hides_the_list_but_not_ones_own_batches(box, folder):
    known = submit(folder)
    box.control("POST", "/state", {"cluster": "sophia", "add": {"id": "sandbox/guest"}})
    connect(box)
    box.fail("batch-stuck", times=1, match=CREATE)
    submit(folder, table(3), model="sandbox/guest")
    box.control("POST", "/state", {"model": "sandbox/guest", "remove": True})
    try:
        known.wait("60s")
        with pytest.warns(UserWarning, match="cannot list your batches") as told:
            assert known.id in alcf.batches()["id"].tolist()
        assert told[0].filename == __file__
    finally:
        box.control("POST", "/state", {"cluster": "sophia", "add": {"id": "sandbox/guest"}})


def test_there_is_no_cancelling(box, folder):
    box.fail("batch-stuck", times=1, match=CREATE)
    batch = submit(folder)
    with pytest.raises(UsageError, match="cannot cancel a batch") as said:
        batch.cancel()
    assert "support@alcf.anl.gov" in str(said.value)
    assert f"Please cancel my inference batch {batch.id} on sophia." in str(said.value)


def test_waiting_outlasts_a_token_that_cannot_be_checked_just_now(box, folder):
    batch = submit(folder)
    box.fail("introspection-outage", times=1, match={"route": "/v1/batches", "method": "GET"})
    box.sent()
    assert batch.wait("60s").results()["status"].eq("ok").all()
    looks = [one for one in box.sent("/v1/batches") if one["method"] == "GET"]
    refused = next(n for n, one in enumerate(looks) if one["status"] == 401)
    pause = looks[refused + 1]["time"] - looks[refused]["time"]
    assert pause >= box.client.profile.poll_seconds, "a minute of the service"


def test_an_interrupt_ends_the_waiting(box, folder):
    box.fail("batch-stuck", times=1, match=CREATE)
    batch = submit(folder)
    since = []

    def interrupt():
        since.append(Usable())
        os.kill(os.getpid(), 2)

    timer = threading.Timer(0.5, interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        batch.wait()
    assert since[0].took() < 1


def test_progress_while_it_runs(box, folder):
    slow(box)
    batch = submit(folder)
    assert until(box, lambda: batch.progress().lines, bool) in (5, 10, 15)
    until(box, lambda: batch.progress().lines, lambda lines: lines == 20)
    assert str(batch.progress()).startswith("20 of 20 lines")


def test_texts_that_cannot_be_sent():
    data = pd.DataFrame({"a": ["ok", "half \ud800", "x" * 2_100_000, 3, None, "ok"]})
    asked = requests.requests(
        data, "A: {{a}} {{a}} \\{{b", kind="chat", model="m", system=None, schema=None, params={}
    )
    assert [type(one).__name__ for one in asked.texts] == [
        "bytes",
        "Unfit",
        "Unfit",
        "bytes",
        "Unfit",
        "bytes",
    ]
    assert json.loads(asked.texts[3]) == "A: 3 3 {{b"
    assert "surrogate" in asked.texts[1].reason
    lines = b"".join(asked.lines(asked.positions)).splitlines()
    assert [json.loads(one)["custom_id"] for one in lines] == ["row-0", "row-3", "row-5"]
