"""Every kind of value, index and edit in a column, held against what the server was sent."""

import datetime as dt
import decimal
import time

import numpy as np
import pandas as pd
import pytest

import alcf_jupyter as alcf
from alcf_jupyter.errors import AlcfError
from tests.faults import answers, figures
from tests.faults.columns import TEMPLATE, connect
from tests.faults.server import FaultServer
from tests.faults.size import SIZE


class Text(str):
    __slots__ = ()


HUGE = "x" * 3_000_000
NOTHING = [None, float("nan"), pd.NA, pd.NaT, "", "   ", "\n\t\u2003"]
BAD = ["half \ud83d", "\udc00", HUGE]
TEXTS = [
    "plain",
    "plain",
    Text("of another class"),
    np.str_("of NumPy's"),
    "nul \x00 bell \x07 escape \x1b[31m",
    "é → 🙂 \u202e right to left",
    "line\r\nline\rline\u2028line",
    "{{text}} {{nothing}} \\{{x}}",
    '"quotes" and \\ and \x7f',
    "🙂" * 20_000,
]
SCALARS = [
    0,
    -3,
    2.5,
    True,
    np.int64(7),
    np.float32(0.5),
    decimal.Decimal("1.10"),
    dt.date(2026, 11, 21),
    pd.Timestamp("2026-11-21 10:00", tz="America/Chicago"),
]
OTHERS = [["a", "list"], {"a": 1}, {1, 2}, object]


@pytest.fixture
def server():
    with FaultServer() as made:
        connect(made)
        yield made


@pytest.fixture
def place(tmp_path):
    return tmp_path / "run"


def frame_of(values):
    return pd.DataFrame({"text": pd.Series(values, dtype=object)})


def test_every_kind_of_value_in_map(server, place):
    values = [*NOTHING, *BAD, *TEXTS, *SCALARS, *OTHERS]
    out = alcf.map(frame_of(values), TEMPLATE, model="m", checkpoint=place)
    expected = (
        ["skipped"] * len(NOTHING)
        + ["failed"] * len(BAD)
        + ["ok"] * (len(TEXTS) + len(SCALARS))
        + ["failed"] * len(OTHERS)
    )
    assert out["status"].tolist() == expected
    for value, row in zip(values, out.to_dict("records"), strict=True):
        if row["status"] == "ok":
            assert row["reply"] == answers.reply(TEMPLATE.replace("{{text}}", str(value))), value
        else:
            assert row["reason"], value
            assert pd.isna(row["reply"])
    assert server.ledger.texts()[TEMPLATE.replace("{{text}}", "plain")] == 2
    assert len(server.ledger.sent) == len(TEXTS) + len(SCALARS)


def test_every_kind_of_value_in_embed(server, place):
    values = [*NOTHING, *BAD, *TEXTS, *SCALARS, *OTHERS]
    out = alcf.embed(pd.Series(values, dtype=object), model="m", checkpoint=place)
    expected = (
        ["skipped"] * len(NOTHING)
        + ["failed"] * len(BAD)
        + ["ok"] * len(TEXTS)
        + ["failed"] * (len(SCALARS) + len(OTHERS))
    )
    assert out["status"].tolist() == expected
    for value, row in zip(values, out.to_dict("records"), strict=True):
        if row["status"] == "ok":
            assert list(row["embedding"]) == answers.vector(str(value))
        else:
            assert row["reason"], value
    assert set(server.ledger.texts().values()) == {1}, "a text that occurs twice is sent once"


@pytest.mark.parametrize("name", ["map", "embed"])
def test_rows_that_were_sorted_edited_and_added_to_are_known_again(server, place, name):
    def run(frame):
        before = len(server.ledger.sent)
        if name == "embed":
            out = alcf.embed(frame["text"], model="m", checkpoint=place)
        else:
            out = alcf.map(frame, TEMPLATE, model="m", checkpoint=place)
        sent = [text for one in server.ledger.sent[before:] for text in one.texts]
        for text, row in zip(frame["text"], out.to_dict("records"), strict=True):
            asked = TEMPLATE.replace("{{text}}", text)
            got = row["reply"] if name == "map" else list(row["embedding"])
            assert got == (answers.reply(asked) if name == "map" else answers.vector(text))
        assert out.index.equals(frame.index)
        return sent

    frame = frame_of([f"row {n % 25}" for n in range(30)])
    unique = 25 if name == "embed" else 30
    assert len(run(frame)) == unique
    shuffled = frame.sample(frac=1, random_state=1)
    assert run(shuffled) == []
    new = pd.DataFrame({"text": ["new 1", "new 2", "row 0"]}, index=[7, 7, 7])
    edited = pd.concat([new, shuffled.drop(index=[3, 29])])
    edited.iloc[10, 0] = "edited"
    # a third "row 0" is one more for map; embed knows its vector
    assert len(run(edited)) == (3 if name == "embed" else 4)
    assert run(frame.set_axis(pd.RangeIndex(100, 130))) == []


@pytest.mark.parametrize("rows", [0, 1])
def test_no_row_and_one_row(server, place, rows):
    out = alcf.map(frame_of(["a"] * rows), TEMPLATE, model="m", checkpoint=place)
    assert out["status"].tolist() == ["ok"] * rows
    assert {"reply", "status", "reason", "attempts", "tokens", "seconds"} <= set(out.columns)
    assert len(server.ledger.sent) == rows


def test_what_is_wrong_with_the_call_is_said_before_anything_is_sent(server, place):
    frame = pd.DataFrame({"title": ["a"], "abstract": ["b"]})
    for template, words in (("Say {{titel}}", "title"), ("no column at all", "")):
        with pytest.raises(AlcfError) as raised:
            alcf.map(frame, template, model="m", checkpoint=place)
        assert words in str(raised.value)
    for options in (
        {"schema": "status, reply"},
        {"concurrency": 0},
        {"on_error": "ignore"},
        {"temperature": "warm"},
        {"timeout": "soon"},
        {"images": "nothing"},
    ):
        with pytest.raises(AlcfError):
            alcf.map(frame, "Say {{title}}", model="m", checkpoint=place, **options)
    assert server.ledger.sent == []
    assert alcf.map(frame, "Say {{title}}", model="m", schema="label", prefix="m_").shape[0] == 1


def test_a_long_column_costs_little_memory(server, place):
    import resource

    rows = SIZE.rows
    server.models["m"].latency = (0.01, 0.03)

    def holds(sent):
        # a machine that is busy sends too slowly for many to meet
        if sent.number >= rows // 2:
            server.held = server.ledger.most_in_flight < 16

    server.on_request = holds
    frame = frame_of([f"text number {n}" for n in range(rows)])
    began = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    out = alcf.map(frame, TEMPLATE, model="m", checkpoint=place, concurrency=32)
    took = time.monotonic() - began
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    wanted = [answers.reply(TEMPLATE.replace("{{text}}", text)) for text in frame["text"]]
    wrong = sum(got != right for got, right in zip(out["reply"], wanted, strict=True))
    sent = server.ledger.texts()
    figures.record(
        "long column",
        tried=rows,
        wrong={"wrong": wrong, "sent twice": sum(count > 1 for count in sent.values())},
        told=f"{took:.0f} s, {grown:.0f} MB more, most at once {server.ledger.most_in_flight}",
    )
    assert wrong == 0
    assert max(sent.values()) == 1
    assert 16 <= server.ledger.most_in_flight <= 32
    assert grown < 500
