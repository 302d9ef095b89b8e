"""Embeddings off the wire: base64 or numbers, whole or refused."""

import base64
import json
import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alcf_jupyter.connection.vectors import matrix
from alcf_jupyter.errors import AnswerError
from tests.service.effort import bent, cases, dice, thorough


def coded(numbers):
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def test_both_forms_give_the_same_matrix():
    rows = [[0.5, -1.25, 3.0], [1e-30, 2.0**20, -0.0]]
    for data in (rows, [coded(row) for row in rows], [rows[0], coded(rows[1])]):
        found = matrix(data)
        assert found.dtype == np.float32
        assert found.flags["C_CONTIGUOUS"]
        assert np.array_equal(found, np.array(rows, np.float32))


def test_whole_numbers_are_numbers():
    assert matrix([[1, 2], [3, 4]]).tolist() == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize(
    "data",
    [
        [[1.0, math.nan]],
        [[math.inf]],
        [[1e39]],
        [[-1e300]],
        [coded([math.nan, 1.0])],
        [coded([1.0, -math.inf])],
        [[1.0], [1.0, 2.0]],
        [coded([1.0]), coded([1.0, 2.0])],
        [[]],
        [""],
        [[1.0], []],
        ["not base64!"],
        ["AAAA"],
        [coded([1.0]) + "\n"],
        ["é"],
        [[True]],
        [["1"]],
        [[None]],
        [[[1.0]]],
        [{"a": 1}],
        [5],
        [None],
        [[10**400]],
        [],
    ],
)
def test_what_is_no_embedding_is_refused(data):
    with pytest.raises(AnswerError) as caught:
        matrix(data)
    assert len(str(caught.value)) < 300


numbers = st.lists(
    st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=8
)


@thorough(100)
@given(numbers, st.integers(1, 5))
def test_every_number_survives(row, count):
    expected = np.array([row] * count, np.float32)
    assert np.array_equal(matrix([coded(row)] * count), expected)
    assert np.array_equal(matrix([row] * count), expected)


def test_damaged_embeddings_are_refused_or_whole():
    chance = dice("vectors")
    for _ in range(cases(500)):
        data = [coded([1.0, 2.0, 3.0]), [1.0, 2.0, 3.0], coded([4.0, 5.0, 6.0])]
        if chance.random() < 0.5:
            data = bent(chance, data, ["a"])
        else:
            text = bytearray(data[0].encode())
            text[chance.randrange(len(text))] = chance.randrange(32, 127)
            data[0] = text.decode()
        try:
            found = matrix(data if isinstance(data, list) else [data])
        except AnswerError:
            continue
        assert found.ndim == 2
        assert np.isfinite(found).all()
        json.dumps(found.tolist())
