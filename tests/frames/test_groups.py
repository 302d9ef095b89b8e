"""Groups: those that are there are found, their number too, and the same every time."""

import sys

import numpy as np
import pandas as pd
import pytest

import alcf_jupyter as alcf
from alcf_jupyter.errors import UsageError
from tests.frames.embedded import Told, frame, lines

RANDOM = np.random.default_rng(4)
MIDDLES = RANDOM.standard_normal((4, 60))
TRUE = np.repeat([2, 0, 3, 1], [40, 100, 20, 60])
X = (MIDDLES[TRUE] + 0.3 * RANDOM.standard_normal((220, 60))).astype(np.float32)
X *= RANDOM.uniform(0.2, 5, (220, 1)).astype(np.float32)  # only directions count


def test_the_number_of_groups_is_found_and_said():
    told = Told()
    found = alcf.group(frame(X), observer=told)
    assert found["group"].tolist() == np.array([0, 1, 2, 3])[TRUE].tolist(), "by size"
    silhouettes = found.attrs["alcf"]["groups"]["silhouettes"]
    assert max(silhouettes, key=silhouettes.get) == found.attrs["alcf"]["groups"]["k"] == 4
    assert told.words == [f"4 groups: of 2 to 30 the best silhouette, {silhouettes[4]:.2f}."]


def test_a_number_can_be_given_and_the_score_is_the_cosine_with_the_middle():
    found = alcf.group(frame(X), 2)
    assert set(found["group"]) == {0, 1}
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    middle = unit[found["group"] == 1].mean(axis=0)
    right = unit @ (middle / np.linalg.norm(middle))
    mine = (found["group"] == 1).to_numpy(bool)
    assert np.allclose(found["group_score"][mine], right[mine], atol=1e-5)


def test_it_is_the_same_every_time_and_the_frame_keeps_everything():
    emb = frame(X, index=pd.Index([f"row {n}" for n in range(220)], name="id"), missing=[0, 7])
    told = Told()
    once, again = alcf.group(emb, observer=told), alcf.group(emb, observer=Told())
    pd.testing.assert_frame_equal(once.drop(columns="embedding"), again.drop(columns="embedding"))
    assert list(once.columns) == [*emb.columns, "group", "group_score"]
    assert once.index.equals(emb.index)
    assert str(once["group"].dtype) == "Int64"
    assert np.flatnonzero(once["group"].isna()).tolist() == [0, 7]
    assert np.flatnonzero(once["group_score"].isna()).tolist() == [0, 7]
    assert told.words[0] == "2 of 220 rows are left out: 2 with no embedding."
    assert "group" not in emb


@pytest.mark.parametrize("vectors", [X[:1], X[:2], np.repeat(X[:1], 9, axis=0)])
def test_too_few_different_texts_are_one_group_and_that_is_said(vectors):
    told = Told()
    found = alcf.group(frame(vectors), observer=told)
    assert set(found["group"]) == {0}
    assert told.words == ["Too few different texts to tell groups apart: one group."]


def test_no_more_groups_than_different_embeddings():
    told = Told()
    found = alcf.group(frame(np.repeat(X[[0, 50, 150]], 4, axis=0)), 6, observer=told)
    assert found["group"].nunique() == 3
    assert told.words == ["There are 3 different embeddings: so many groups, not 6."]


@pytest.mark.parametrize(
    ("k", "first"),
    [
        (0, "k=0 is no number of groups."),
        (2.5, "k=2.5 is no number of groups."),
        (True, "k=True is no number of groups."),
        (221, "k=221 groups are more than the 220 rows."),
    ],
)
def test_a_number_that_is_none_is_refused(k, first):
    with pytest.raises(UsageError) as error:
        alcf.group(frame(X), k)
    assert lines(error)[0] == first


def test_without_scikit_learn_the_line_to_type_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    with pytest.raises(UsageError) as error:
        alcf.group(frame(X))
    assert lines(error) == [
        "group needs scikit-learn, which is not installed here.",
        'Type:  %pip install "alcf-jupyter[map]"   and restart the kernel',
    ]
