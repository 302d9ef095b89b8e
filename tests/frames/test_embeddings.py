"""Texts to an embedding frame: every row accounted for, whatever stands in it."""

import base64
import datetime as dt
import decimal
import enum
import math
import struct
import zlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import alcf_jupyter as alcf
from alcf_jupyter.errors import (
    MaintenanceError,
    RefusedError,
    UnknownModelError,
    UsageError,
)
from tests.connection.faultserver import TOKEN, gateway_error, jobs, whole
from tests.frames.serving import connected

WIDTH = 4


def vector_of(text):
    """A vector that tells texts apart, exact in float32."""
    seed = zlib.crc32(text.encode())
    return [float((seed >> (8 * i)) % 256) for i in range(WIDTH)]


class Model:
    """Answers embeddings requests; what it was sent, and how it may go wrong."""

    def __init__(self):
        self.packs = []
        self.poison = ()
        self.form = "asked"
        self.change = None
        self.refusal = gateway_error(400, "x", "This text cannot be embedded.")

    def __call__(self, peer, request):
        texts = request.json["input"]
        self.packs.append(texts)
        self.request = request
        if any(text in self.poison or self.poison == "all" for text in texts):
            peer.send(self.refusal)
            return
        base64_asked = request.json.get("encoding_format") == "base64"
        coded = base64_asked if self.form == "asked" else self.form == "base64"
        width = request.json.get("dimensions", WIDTH)
        rows = [self._vector(text, width, coded) for text in texts]
        data = [{"index": i, "embedding": row} for i, row in enumerate(rows)]
        usage = {"prompt_tokens": sum(len(text.split()) for text in texts)}
        answer = {"data": data, "model": "served", "usage": usage}
        peer.send(whole(self.change(answer) if self.change else answer))

    def _vector(self, text, width, coded):
        row = vector_of(text)[:width]
        return base64.b64encode(struct.pack(f"<{width}f", *row)).decode() if coded else row

    @property
    def sent(self):
        return [text for pack in self.packs for text in pack]


@pytest.fixture
def model():
    with connected(Model()) as made:
        yield made


def check(frame, texts):
    """Every row is there, in order, with its own vector or none."""
    assert list(frame.columns) == ["text", "embedding", "status", "reason", "tokens"]
    assert len(frame) == len(texts)
    rows = zip(texts, *(frame[name] for name in frame.columns), strict=True)
    for text, kept, vector, status, reason, _ in rows:
        if status == "ok":
            assert list(vector) == vector_of(text)
            assert (kept, reason) == (text, "")
        else:
            assert vector is pd.NA
            assert reason
    assert repr(frame)
    assert frame.to_html()
    assert set(frame["status"]) <= {"ok", "failed", "skipped"}


def test_texts_in_and_a_frame_out(model):
    texts = ["one", "two words", "three"]
    frame = alcf.embed(texts)
    check(frame, texts)
    assert frame.index.equals(pd.RangeIndex(3))
    assert model.packs == [texts]
    assert model.request.json == {"model": "m", "input": texts, "encoding_format": "base64"}
    told = frame.attrs["alcf"]
    assert (told["model"], told["cluster"], told["model_served"]) == ("m", "sophia", "served")
    assert (told["dimensions"], told["prompt_tokens"], told["states"]) == (4, 4, ["Live"])
    assert TOKEN not in str(frame.attrs)
    assert frame["tokens"].isna().all(), "of several texts it is not told for each"
    assert alcf.embed(["just one"])["tokens"].tolist() == [2]


class Color(str, enum.Enum):  # noqa: UP042 - the older kind, whose hash is its name's
    RED = "a red text"


BAD = [
    (None, "skipped", "missing"),
    (float("nan"), "skipped", "missing"),
    (np.float32("nan"), "skipped", "missing"),
    (pd.NA, "skipped", "missing"),
    (pd.NaT, "skipped", "missing"),
    (np.datetime64("NaT"), "skipped", "missing"),
    (decimal.Decimal("NaN"), "skipped", "missing"),
    ("", "skipped", "blank"),
    (" \t\n\u3000", "skipped", "blank"),
    (5, "failed", "not a text but int; .astype(str) makes texts of a column"),
    (0.5, "failed", "not a text but float; .astype(str)"),
    (math.inf, "failed", "float"),
    (True, "failed", "bool"),
    (b"bytes", "failed", "bytes"),
    (["a"], "failed", "list"),
    (("a",), "failed", "tuple"),
    ({"a": 1}, "failed", "dict"),
    (object(), "failed", "object"),
    (np.array(["a", "b"]), "failed", "ndarray"),
    (dt.datetime(2026, 1, 1, tzinfo=dt.UTC), "failed", "datetime"),
    (pd.Series(["a"]), "failed", "Series"),
    ("half \ud800", "failed", "surrogate"),
    ("x" * 2_000_001, "failed", "2,000,001 bytes"),
    ("é" * 1_000_001, "failed", "2,000,002 bytes"),
]


def test_the_values_of_a_dict_are_embedded_under_its_keys(model):
    frame = alcf.embed({"p1": "red apple", "p2": None, "p3": "green pear"})
    assert frame["text"].tolist() == ["red apple", None, "green pear"]
    assert frame.index.tolist() == ["p1", "p2", "p3"]
    assert frame["status"].tolist() == ["ok", "skipped", "ok"]
    assert model.sent == ["red apple", "green pear"]
    assert len(alcf.embed({})) == 0


@pytest.mark.parametrize("nothing", [None, 5, 0.5])
def test_what_is_no_column_is_said(model, nothing):
    with pytest.raises(UsageError, match=rf"this is {nothing}\.\nType:  alcf\.embed"):
        alcf.embed(nothing)
    assert model.sent == []


def test_an_estimate_leaves_out_what_is_recorded(model):
    texts = [f"{n:05} " + "x" * 50_000 for n in range(4)]
    alcf.embed(texts[1:3])
    assert len(model.packs) == 2
    told = alcf.estimate(texts, model="m")
    assert (told.rows, told.recorded, told.requests) == (2, 2, 2)
    assert alcf.estimate(texts, dimensions=2).recorded == 0
    with pytest.raises(UsageError, match="Did you mean:  dimensions="):
        alcf.estimate(texts, dimension=2)


def test_a_misspelled_option_on_a_column(model):
    with pytest.raises(UsageError, match="Did you mean:  model="):
        pd.Series(["a"]).alcf.embed(modle="x")
    assert model.sent == []


def test_a_column_of_numbers_is_mended_as_its_reason_says(model):
    years = pd.Series([2020, 2021])
    reasons = alcf.embed(years)["reason"]
    assert reasons.str.contains(".astype(str)", regex=False).all()
    assert alcf.embed(years.astype(str))["status"].tolist() == ["ok", "ok"]
    assert model.sent == ["2020", "2021"]
    assert not alcf.embed([b"bytes", ["a"]])["reason"].str.contains("astype").any()


@pytest.mark.parametrize(
    ("bad", "status", "reason"), BAD, ids=[f"{type(b).__name__} {r}" for b, _, r in BAD]
)
def test_a_bad_row_is_alone(model, bad, status, reason):
    frame = alcf.embed(["first", bad, "last"])
    assert frame["status"].tolist() == ["ok", status, "ok"]
    assert reason in frame["reason"][1]
    assert model.sent == ["first", "last"]
    check(frame, ["first", bad, "last"])


def test_all_bad_rows_together(model):
    texts = ["first", *(bad for bad, *_ in BAD), "last"]
    frame = alcf.embed(texts)
    assert frame["status"].tolist() == ["ok", *(status for _, status, _ in BAD), "ok"]
    assert model.sent == ["first", "last"]


@pytest.mark.parametrize("texts", [[], [None], ["", " "], [5], [None, float("nan"), ""]])
def test_where_there_is_nothing_to_embed(model, texts):
    frame = alcf.embed(texts)
    assert set(frame["status"]) <= {"skipped", "failed"}
    check(frame, texts)
    assert model.server.requests == [], "nothing is asked, not even which models there are"
    with pytest.raises(UsageError):
        alcf.matrix(frame)


@pytest.mark.parametrize("texts", ["one text", b"one", pd.DataFrame({"a": ["x"]}), pd.DataFrame()])
def test_what_is_no_column_of_texts(model, texts):
    with pytest.raises(UsageError):
        alcf.embed(texts)
    assert model.server.requests == []


def test_duplicates_are_sent_once(model):
    texts = ["a", "b", "a", "a", "b", "c", "a"]
    frame = alcf.embed(texts)
    assert model.sent == ["a", "b", "c"]
    check(frame, texts)
    assert frame["status"].eq("ok").all()


def test_texts_of_other_kinds_are_texts(model):
    texts = np.array(["one", "two", "one"])
    assert isinstance(texts[0], np.str_)
    frame = alcf.embed(texts)
    check(frame, ["one", "two", "one"])
    mixed = [Color.RED, "a red text", np.str_("a red text")]
    check(alcf.embed(mixed), ["a red text"] * 3)
    assert model.sent == ["one", "two", "a red text"]


COLUMNS = {
    "generator": lambda t: (text for text in t),
    "tuple": tuple,
    "object array": lambda t: np.array(t, dtype=object),
    "dictionary's keys": lambda t: dict.fromkeys(t).keys(),
    "dictionary": lambda t: dict(enumerate(t)),
    "Series": pd.Series,
    "Series of objects": lambda t: pd.Series(t, dtype=object),
    "Series of str": lambda t: pd.Series(t, dtype="str"),
    "Series of string": lambda t: pd.Series(t, dtype="string"),
    "Series of pyarrow strings": lambda t: pd.Series(t, dtype=pd.ArrowDtype(pa.string())),
    "categories": lambda t: pd.Series(t, dtype="category"),
    "Index": pd.Index,
    "Arrow array": pa.array,
    "Arrow chunks": lambda t: pa.chunked_array([t[:1], t[1:]]),
    "Arrow dictionary": lambda t: pa.array(t).dictionary_encode(),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_every_kind_of_column(model, kind):
    texts = ["one", "two", "three"]
    check(alcf.embed(COLUMNS[kind](texts)), texts)
    if kind not in {"dictionary's keys", "Index"}:
        frame = alcf.embed(COLUMNS[kind](["one", None, "two"]))
        assert frame["status"].tolist() == ["ok", "skipped", "ok"]
    assert set(model.sent) == set(texts)


def test_polars_columns(model):
    polars = pytest.importorskip("polars")
    check(alcf.embed(polars.Series(["one", "two"])), ["one", "two"])
    frame = alcf.embed(polars.DataFrame({"a": ["one", None]})["a"])
    assert frame["status"].tolist() == ["ok", "skipped"]
    assert model.sent == ["one", "two", "one"]


TUPLES = pd.MultiIndex.from_tuples([("a", 1), ("a", 1), ("b", 2)], names=["x", "y"])
INDEXES = [
    pd.Index([7, 7, 7]),
    pd.Index(["c", "a", "b"], name="key"),
    pd.Index([np.nan, 1.0, np.nan]),
    pd.Index([None, "x", "x"]),
    TUPLES,
    pd.DatetimeIndex(["2026-01-03", "2026-01-01", "2026-01-01"], tz="UTC", name="when"),
    pd.CategoricalIndex(["b", "a", "b"]),
    pd.RangeIndex(10, 4, -2),
    pd.IntervalIndex.from_breaks([0, 1, 2, 3]),
    pd.PeriodIndex(["2026-01", "2026-01", "2026-02"], freq="M"),
]


@pytest.mark.parametrize("index", INDEXES, ids=lambda index: type(index).__name__)
def test_every_index_is_kept(model, index):
    texts = ["one", None, "three"]
    frame = alcf.embed(pd.Series(texts, index=index, name="abstract"))
    pd.testing.assert_index_equal(frame.index, index)
    assert frame["status"].tolist() == ["ok", "skipped", "ok"]
    assert list(frame["embedding"].iloc[2]) == vector_of("three")
    assert model.sent == ["one", "three"]


def test_a_slice_and_a_shuffle_keep_their_rows(model):
    texts = pd.Series([f"text {i}" for i in range(20)])
    some = texts.sample(frac=0.5, random_state=1)
    frame = alcf.embed(some)
    assert frame["text"].to_dict() == some.to_dict()
    check(frame, some.tolist())
    assert len(model.packs) == 1


@pytest.mark.parametrize("form", ["base64", "float"])
def test_either_form_of_answer(model, form):
    model.form = form
    check(alcf.embed(["one", "two", "one"]), ["one", "two", "one"])


def test_the_answers_may_come_in_any_order(model):
    model.change = lambda answer: answer | {"data": answer["data"][::-1]}
    texts = [f"text {i}" for i in range(7)]
    check(alcf.embed(texts), texts)


def shorter(answer):
    return answer | {"data": answer["data"][:-1]}


def doubled(answer):
    return answer | {"data": answer["data"] + answer["data"][:1]}


def renumbered(answer):
    return answer | {"data": [row | {"index": 0} for row in answer["data"]]}


def with_first(value):
    def change(answer):
        return answer | {"data": [answer["data"][0] | {"embedding": value}, *answer["data"][1:]]}

    return change


@pytest.mark.parametrize(
    "change",
    [
        shorter,
        doubled,
        renumbered,
        with_first([1.0, 2.0]),
        with_first([]),
        with_first(None),
        with_first("AAA"),
        with_first([1.0, float("nan"), 1.0, 1.0]),
        with_first(base64.b64encode(struct.pack("<4f", 1, math.inf, 1, 1)).decode()),
        with_first(["1", "2", "3", "4"]),
        lambda answer: answer | {"error": {"message": "no"}},
        lambda _: {"object": "error", "message": "no"},
        lambda _: [],
    ],
)
def test_an_answer_that_is_not_whole_is_none(model, change):
    texts = ["one", "two", "three"]
    model.change = lambda answer: change(answer) if "two" in model.packs[-1] else answer
    frame = alcf.embed(texts)
    check(frame, texts)
    assert frame["status"][1] == "failed"
    assert 4 < len(model.packs) < 16, "sent again a few times, by halves where that can help"


def test_a_length_that_changes_between_requests(model):
    def change(answer):
        rows = [row | {"embedding": [1.0, 2.0]} for row in answer["data"]]
        return answer | {"data": rows} if model.packs[-1] == ["b"] else answer

    model.change = change
    frame = alcf.embed(["a", "b", "c"], per_request=1)
    assert frame["status"].tolist() == ["ok", "failed", "ok"]
    assert "changed their length from 4 to 2" in frame["reason"][1]
    check(frame, ["a", "b", "c"])


def test_a_length_that_changes_between_runs(model, tmp_path):
    alcf.embed(["a", "b"], checkpoint=tmp_path / "run")
    model.change = lambda answer: (
        answer | {"data": [row | {"embedding": [1.0, 2.0]} for row in answer["data"]]}
    )
    for texts, statuses in ((["a", "c"], ["ok", "failed"]), (["d"], ["failed"])):
        frame = alcf.embed(texts, checkpoint=tmp_path / "run")
        assert frame["status"].tolist() == statuses
        assert "changed their length from 4 to 2" in frame["reason"].iloc[-1]
        check(frame, texts)
    anew = alcf.embed(["a", "c"], checkpoint=tmp_path / "run", fresh=True)
    assert anew["embedding"].map(list).tolist() == [[1.0, 2.0]] * 2


def test_a_text_that_is_refused_is_found_and_left_out(model):
    texts = [f"text {i}" for i in range(40)]
    model.poison = {"text 7", "text 31"}
    frame = alcf.embed(texts)
    assert frame.index[frame["status"] == "failed"].tolist() == [7, 31]
    assert frame["reason"][7] == "The service refused the request: This text cannot be embedded."
    check(frame, texts)
    assert len(model.packs) < 25, "by halves, not one by one"


def test_what_is_refused_for_every_text_stops_the_run(model):
    """A chat model cannot embed: 2,048 texts are not tried one by one."""
    model.poison = "all"
    with pytest.raises(RefusedError, match="cannot be embedded"):
        alcf.embed([f"text {i}" for i in range(2048)])
    assert len(model.packs) < 25


def test_a_few_texts_all_refused(model):
    model.poison = "all"
    for count in (1, 3, 4):
        frame = alcf.embed([f"text {i}" for i in range(count)])
        assert frame["status"].eq("failed").all()
        assert frame["reason"].str.contains("cannot be embedded").all()
        with pytest.raises(UsageError):
            alcf.matrix(frame)


def test_five_bad_texts_among_good_ones_do_not_stop_it(model):
    texts = ["good", *(f"bad {i}" for i in range(8)), "good too"]
    model.poison = {text for text in texts if text.startswith("bad")}
    frame = alcf.embed(texts)
    assert frame["status"].tolist() == ["ok", *["failed"] * 8, "ok"]


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (gateway_error(404, "endpoint_not_found", "x"), UnknownModelError),
        (gateway_error(503, "cluster_under_maintenance", "x"), MaintenanceError),
    ],
)
def test_other_failures_end_the_run_at_once(model, refusal, kind):
    model.poison, model.refusal = "all", refusal
    with pytest.raises(kind):
        alcf.embed([f"text {i}" for i in range(100)])
    assert len(model.packs) == 1


def test_many_texts_go_in_few_requests(model):
    texts = [f"text {i}" for i in range(5000)]
    frame = alcf.embed(texts)
    assert sorted(len(pack) for pack in model.packs) == [904, 2048, 2048]
    assert frame["status"].eq("ok").all()
    for i in (0, 2047, 2048, 4999):
        assert list(frame["embedding"][i]) == vector_of(texts[i])


def test_large_texts_are_spread(model):
    texts = [f"{i} " + "x" * 700_000 for i in range(5)]
    check(alcf.embed(texts), texts)
    assert [len(pack) for pack in model.packs] == [1] * 5
    assert all(len(r.body) < 2_621_440 for r in model.server.to("/embeddings"))


@pytest.mark.usefixtures("model")
def test_a_text_that_grows_by_being_written_out():
    """A control character takes six bytes in JSON: what does not fit fails alone."""
    texts = ["good", "\x01" * 500_000, "also good", "\x02" * 400_000]
    frame = alcf.embed(texts)
    assert frame["status"].tolist() == ["ok", "failed", "ok", "ok"]
    assert "bytes" in frame["reason"][1]
    check(frame, texts)


def test_dimensions_and_normalization(model):
    frame = alcf.embed(["one", "two"], dimensions=2)
    assert model.request.json["dimensions"] == 2
    assert frame.attrs["alcf"]["dimensions"] == 2
    normal = alcf.matrix(alcf.embed(["one", "two", "one"], normalize=True))
    assert np.allclose(np.linalg.norm(normal, axis=1), 1)
    assert np.allclose(normal[0], np.array(vector_of("one")) / np.linalg.norm(vector_of("one")))
    model.change = with_first([0.0] * 4)
    zero = alcf.matrix(alcf.embed(["nothing"], normalize=True))
    assert zero.tolist() == [[0.0] * 4], "a vector of length 0 has no direction"
    for bad in (0, -1, 2.5, "4"):
        with pytest.raises(UsageError, match="dimensions"):
            alcf.embed(["one"], dimensions=bad)


def test_the_states_of_the_whole_run_are_told(model):
    queues = [jobs(), jobs(queued=["m"]), jobs(running=["m"])]
    model.server.script.jobs = {"sophia": queues}
    frame = alcf.embed([f"text {i}" for i in range(3000)])
    assert frame.attrs["alcf"]["states"] == ["Offline", "Queued", "Live"]
    assert [len(pack) for pack in model.packs[1:]] == [2048, 952], "the first one starts it"


def address(array):
    return array.__array_interface__["data"][0]


def test_the_matrix_shares_the_frame_s_memory(model):
    frame = alcf.embed([f"text {i}" for i in range(100)])
    found = alcf.matrix(frame)
    assert (found.shape, found.dtype) == ((100, WIDTH), np.float32)
    values = pa.array(frame["embedding"])
    chunk = values.chunk(0) if isinstance(values, pa.ChunkedArray) else values
    buffer = chunk.flatten().buffers()[1]
    assert address(found) == buffer.address
    assert address(alcf.matrix(frame["embedding"])) == buffer.address
    assert address(alcf.matrix(frame.iloc[10:])) == buffer.address + 10 * WIDTH * 4
    assert len(model.packs) == 1


def test_a_matrix_of_any_part(model):
    texts = [f"text {i}" for i in range(6)]
    frame = alcf.embed([*texts, None, texts[0]])
    with pytest.raises(UsageError, match="1 of 8 rows have no embedding"):
        alcf.matrix(frame)
    good = frame[frame["status"] == "ok"]
    expected = np.array([vector_of(text) for text in [*texts, texts[0]]], np.float32)
    assert np.array_equal(alcf.matrix(good), expected)
    assert np.array_equal(alcf.matrix(good.iloc[::-1]), expected[::-1])
    assert np.array_equal(alcf.matrix(good.iloc[[2, 2]]), expected[[2, 2]])
    assert alcf.matrix(good.iloc[:0]).shape == (0, WIDTH)
    assert np.array_equal(alcf.matrix(pd.concat([good, good])), np.concatenate([expected] * 2))
    lists = good.assign(embedding=[list(row) for row in good["embedding"]])
    assert np.array_equal(alcf.matrix(lists), expected)
    assert len(model.sent) == 6


@pytest.mark.parametrize(
    "column",
    [
        pd.DataFrame({"other": [1]}),
        pd.Series([1, 2]),
        pd.Series(["a", "b"]),
        pd.Series([[1.0], [1.0, 2.0]]),
        pd.Series([[["x"]]]),
        pd.Series([], dtype=object),
        [[1.0]],
        None,
    ],
)
def test_what_is_no_column_of_embeddings(column):
    with pytest.raises(UsageError, match=r"alcf\.embed"):
        alcf.matrix(column)
