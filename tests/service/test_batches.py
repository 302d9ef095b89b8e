"""What the gateway says of batches, in every form it has been seen in."""

import json

import pytest

from alcf_jupyter.errors import AnswerError, UsageError
from alcf_jupyter.service import batches
from alcf_jupyter.service.batches import Summary

ID = "73a40f34-4166-4fce-a20e-6dcd9674a34f"
FLAT = {
    "results_file": f"/eagle/p/in_Llama_{ID}/in_20261121_100403.results.jsonl",
    "progress_file": f"/eagle/p/in_Llama_{ID}/in_20261121_100403.progress.json",
    "total_tokens": 52,
    "num_responses": 3,
    "lines_processed": 5,
    "duration_sec": 3.5,
    "throughput_tokens_per_sec": 16.6,
}
READ = Summary(FLAT["results_file"], FLAT["progress_file"], 52, 3, 5, 3.5, 16.6)
FILES = {key: FLAT[key] for key in ("results_file", "progress_file")}
COUNTS = {key: FLAT[key] for key in ("total_tokens", "num_responses", "lines_processed")}
GUIDE = {"response_time": 3.5, "throughput_tokens_per_second": 16.6}
OTHER = {"response_time_sec": 3.5, "throughput_tokens_per_sec": 16.6}


@pytest.mark.parametrize(
    ("told", "tasks"),
    [
        (str(FLAT), 1),
        (FLAT, 1),
        (json.dumps(FLAT), 1),
        ({**FILES, "metrics": {**COUNTS, **GUIDE}}, 1),
        ({**FILES, "metrics": {**COUNTS, **OTHER}}, 1),
        (f"{FLAT},{FLAT}", 2),
        (f"{FLAT}, {FLAT}, {FLAT}", 3),
        (f"{json.dumps(FLAT)},{json.dumps(FLAT)}", 2),
        ([FLAT, FLAT], 2),
    ],
)
def test_every_form_of_a_result(told, tasks):
    assert batches.read_result(told) == [READ] * tasks
    assert READ.failed == 2
    assert batches.model_of(READ, ID) == "Llama"


@pytest.mark.parametrize(
    "told",
    [
        "<ComputeResult object at 0x7f2c>",
        "",
        None,
        5,
        [],
        "[]",
        "{}",
        ["x"],
        "(" * 50_000,
        "__import__('os')",
        "{'a': 1}," * 50_000,
    ],
)
def test_what_is_no_result(told):
    with pytest.raises(AnswerError, match="no result of a batch"):
        batches.read_result(told)


def test_figures_that_are_none():
    told = {
        **FLAT,
        "total_tokens": -1,
        "num_responses": "3",
        "duration_sec": float("nan"),
        "lines_processed": True,
        "results_file": 7,
    }
    read = batches.read_result(told)[0]
    assert (read.total_tokens, read.responses, read.lines, read.failed) == (None,) * 4
    assert (read.response_time, read.results_file) == (None, "")


def test_the_list_and_its_dates():
    row = {"batch_id": ID, "status": "Completed", "cluster": "sophia", "input_file": "/x"}
    rows = [
        {
            **row,
            "in_progress_at": "2026-11-21T10:04:03.747Z",
            "completed_at": None,
            "failed_at": "2026-11-21T10:04:04Z",
        },
        {**row, "created_at": "2026-11-21 10:04:03", "in_progress_at": "nonsense"},
        {**row, "created_at": 1795255443},
        {"status": "no id at all"},
    ]
    found = batches.read_list(rows)
    assert [one.status for one in found] == ["completed"] * 3
    assert [round(one.created) for one in found] == [1795255444, 1795255443, 1795255443]
    assert [one.ended for one in found] == [1795255444.0, None, None]
    assert batches.read_list({"data": rows[:1]})[0].id == ID
    for wrong in ("x", {"a": 1}, [1], None):
        with pytest.raises(AnswerError):
            batches.read_list(wrong)


@pytest.mark.parametrize(
    "change",
    [
        {"batch_id": "../../escaped", "id": "../../escaped"},
        {"batch_id": "x\x1b]0;title\x07"},
        {"batch_id": f"{ID}/result"},
        {"status": "pend\x1b]0;TITLE\x07ing"},
        {"status": "pending for a while"},
        {"status": "x" * 41},
        {"status": None},
    ],
    ids=str,
)
def test_a_row_without_an_id_or_a_status_is_no_batch(change):
    row = {"batch_id": ID, "status": " Pending\n"}
    assert batches.read_list([row, {**row, **change}]) == [batches.Listed(ID, "pending")]


def test_words_of_the_list_are_cleaned():
    words = dict.fromkeys(("cluster", "framework", "model"), "a\x1b]0;TITLE\x07b\u202ec\nd")
    (found,) = batches.read_list([{"batch_id": ID, "status": "failed", **words}])
    assert (found.cluster, found.framework, found.model) == ("abc d",) * 3


def test_status_and_new_id():
    assert batches.read_status("completed") == "completed"
    assert batches.read_status({"status": "Running"}) == "running"
    assert batches.read_created({"batch_id": ID, "status": "pending"}) == ID
    for wrong in (None, [], "", "<html> page", {"x": 1}):
        with pytest.raises(AnswerError):
            batches.read_status(wrong)
    for wrong in (None, {}, {"batch_id": "x"}, "id"):
        with pytest.raises(AnswerError):
            batches.read_created(wrong)


@pytest.mark.parametrize("wrong", ["abc", "", None, 5, ID[:-1], f"{ID}/result", "../" + ID[3:]])
def test_what_is_no_id_is_never_sent(wrong):
    with pytest.raises(UsageError, match="no id of a batch"):
        batches.check_id(wrong)


def test_ids():
    assert batches.check_id(f" {ID.upper()}\n") == ID
    said = f"Input file /x already used by ongoing batch {ID}."
    assert batches.ongoing_id(said) == ID
    assert batches.ongoing_id("already used") == ""
    assert batches.ongoing_id(f"already used by ongoing batch {'-' * 36}.") == ""
