"""A prompt over every row: what is sent, what comes back, and what is refused before."""

from __future__ import annotations

import base64
import json
import threading
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import alcf_jupyter as alcf
from alcf_jupyter.connection import loop, session, standin
from alcf_jupyter.connection.client import Client
from alcf_jupyter.connection.deadline import Deadline
from alcf_jupyter.connection.sign_in.credentials import Credential
from alcf_jupyter.errors import (
    AlcfError,
    JournalError,
    JournalHeldError,
    RefusedError,
    ReplayError,
    TemplateError,
    UsageError,
)
from alcf_jupyter.progress import SilentObserver
from alcf_jupyter.typed import MAP, on_a_line
from tests.connection.faultserver import TOKEN, gateway_error, whole
from tests.frames.serving import connected

COLUMNS = ["reply", "status", "reason", "finish_reason", "attempts", "tokens", "seconds"]


def chat(text, finish="stop"):
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    told = {"id": "x", "object": "chat.completion", "model": "served"}
    return whole({**told, "choices": [choice], "usage": usage})


class Model:
    """Answers ``echo: PROMPT``; what it was sent, and how it may go wrong."""

    def __init__(self):
        self.bodies = []
        self.answers = {}
        self.guard = threading.Lock()
        self.gate = None

    def __call__(self, peer, request):
        with self.guard:
            self.bodies.append(request.json)
        prompt = request.json["messages"][-1]["content"]
        if self.gate is not None and prompt != "first":
            self.gate.wait(60)
        found = self.answers.get(prompt if isinstance(prompt, str) else "image")
        peer.send(found(request.json) if callable(found) else found or chat(f"echo: {prompt}"))

    @property
    def prompts(self):
        return [body["messages"][-1]["content"] for body in self.bodies]


@pytest.fixture
def model():
    with connected(Model()) as made:
        yield made


def run(data, template="{{text}}", **options):
    return alcf.map(data, template, observer=SilentObserver(), **options)


def test_a_table_in_and_its_answers_out(model):
    table = pd.DataFrame({"title": ["A", "B"], "year": [1999, 2001]})
    out = run(table, "{{title}} of {{ year }}: {{title}}?", system="Be brief.", temperature=0.5)
    assert list(out.columns) == COLUMNS
    assert out["reply"].tolist() == ["echo: A of 1999: A?", "echo: B of 2001: B?"]
    assert out["status"].tolist() == ["ok", "ok"]
    assert (out["tokens"].tolist(), out["attempts"].tolist()) == ([5, 5], [1, 1])
    assert out["finish_reason"].tolist() == ["stop", "stop"]
    system = {"role": "system", "content": "Be brief."}
    assert all(body["messages"][0] == system for body in model.bodies)
    assert all(body["temperature"] == 0.5 and not body.get("stream") for body in model.bodies)
    told = out.attrs["alcf"]
    assert (told["model"], told["cluster"], told["requests"]) == ("m", "sophia", 2)
    assert told["parameters"] == {"temperature": 0.5}
    assert (told["prompt_tokens"], told["completion_tokens"], told["complete"]) == (6, 4, True)
    json.dumps(told)
    assert TOKEN not in str(out.attrs)


INDEXES = [
    pd.Index([7, 7, 7, 7]),
    pd.MultiIndex.from_tuples([("a", 1), ("a", 1), ("b", 2), ("b", 3)], names=["x", "y"]),
    pd.DatetimeIndex(["2026-01-03", "2026-01-01", "2026-01-01", "2026-01-02"], tz="UTC"),
    pd.Index([None, "x", "x", np.nan], dtype=object),
]


@pytest.mark.parametrize("index", INDEXES, ids=lambda index: type(index).__name__)
def test_every_row_keeps_its_place_and_its_label(model, index):
    table = pd.DataFrame({"text": ["a", None, "a", "b"]}, index=index)
    out = run(table)
    pd.testing.assert_index_equal(out.index, index)
    assert out["status"].tolist() == ["ok", "skipped", "ok", "ok"]
    assert out["reply"].tolist()[::2] == ["echo: a", "echo: a"]
    assert sorted(model.prompts) == ["a", "a", "b"], "equal rows are asked each: answers differ"


CELLS = [
    (3, "3"),
    (2.5, "2.5"),
    (True, "True"),
    (np.float32(0.5), "0.5"),
    (pd.Timestamp("2026-01-02"), "2026-01-02 00:00:00"),
    ("{{text}}", "{{text}}"),
]


@pytest.mark.parametrize(("cell", "written"), CELLS, ids=str)
def test_single_values_are_written_out_once(model, cell, written):
    run(pd.DataFrame({"text": pd.Series([cell], dtype=object)}), "<{{text}}>")
    assert model.prompts == [f"<{written}>"]


SINGLE = [
    pd.Series([0.1, None, 3], dtype="float32"),
    pd.Series([0.1, None, 3], dtype="Float32"),
    pd.Series([0.1, None, 3], dtype="float16"),
    pd.Series([0.1, None, 3], dtype=pd.ArrowDtype(pa.float32())),
]


@pytest.mark.parametrize("cells", SINGLE, ids=lambda cells: str(cells.dtype))
def test_numbers_of_single_precision_are_written_as_they_are_shown(model, cells):
    out = run(cells.to_frame("text"))
    assert out["status"].tolist() == ["ok", "skipped", "ok"]
    assert sorted(model.prompts) == ["0.1", "3.0"]


UNFIT = [
    (None, "skipped", "missing value in 'text'"),
    (np.nan, "skipped", "missing value"),
    (pd.NaT, "skipped", "missing value"),
    (" \n", "skipped", "blank text"),
    (["a"], "failed", "not a single value but list"),
    ("half \ud83d", "failed", "half a character"),
    ("x" * 2_000_001, "failed", "bytes are more than a request holds"),
]


def test_what_cannot_be_sent_fails_its_own_row(model):
    cells = ["first", *(cell for cell, *_ in UNFIT), "last"]
    out = run(pd.DataFrame({"text": pd.Series(cells, dtype=object)}))
    assert out["status"].tolist() == ["ok", *(status for _, status, _ in UNFIT), "ok"]
    for (_, _, words), reason in zip(UNFIT, out["reason"].tolist()[1:], strict=False):
        assert words in reason
    assert sorted(model.prompts) == ["first", "last"]
    assert out["attempts"].tolist() == [1, *[0] * len(UNFIT), 1]


TABLES = {
    "Series": lambda texts: pd.Series(texts, name="text"),
    "nameless Series": pd.Series,
    "list": list,
    "list of dicts": lambda texts: [{"text": text} for text in texts],
    "dict": lambda texts: {"text": texts},
    "generator": lambda texts: (text for text in texts),
    "Arrow": lambda texts: pa.table({"text": texts}),
}


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize("kind", TABLES)
def test_whatever_holds_columns(kind):
    out = run(TABLES[kind](["a", "b"]))
    assert out["reply"].tolist() == ["echo: a", "echo: b"]


def test_no_rows_and_one_row(model):
    nothing = run(pd.DataFrame({"text": []}))
    assert (list(nothing.columns), len(nothing)) == (COLUMNS, 0)
    assert model.bodies == []
    assert len(run(["one"])) == 1


REFUSED = [
    ({"template": "{{titel}}", "data": pd.DataFrame({"title": ["a"]})}, "{{title}}"),
    ({"template": "no column"}, "{{text}}"),
    ({"template": "{{text"}, "has no end"),
    ({"schema": "status, age int"}, "prefix="),
    ({"schema": "age years"}, "short form"),
    ({"data": "a text"}, "no table"),
    ({"data": pd.DataFrame([[1, 2]], columns=["text", "text"])}, "2 columns"),
    ({"concurrency": 0}, "Leave it out"),
    ({"concurrency": 4096}, "Leave it out"),
    ({"on_error": "ignore"}, "Leave it out"),
    ({"out": "result.csv"}, "result.parquet"),
    ({"out": "/no/such/folder/x.parquet"}, "folder"),
    ({"temperature": 9}, "Change it"),
    ({"top_k": 3}, "top_p"),
    ({"system": 3}, "Leave system out"),
    ({"timeout": "soon"}, "30m"),
    (
        {"images": "figure"},
        "There is no column 'figure'; nothing was sent.\nThe columns are: text.",
    ),
    ({"images": "txt"}, "Did you mean:  text"),
    ({"images": 5}, "not int"),
    ({"template": " ", "images": "text"}, "The prompt is empty"),
    ({"prefix": 5}, "prefix= is a text, and not int; nothing was sent."),
    ({"prefix": 5, "schema": "age int"}, "Write:  prefix='answer_'"),
    ({"prefix": 5, "schema": "age int", "via": "batch"}, "Write:  prefix='answer_'"),
    ({"max_tokens": "300"}, "The service refuses max_tokens='300'"),
    ({"via": "post"}, "via='batch'"),
    ({"via": "batch", "checkpoint": "x"}, "Leave checkpoint out"),
    (
        {"data": pd.DataFrame([[1, 2]], columns=[1, "1"]), "template": "{{1}}"},
        "df.rename(columns={1: ",
    ),
    ({"images": [1, 2]}, "The images are 2, for 1 row;"),
]


@pytest.mark.parametrize(("options", "words"), REFUSED, ids=lambda one: str(one)[:40])
def test_what_is_refused_before_anything_is_sent(model, options, words):
    with pytest.raises(UsageError) as told:
        run(**{"data": ["a"], **options})
    assert words in str(told.value)
    assert 2 <= len(str(told.value).splitlines()) <= 3
    assert model.server.to("/chat/completions") == []


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize(("options", "words"), REFUSED, ids=lambda one: str(one)[:40])
def test_an_estimate_refuses_what_the_call_would(options, words):
    with pytest.raises(UsageError) as told:
        alcf.estimate(**{"data": ["a"], "template": "{{text}}", **options})
    assert words in str(told.value)
    assert 2 <= len(str(told.value).splitlines()) <= 3


def test_an_estimate_takes_what_the_call_takes(model, tmp_path):
    how = {
        "model": "m",
        "system": "Be brief.",
        "schema": "age int",
        "prefix": "p_",
        "checkpoint": tmp_path / "run",
        "concurrency": 2,
        "on_error": "keep",
        "out": tmp_path / "out.parquet",
        "timeout": "3m",
        "wait": False,
        "background": True,
        "observer": SilentObserver(),
        "temperature": 0,
        "max_tokens": 5,
    }
    told = alcf.estimate(["a", "b"], "{{text}}", **how)
    assert (told.rows, told.completion_tokens) == (2, 10)
    assert alcf.estimate(["a", "b"], "{{text}}", via="batch").rows == 2
    how = {"dimensions": 2, "normalize": True, "per_request": 1, "model": "m", "fresh": True}
    assert alcf.estimate(["a", "b"], **how).requests == 2
    assert list(tmp_path.iterdir()) == []
    assert model.bodies == []
    assert len(alcf.runs()) == 0


def test_an_estimate_for_a_server_whose_parameters_are_not_known():
    client = alcf.connect("sandbox")
    secret = standin.secret_of(standin.start())
    alcf.connect(client.url.replace("/resource_server", "/v1"), token=secret)
    told = alcf.estimate(["a"], "{{text}}", model="sandbox/echo", max_tokens="300")
    assert (told.rows, told.completion_tokens) == (1, None)


@pytest.mark.usefixtures("model")
def test_an_estimate_leaves_out_what_is_recorded(tmp_path):
    texts = [f"row {n}" for n in range(6)]
    for place in ({}, {"checkpoint": tmp_path / "run"}):
        before = alcf.estimate(texts, "{{text}}", **place)
        assert (before.rows, before.recorded) == (6, 0)
        run(texts[:4], **place)
        after = alcf.estimate(texts, "{{text}}", **place)
        assert (after.rows, after.recorded, after.requests) == (2, 4, 2)
        assert str(after).startswith("2 rows to send, 4 from the record · about")
        assert alcf.estimate(texts, "{{text}}", **place, fresh=True).rows == 6
    assert alcf.estimate(texts, "{{text}}", temperature=1).rows == 6
    with pytest.raises(JournalError, match="another run"):
        alcf.estimate(texts, "{{text}}", temperature=1, checkpoint=tmp_path / "run")
    assert alcf.estimate(texts, "{{text}}", via="batch").rows == 6, "batches have another record"
    assert alcf.estimate(texts[:1], "{{text}}").rows == 1, "one request is not recorded"
    assert alcf.estimate(texts[:1], "{{text}}", checkpoint=tmp_path / "run").rows == 0


def test_an_estimate_looks_into_the_record_of_a_run_that_goes_on(model):
    model.gate = threading.Event()
    background = run(["first", "b", "c"], background=True)
    until_the_first(background)
    told = alcf.estimate(["first", "b", "c"], "{{text}}")
    assert (told.rows, told.recorded) == (2, 1)
    model.gate.set()
    assert background.result(60)["status"].eq("ok").all()


@pytest.mark.usefixtures("model")
def test_the_line_before_a_run_says_what_is_recorded(capsys):
    at_once = replace(alcf.client().profile, requests_per_second=None)
    session.current().client = Client(at_once, Credential(TOKEN, "the test"))
    texts = [f"row {n}" for n in range(130)]
    run(texts[:20], concurrency=32)
    told = str(alcf.estimate(texts, "{{text}}"))
    alcf.map(texts, "{{text}}", concurrency=32)
    said = capsys.readouterr().err
    assert said.startswith("110 rows to send, 20 from the record · about")
    assert said.splitlines()[0] == told


def test_a_template_of_another_kind(model):
    with pytest.raises(TemplateError):
        run(["a"], template=None)
    assert model.bodies == []


FORM = "name, age int, tags list[str]"
GOOD = json.dumps({"name": "Ada", "age": 36, "tags": ["x"]})


def test_the_fields_of_a_form_become_columns(model):
    model.answers = {"a": chat(GOOD), "b": chat(f"```json\n{GOOD}\n```"), "c": chat("no", "length")}
    out = run(["a", "b", "c"], schema=FORM, prefix="p_")
    assert list(out.columns) == ["p_name", "p_age", "p_tags", *COLUMNS[1:]]
    assert out["p_age"].tolist()[:2] == [36, 36]
    assert str(out["p_age"].dtype) == "Int64"
    assert out["p_tags"].tolist() == [["x"], ["x"], None]
    assert out["status"].tolist() == ["ok", "ok", "truncated"]
    assert model.bodies[0]["response_format"]["type"] == "json_schema"


FORMS = [
    ("n int", [{"n": 1}, {"n": 10**30}, {"n": 2**63}], {"n": [1, 10**30, 2**63]}),
    ("n int", [{"n": 1}, {"n": 1e30}], {"n": [1, 1e30]}),
    ("x float", [{"x": 10**400}, {"x": 1}], {"x": [10**400, 1]}),
    ({"type": "array", "items": {"type": "integer"}}, [[1, 2], []], {"data": [[1, 2], []]}),
    (
        {"properties": {"data": {"type": "string"}}},
        [{"data": "x"}, {"data": "y"}],
        {"data": ["x", "y"]},
    ),
]


@pytest.mark.parametrize(("form", "answers", "columns"), FORMS, ids=str)
def test_whatever_a_form_lets_through_has_its_place(model, tmp_path, form, answers, columns):
    texts = [f"row {n}" for n in range(len(answers))]
    model.answers = {text: chat(json.dumps(one)) for text, one in zip(texts, answers, strict=True)}
    for _ in range(2):  # the second time from the record
        out = run(texts, schema=form, checkpoint=tmp_path / "run")
        assert out["status"].eq("ok").all()
        assert list(out.columns) == [*columns, *COLUMNS[1:]]
        for name, values in columns.items():
            assert [None if one is pd.NA else one for one in out[name].tolist()] == values
    assert len(model.bodies) == len(texts)


def test_an_answer_without_fields_where_a_form_has_some(model):
    model.server.script.infer = lambda peer, _request: peer.send(chat("[1]"))
    out = run(["a"], schema={"properties": {"data": {"type": "string"}}})
    assert out["status"].tolist() == ["failed"]
    assert "not an object" in out["reason"][0]


def test_an_answer_of_another_form_is_asked_for_once_more(model):
    asked = []

    def answer(body):
        asked.append(body["messages"])
        return chat(GOOD if len(asked) > 1 else '{"name": "Ada"}')

    model.answers = {"b": chat("never JSON")}
    model.answers["a"] = answer

    def repaired(body):
        return answer(body) if "Ada" in str(body["messages"]) else chat("still not")

    model.answers["complaint"] = repaired
    before = Model.__call__

    def route(self, peer, request):
        messages = request.json["messages"]
        if len(messages) == 3:  # the question, the answer, and what was wrong with it
            with self.guard:
                self.bodies.append(request.json)
            peer.send(repaired(request.json))
        else:
            before(self, peer, request)

    model.server.script.infer = lambda peer, request: route(model, peer, request)
    out = run(["a", "b"], schema=FORM)
    assert out["status"].tolist() == ["ok", "failed"]
    assert out["name"][0] == "Ada"
    assert pd.isna(out["name"][1])
    assert out["attempts"].tolist() == [2, 2]
    assert "still not" in out["reason"][1]
    assert len(model.bodies) == 4, "each once more, and no further"


def test_a_pydantic_model_as_the_form(model):
    from pydantic import BaseModel

    class Person(BaseModel):
        name: str
        age: int

    model.answers = {"a": chat('{"name": "Ada", "age": "36"}')}
    out = run(["a"], schema=Person)
    assert (out["name"][0], out["age"][0]) == ("Ada", 36)


def picture(width):
    import io

    from PIL import Image

    made = io.BytesIO()
    Image.new("RGB", (width, 2), "red").save(made, "png")
    return made.getvalue()


def test_a_column_of_images(model, tmp_path):
    (tmp_path / "b.png").write_bytes(picture(3))
    (tmp_path / "no.png").write_text("no image")
    images = [picture(2), str(tmp_path / "b.png"), None, tmp_path / "gone.png", tmp_path / "no.png"]
    table = pd.DataFrame({"text": list("abcde"), "figure": pd.Series(images, dtype=object)})
    model.answers = {"image": chat("seen")}
    out = run(table, images="figure", checkpoint=tmp_path / "run")
    assert out["status"].tolist() == ["ok", "ok", "skipped", "failed", "failed"]
    parts = [body["messages"][0]["content"] for body in model.bodies]
    shown = {base64.b64decode(one[1]["image_url"]["url"].split(",")[1]) for one in parts}
    assert shown == {picture(2), picture(3)}
    table.loc[0, "figure"] = picture(9)
    run(table, images="figure", checkpoint=tmp_path / "run")
    assert len(model.bodies) == 3, "only the row whose image changed is asked again"


def test_a_prompt_that_is_the_same_for_every_image(model):
    images = pd.Series([picture(2), None, picture(3)], dtype=object)
    model.answers = {"image": chat("seen")}
    tables = ({"data": images.to_frame("figure"), "images": "figure"}, {"images": images})
    for n, given in enumerate(tables):
        options = {"data": ["a", "b", "c"], **given, "seed": n}
        out = run(**options, template="What is this?")
        assert out["status"].tolist() == ["ok", "skipped", "ok"]
        assert out["reason"][1] == "no image"
    assert {prompt[0]["text"] for prompt in model.prompts} == {"What is this?"}
    assert len({prompt[1]["image_url"]["url"] for prompt in model.prompts}) == 2
    assert len(model.prompts) == 4
    assert set(alcf.runs().frame["columns"]) == {"", "figure"}


def test_columns_of_one_name_are_mended_by_what_is_said(model):
    twice = pd.DataFrame([["a", "b"]], columns=["text", "text"])
    with pytest.raises(UsageError) as told:
        run(twice)
    mended = str(told.value).splitlines()[-1].partition(":  ")[2]
    out = run(eval(mended, {"df": twice}))
    assert out["reply"].tolist() == ["echo: a"]
    assert model.prompts == ["a"]


def test_a_run_goes_on_where_it_was(model, tmp_path):
    table = pd.DataFrame({"text": list("abcd")})
    run(table[:2], checkpoint=tmp_path / "run")
    out = run(table[::-1], checkpoint=tmp_path / "run")
    assert out["reply"].tolist() == [f"echo: {one}" for one in "dcba"]
    assert out.index.tolist() == [3, 2, 1, 0]
    assert sorted(model.prompts) == list("abcd")
    assert out.attrs["alcf"]["reused"] == 2
    origins = [out.attrs["alcf"], run(table, checkpoint=tmp_path / "run").attrs["alcf"]]
    for told in origins:  # the second has sent nothing
        assert (told["cluster"], told["model_served"]) == ("sophia", "served")
    assert (origins[1]["reused"], origins[1]["requests"]) == (4, 0)
    assert len(run(table, checkpoint=tmp_path / "run", fresh=True)) == 4
    assert len(model.prompts) == 8
    for other in ({"template": "{{text}}!"}, {"temperature": 1}, {"system": "x"}, {"model": "n"}):
        with pytest.raises(JournalError, match="another run"):
            run(table, checkpoint=tmp_path / "run", **other)
    assert len(model.prompts) == 8


def test_runs_are_recorded_by_default_but_for_a_single_request(model):
    run(["a", "b"])
    run(["a", "b"])
    assert len(model.bodies) == 2
    run(["c"])
    run(["c"])
    assert len(model.bodies) == 4


def test_a_row_that_is_refused_is_not_sent_again_and_one_that_failed_is(model):
    model.answers = {
        "bad": gateway_error(400, "x", "too long"),
        "ill": gateway_error(500, "x", "out of memory"),
    }
    out = run(["good", "bad", "ill"])
    assert out["status"].tolist() == ["ok", "failed", "failed"]
    assert "too long" in out["reason"][1]
    sent = len(model.bodies)
    assert out["attempts"].tolist()[2] == sent - 2 == 8
    model.answers = {}
    out = run(["good", "bad", "ill"])
    assert out["status"].tolist() == ["ok", "failed", "ok"]
    assert len(model.bodies) == sent + 1


def test_the_same_refusal_of_the_first_rows_stops_the_run(model):
    bad = gateway_error(400, "x", "no such tool")
    texts = [f"row {n}" for n in range(500)]
    model.answers = dict.fromkeys(texts, bad)
    with pytest.raises(RefusedError, match="no such tool") as told:
        run(texts)
    assert len(model.bodies) < 20
    assert told.value.result["status"].isin(["failed", "pending"]).all()


def test_the_first_failed_row_may_end_it(model):
    model.answers = {"bad": gateway_error(400, "x", "too long")}
    with pytest.raises(UsageError, match="1 row cannot be sent"):
        run(["a", ["no text"], "c"], on_error="raise")
    assert model.bodies == []
    with pytest.raises(AlcfError, match="too long") as told:
        run(["a", "bad", "c"], on_error="raise", concurrency=1)
    assert told.value.result["status"].tolist()[:2] == ["ok", "failed"]


@pytest.mark.usefixtures("model")
def test_the_result_is_written_to_a_file_as_well(tmp_path):
    path = tmp_path / "result.parquet"
    out = run(pd.DataFrame({"text": list("ab")}, index=["x", "y"]), out=path)
    assert path.stat().st_mode & 0o777 == 0o600
    pd.testing.assert_frame_equal(pd.read_parquet(path), out, check_dtype=False)
    assert list(tmp_path.iterdir()) == [path]


def until_the_first(background):
    """Wait until one row has an answer."""
    while not background.progress.ok:
        assert not background.wait(0.02)


def time_is_over(background):
    """Let a run find out that its time has passed."""
    engine = background._engine
    engine.limits.deadline = Deadline.after(1e-9)
    loop.current().call_soon_threadsafe(engine._news.set)


def test_a_run_in_the_background(model):
    model.gate = threading.Event()
    texts = ["first", *(f"row {n}" for n in range(40))]
    background = run(texts, background=True, concurrency=4)
    seen = []
    background.watch(seen.append)
    background.watch(lambda _: 1 / 0)
    until_the_first(background)
    assert background.running
    with pytest.raises(JournalHeldError):
        run(texts)
    background.pause()
    model.gate.set()
    loop.current().call_soon_threadsafe((paused := threading.Event()).set)
    assert paused.wait(60)
    until = time.monotonic() + 60
    while background._engine._tasks or background.progress.ok < len(model.bodies):
        background.wait(0.02)
        assert time.monotonic() < until
    assert background.progress.state == "paused"
    assert 0 < background.progress.pending < 41
    partial = background.so_far()
    assert partial["status"].value_counts()["pending"] == background.progress.pending
    background.resume()
    out = background.result(timeout=60)
    assert out["status"].eq("ok").all()
    assert len(model.bodies) == 41
    assert seen[-1].state == "finished"
    assert str(seen[-1]).startswith("41 of 41 rows")


def test_a_run_that_is_stopped_keeps_what_it_has(model):
    model.gate = threading.Event()
    background = run(["first", "b", "c"], background=True)
    until_the_first(background)
    background.stop()
    out = background.result(timeout=60)
    assert out["status"].tolist() == ["ok", "pending", "pending"]
    assert background.progress.state == "stopped"
    model.gate.set()
    assert run(["first", "b", "c"])["status"].eq("ok").all()


def test_the_time_for_the_whole_run(model, tmp_path):
    model.gate = threading.Event()
    run(["first"], checkpoint=tmp_path / "run")
    out = run(["first", "b"], checkpoint=tmp_path / "run", timeout=1)
    assert out["status"].tolist() == ["ok", "pending"]
    model.gate.set()


def test_an_estimate_sends_nothing(model):
    table = pd.DataFrame({"text": ["x" * 400] * 1000 + [None]})
    told = alcf.estimate(table, "{{text}}", max_tokens=50)
    assert (told.rows, told.requests, told.prompt_tokens) == (1000, 1000, 100_000)
    assert told.completion_tokens == 50_000
    assert told.seconds == pytest.approx(1000 / 9.2)
    assert str(told).startswith("1,000 rows to send · 1 skipped (missing or blank) · about")
    assert "60,000 tokens a minute" in str(told)
    embedded = alcf.estimate(table["text"], model="m")
    assert (embedded.rows, embedded.requests) == (1, 1), "equal texts are sent once"
    mixed = alcf.estimate(["a", " ", None, ["no text"]], "{{text}}")
    assert (mixed.rows, mixed.skipped, mixed.failed) == (1, 2, 1)
    assert str(mixed).startswith("1 row to send · 2 skipped (missing or blank) · 1 cannot be sent")
    assert str(alcf.estimate(["a"], model="m")).startswith("1 row to send · about")
    assert model.server.to("/chat/completions") == []
    for wrong in ({"template": "{{no}}"}, {"template": None, "system": "x", "model": "m"}):
        with pytest.raises(UsageError):
            alcf.estimate(table, **wrong)


@pytest.mark.usefixtures("model")
def test_many_tokens_are_better_sent_as_a_batch_too():
    long = alcf.estimate(["x" * 40_000] * 200, "{{text}}")
    assert long.seconds < 1800 < long.token_seconds
    assert long.as_batch
    assert "better as a batch" in str(long)


@pytest.mark.usefixtures("model")
def test_what_takes_long_is_better_sent_as_a_batch():
    """The service does not tell which models take batches, so all but those that refused one."""
    short = alcf.estimate(["x"] * 1000, "{{text}}")
    assert (short.as_batch, short.batch_files) == (False, 1)
    assert "batch" not in str(short)
    long = alcf.estimate(["x"] * 150_001, "{{text}}")
    assert (long.as_batch, long.batch_files) == (True, 2)
    way = "where the model takes them:  "
    assert str(long).endswith(f"better as a batch of 2 files, {way}via='batch'")
    with on_a_line(MAP):
        told = str(alcf.estimate(["x"] * 17_000, "{{text}}"))
    assert told.endswith(f"better as a batch, {way}--via batch")
    client = alcf.client()
    client._directory.learn(client.known.find("m"), can_batch=False)
    refused = alcf.estimate(["x"] * 17_000, "{{text}}")
    assert (refused.as_batch, refused.batch_files) == (False, 0)
    assert "batch" not in str(refused)


@pytest.mark.usefixtures("model")
def test_what_a_large_run_takes_is_said_before_it(capsys):
    at_once = replace(alcf.client().profile, requests_per_second=None)
    session.current().client = Client(at_once, Credential(TOKEN, "the test"))
    alcf.map([f"row {n}" for n in range(101)], "{{text}}", concurrency=32, timeout="3m")
    said = capsys.readouterr().err
    assert said.startswith("101 rows to send · about")
    assert said.rstrip().endswith("101 rows: 101 ok")
    behind = alcf.map([f"line {n}" for n in range(101)], "{{text}}", background=True)
    assert capsys.readouterr().err.startswith("101 rows to send · about"), "and none is sent yet"
    assert behind.result(180)["status"].eq("ok").all()
    alcf.map(["a", "b"], "{{text}}", background=True).result(60)
    assert capsys.readouterr().err == ""


def test_few_rows_end_without_a_word_only_where_all_are_ok(model, capsys):
    model.answers = {"bad": gateway_error(400, "x", "too long"), "cut": chat("half", "length")}
    alcf.map(["a", "b"], "{{text}}")
    assert capsys.readouterr().err == ""
    alcf.map(["c", "bad", "cut", None, " "], "{{text}}")
    said = capsys.readouterr().err
    assert said == "5 rows: 1 ok, 1 truncated, 1 failed, 2 skipped\n"
    alcf.embed([None, " "], model="m")
    assert capsys.readouterr().err == "2 rows: 2 skipped\n"


def test_a_run_that_is_broken_off_again_and_again_leaves_no_dead_connection(model):
    at_once = replace(alcf.client().profile, requests_per_second=None)
    session.current().client = Client(at_once, Credential(TOKEN, "the test"))
    rows = [f"row {n}" for n in range(400)]
    for stop in range(1, 9):
        background = run(rows, background=True, concurrency=64)
        while background.running and background.progress.ok < 40 * stop:
            background.wait(0.002)
        background.stop()
        background.result()
    out = run(rows, concurrency=64, timeout=180)
    assert out["status"].eq("ok").all()
    assert out["attempts"].eq(1).all(), "none was waited for in vain"
    assert set(model.prompts) == set(rows)


def test_a_run_is_recorded_and_played_again(model, tmp_path):
    path = tmp_path / "record.json"
    alcf.replay("record", path)
    try:
        asked = run(["a", "b", None, "a"])
        assert TOKEN not in path.read_text()
        alcf.replay("only", path)
        sent = len(model.bodies)
        played = run(["a", "b", None, "a"])
        assert len(model.bodies) == sent == 3
        with pytest.raises(ReplayError, match="not recorded") as told:
            run(["a", "new"])
        assert told.value.result["status"].tolist()[1] == "pending"
    finally:
        alcf.replay("off")
    same = ["reply", "status", "reason", "finish_reason", "tokens"]
    pd.testing.assert_frame_equal(asked[same], played[same])
    told, before = played.attrs["alcf"], asked.attrs["alcf"]
    assert told["replayed"] is True
    assert all(told[name] == before[name] for name in ("model", "cluster", "states", "rows"))
