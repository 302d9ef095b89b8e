"""Results files to frames: every line is a row, whatever stands in it."""

import json
import random
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import alcf_jupyter as alcf
from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.batch import results

RECORDED = Path(__file__).resolve().parents[1] / "recorded" / "batch.results.jsonl"
GOOD = json.loads(RECORDED.read_text("utf-8").splitlines()[0])
VECTORS = json.loads(RECORDED.read_text("utf-8").splitlines()[4])


def line(number=0, text="an answer", finish="stop", **change):
    told = json.loads(json.dumps(GOOD))
    told["custom_id"] = f"row-{number}"
    choice = told["response"]["body"]["choices"][0]
    choice["message"]["content"], choice["finish_reason"] = text, finish
    return json.dumps({**told, **change}, ensure_ascii=False)


def answered(body):
    response = {"status_code": 200, "request_id": "x", "body": body}
    return json.dumps({"id": "x", "custom_id": "row-0", "response": response, "error": None})


@pytest.fixture
def read(tmp_path):
    def of(*lines):
        path = tmp_path / "x.results.jsonl"
        joined = b"\n".join(one if isinstance(one, bytes) else one.encode() for one in lines)
        path.write_bytes(joined)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return alcf.read_batch_results(path)

    return of


def test_the_recorded_file():
    frame = alcf.read_batch_results(RECORDED)
    assert frame["custom_id"].tolist() == ["req-0", "req-1", "req-2", "req-3", "req-4", "req-4"]
    assert frame["status"].tolist() == ["ok", "ok", "failed", "failed", "ok", "ok"]
    assert frame["reply"][0].startswith("Echo: one\n\nthe powerhouse")
    assert frame["reason"][2] == "This model's maximum context length is 8192 tokens."
    assert frame["reason"][3].startswith("URL /v1/bogus was used.")
    assert frame["item"].tolist() == [0, 0, 0, 0, 0, 1]
    assert [len(vector) for vector in frame["embedding"][4:]] == [64, 64]
    told = VECTORS["response"]["body"]["data"]
    assert np.allclose(frame["embedding"][5], told[1]["embedding"])
    assert frame["total_tokens"].sum() == 52, "as its progress file says"
    assert frame["total_tokens"].isna().tolist() == [False, False, True, True, False, True]
    assert frame.attrs["alcf"]["bad_lines"] == []


def test_a_plain_file_has_no_columns_of_vectors(read):
    frame = read(line(0), line(1, 'größer 😀 \u2028 \\alpha "x"'), line(2, "x\u0000y"))
    assert list(frame.columns) == [
        "line",
        "custom_id",
        "status",
        "reason",
        "reply",
        "reasoning",
        "finish_reason",
        "model",
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
    ]
    assert frame["reply"].tolist() == ["an answer", 'größer 😀 \u2028 \\alpha "x"', "x\0y"]
    assert frame["prompt_tokens"].dtype == "Int64"


ODD = [
    (line(finish="length"), "truncated", "cut off", True),
    (line(finish=None), "failed", "no finish reason", True),
    (line(finish="content_filter"), "failed", "content_filter", True),
    (line(text=None), "failed", "said nothing", True),
    (line(text=7), "failed", "not a string", True),
    (line(error={"error": {"message": "too long", "code": 400}}), "failed", "too long", True),
    (line(error={"object": "error", "message": "older shape"}), "failed", "older shape", True),
    (line(error="a plain text"), "failed", "a plain text", True),
    (line(error={}), "failed", "", True),
    (line(response=None), "failed", "no reason", True),
    (line(response={"status_code": 500, "body": None}), "failed", "HTTP 500", True),
    (line(response={"status_code": 503, "body": {"message": "busy"}}), "failed", "busy", True),
    (answered({"object": "error", "message": "in disguise"}), "failed", "in disguise", True),
    (answered({**GOOD["response"]["body"], "id": "chatcmpl-api-error"}), "failed", "", True),
    (answered({**GOOD["response"]["body"], "error": {"message": "both"}}), "failed", "both", True),
    (answered({**GOOD["response"]["body"], "choices": []}), "failed", "no choice", True),
    (answered({"completion": "raw"}), "failed", "no choice", True),
    (answered({**VECTORS["response"]["body"], "data": []}), "failed", "no vectors", True),
    (answered({**VECTORS["response"]["body"], "data": 5}), "failed", "no embeddings", True),
    (line().replace("row-0", "row-\\ud800"), "ok", "", True),
    (line().replace('"custom_id": "row-0"', '"custom_id": 5'), "failed", "no custom_id", False),
    (line()[:200], "failed", "cannot be read", False),
    ("", "failed", "empty", False),
    ("   ", "failed", "empty", False),
    ("[1, 2]", "failed", "no custom_id", False),
    (line() + line(), "failed", "cannot be read", False),
    (b'{"custom_id": "row-\xff\xfe"}', "failed", "", False),
    ("[" * 100_000, "failed", "cannot be read", False),
    (line().replace("null", "NaN", 1), "ok", "", True),
]


@pytest.mark.parametrize("place", [0, 1, 40])
@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd[2] or odd[1])
def test_every_odd_line_is_a_row_of_its_own(read, odd, place):
    raw, status, words, readable = odd
    lines = [line(n) for n in range(1, 41)]
    lines.insert(place, raw)
    frame = read(*lines, "")
    assert frame["line"].tolist() == list(range(1, 42))
    row = frame.iloc[place]
    assert row["status"] == status
    assert words in row["reason"]
    assert (row["reason"] == "") == (status == "ok")
    others = frame.drop(index=place)
    assert (others["status"] == "ok").all()
    assert others["custom_id"].tolist() == [f"row-{n}" for n in range(1, 41)]
    assert frame.attrs["alcf"]["bad_lines"] == ([] if readable else [place + 1])


def test_bad_lines_are_named_and_a_torn_one_keeps_its_id(tmp_path):
    path = tmp_path / "x.results.jsonl"
    path.write_text("\n".join([line(0), "{", line(2), line(3)[:300]]), "utf-8")
    with pytest.warns(UserWarning, match=r"2 of 4 lines of x.results.jsonl .* 2, 4\.") as told:
        frame = alcf.read_batch_results(tmp_path)
    assert told[0].filename == __file__
    assert frame["custom_id"].tolist()[2:] == ["row-2", "row-3"]
    assert frame["status"].tolist() == ["ok", "failed", "ok", "failed"]


@pytest.mark.parametrize("seed", range(6))
def test_blocks_of_any_size_read_the_same(tmp_path, monkeypatch, seed):
    draw = random.Random(seed)
    odd = [raw for raw, *_ in ODD if isinstance(raw, str)]
    lines = [
        draw.choice(odd) if draw.random() < 0.2 else line(n, "x" * draw.randrange(1, 3000))
        for n in range(150)
    ]
    lines[70] = line(70, "long " * 40_000)
    path = tmp_path / "x.results.jsonl"
    path.write_text("\n".join(lines) + "\n" * (seed % 2), "utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = alcf.read_batch_results(path)
        monkeypatch.setattr(results, "BLOCK_BYTES", draw.choice([700, 5_000, 64_000]))
        pieces = alcf.read_batch_results(path)
        out = alcf.read_batch_results(path, out=tmp_path / "x.parquet")
    pd.testing.assert_frame_equal(whole, pieces)
    assert whole.attrs == pieces.attrs
    stored = pd.read_parquet(out)
    assert stored["reply"].fillna("").tolist() == whole["reply"].fillna("").tolist()
    assert stored["line"].tolist() == whole["line"].tolist()
    assert out.stat().st_mode & 0o777 == 0o600


def test_an_empty_file_has_no_rows(read):
    assert len(read()) == 0


@pytest.mark.parametrize("path", ["none.jsonl", "folder"])
def test_paths_that_hold_nothing(tmp_path, path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError):
        alcf.read_batch_results(tmp_path / path)


def test_a_parquet_file_that_cannot_be_written(tmp_path):
    (tmp_path / "x.results.jsonl").write_text(line(), "utf-8")
    with pytest.raises(UsageError, match="cannot be written"):
        alcf.read_batch_results(tmp_path, out=tmp_path / "none" / "x.parquet")
    with pytest.raises(UsageError, match=r"x\.csv does not end in \.parquet"):
        alcf.read_batch_results(tmp_path, out=tmp_path / "x.csv")
    assert [one.name for one in tmp_path.iterdir()] == ["x.results.jsonl"]
