"""Of several answers to a row the best one is found, whatever campaign and block it stands in."""

import random

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from alcf_jupyter.frames.batch import by_custom_id
from alcf_jupyter.frames.batch.blocks import ROWS
from alcf_jupyter.frames.batch.join import Join, plain_rows, to_frame

WORTH = {"failed": 1, "truncated": 2, "ok": 3}


def blocks(lines, size):
    """Lines (row, status, reply) as the blocks of a file."""
    for at in range(0, len(lines), size):
        rows, statuses, replies = zip(*lines[at : at + size], strict=True)
        told = {
            "custom_id": [f"row-{row}" for row in rows],
            "status": statuses,
            "reply": replies,
            "item": [0] * len(rows),
        }
        none = [None] * len(rows)
        yield pa.table([pa.array(told.get(one.name, none), one.type) for one in ROWS], schema=ROWS)


@pytest.mark.parametrize("seed", range(20))
def test_the_best_answer_counts_and_of_equal_ones_the_newest(seed):
    draw = random.Random(seed)
    campaigns = []  # the newest first; each row has its lines in a later one, or it has none
    for turn in range(draw.randrange(1, 5)):
        chosen = draw.sample(range(40), draw.randrange(1, 41))
        campaigns.append([(row, draw.choice(list(WORTH)), f"{turn} of {row}") for row in chosen])
    wanted = {}
    for row, status, reply in (line for one in campaigns for line in one):
        if row not in wanted or WORTH[status] > WORTH[wanted[row][0]]:
            wanted[row] = (status, reply)
    missing = tuple(np.array([word] * 40, object) for word in ("pending", "no line"))
    join = Join(plain_rows(pd.RangeIndex(40)), "chat", missing)
    *newer, own = (lambda one=one: blocks(one, draw.randrange(1, 9)) for one in campaigns)
    made = to_frame(join, join.best(own, newer))
    found = zip(made["status"], made["reply"].fillna(""), strict=True)
    assert list(found) == [wanted.get(row, ("pending", "")) for row in range(40)]
    assert (join.repeated, join.unknown) == ([], [])


@pytest.mark.parametrize("size", [1, 2, 9])
def test_a_custom_id_that_comes_twice_is_told_for_each_campaign(size):
    own = [(0, "failed", "a"), (1, "ok", "b"), (1, "ok", "c")]
    retry = [(0, "failed", "d"), (0, "ok", "e"), (2, "ok", "f")]
    missing = tuple(np.array([word] * 3, object) for word in ("failed", "no line"))
    join = Join(plain_rows(pd.RangeIndex(3)), "chat", missing)
    made = to_frame(join, join.best(lambda: blocks(own, size), [lambda: blocks(retry, size)]))
    assert made["reply"].tolist() == ["e", "b", "f"]
    assert sorted(join.repeated) == ["row-0", "row-1"]


def by_id(lines, size):
    """Lines (id, status, vectors) as the blocks of a file; a line with several vectors is rows."""
    for at in range(0, len(lines), size):
        told = [
            {"custom_id": name, "status": status, "item": item, "reply": reply}
            for name, status, replies in lines[at : at + size]
            for item, reply in enumerate(replies)
        ]
        columns = [pa.array([row.get(one.name) for row in told], one.type) for one in ROWS]
        yield pa.table(columns, schema=ROWS)


@pytest.mark.parametrize("seed", range(20))
def test_lines_without_a_table_have_their_best_answer_too(seed):
    draw = random.Random(seed)
    names = [f"q{n}" for n in range(30)]
    campaigns, wanted = [], {}
    for turn in range(draw.randrange(1, 5)):  # the newest first, and the oldest has every line
        is_newer = turn > 0
        chosen = names if not is_newer else draw.sample(names, draw.randrange(1, 31))
        campaigns.insert(
            0,
            [
                (name, draw.choice(list(WORTH)), [f"{turn} {name} {k}" for k in range(1 + n % 2)])
                for n, name in enumerate(chosen)
            ],
        )
    for name, status, replies in (line for one in campaigns for line in one):
        if name not in wanted or WORTH[status] > WORTH[wanted[name][0]]:
            wanted[name] = (status, replies)
    *newer, own = (by_id(one, draw.randrange(1, 9)) for one in campaigns)
    made = by_custom_id.to_frame(by_custom_id.best(own, newer))
    assert len(made) == sum(len(replies) for _, replies in wanted.values())
    for name, (status, replies) in wanted.items():
        assert made.loc[[name], "status"].unique().tolist() == [status]
        assert made.loc[[name], "reply"].tolist() == replies


def test_a_line_that_cannot_be_read_stays_where_it_is():
    own = [("q0", "failed", ["a"]), (None, "failed", ["b"]), ("q1", "ok", ["c"])]
    newer = [[("q0", "ok", ["d"]), (None, "failed", ["e"]), ("q9", "ok", ["f"])]]
    found = by_custom_id.best(by_id(own, 9), [by_id(one, 9) for one in newer])
    made = by_custom_id.to_frame(found).reset_index()
    told = dict(zip(made["reply"], made["custom_id"].fillna(""), strict=True))
    assert told == {"b": "", "c": "q1", "d": "q0", "f": "q9"}
