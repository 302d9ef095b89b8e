"""Near duplicates: every pair at or above the threshold, and none below it."""

import numpy as np
import pandas as pd
import pytest

import alcf_jupyter as alcf
from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.explore import duplicates
from tests.frames.embedded import Told, frame, lines

RANDOM = np.random.default_rng(5)
X = (RANDOM.standard_normal((900, 150)) * np.geomspace(3, 0.3, 150)).astype(np.float32)
X[600:700] = X[:100] + 0.2 * RANDOM.standard_normal((100, 150))
X[700:720] = X[7]
X[720:] = 3 * X[200:380] + 0.9 * RANDOM.standard_normal((180, 150))


def right(threshold, vectors=X):
    unit = vectors.astype(float) / np.linalg.norm(vectors.astype(float), axis=1, keepdims=True)
    cosines = np.triu(unit @ unit.T, 1)
    return {
        pair: cosines[pair] for pair in zip(*np.nonzero(cosines >= threshold - 1e-6), strict=True)
    }


def pairs(found):
    return dict(zip(zip(found.index, found["other"], strict=True), found["score"], strict=True))


@pytest.mark.parametrize("threshold", [0.5, 0.9, 0.99, 1.0])
@pytest.mark.parametrize(("tile", "head"), [(4096, 64), (128, 64), (128, 20), (100, 1)])
def test_every_pair_is_found(monkeypatch, threshold, tile, head):
    monkeypatch.setattr(duplicates, "_TILE", tile)
    monkeypatch.setattr(duplicates, "_HEAD", head)
    found = pairs(alcf.near_duplicates(frame(X), threshold))
    expected = right(threshold)
    assert expected
    assert found.keys() == expected.keys()
    assert all(abs(found[pair] - expected[pair]) < 1e-6 for pair in expected)


def test_the_components_spare_most_of_the_work(monkeypatch):
    monkeypatch.setattr(duplicates, "_TILE", 100)
    calls = []
    whole = duplicates._near
    monkeypatch.setattr(duplicates, "_near", lambda *args: calls.append(1) or whole(*args))
    found = alcf.near_duplicates(frame(X[:700]), 0.97)
    assert pairs(found).keys() == right(0.97, X[:700]).keys()
    assert not calls


def test_pairs_are_in_order_under_their_index():
    index = [f"row {n}" for n in range(6)]
    vectors = np.array([[1, 0], [0, 1], [1, 0.01], [0, 2], [1, 0.3], [0, 0]], np.float32)
    told = Told()
    found = alcf.near_duplicates(frame(vectors, index=index), observer=told)
    assert list(found.columns) == ["score", "other", "text", "other_text"]
    assert found.index.tolist() == ["row 1", "row 0", "row 2", "row 0"]
    assert found["other"].tolist() == ["row 3", "row 2", "row 4", "row 4"]
    assert found["other_text"].tolist() == ["text 3", "text 2", "text 4", "text 4"]
    assert found["score"].is_monotonic_decreasing
    assert found["score"].iloc[0] == 1
    assert told.words == ["1 of 6 rows is left out: 1 with only zeros."]
    assert found.attrs["alcf"]["model"] == "m"


@pytest.mark.parametrize("vectors", [X[:1], np.eye(5)])
def test_no_pair_is_an_empty_table(vectors):
    found = alcf.near_duplicates(frame(vectors))
    assert len(found) == 0
    assert list(found.columns) == ["score", "other", "text", "other_text"]


def test_too_many_pairs_are_not_collected(monkeypatch):
    monkeypatch.setattr(duplicates, "MOST_PAIRS", 200)
    same = frame(np.repeat(X[:1], 40, axis=0))
    with pytest.raises(UsageError) as error:
        alcf.near_duplicates(same)
    assert lines(error)[0] == "There are more than 200 pairs with a cosine of 0.95 or more."


def test_a_long_comparison_tells_how_far_it_is(monkeypatch):
    monkeypatch.setattr(duplicates, "_QUIET_SECONDS", -1)
    monkeypatch.setattr(duplicates, "_TILE", 300)
    told = Told()
    alcf.near_duplicates(frame(X), observer=told)
    assert told.words[0] == "Compared 17% of all pairs."
    assert told.words[-1] == "Compared 100% of all pairs."


@pytest.mark.parametrize("threshold", [0, -0.5, 1.01, True, "0.9", None, float("nan")])
def test_a_threshold_that_is_none_is_refused(threshold):
    with pytest.raises(UsageError) as error:
        alcf.near_duplicates(frame(X), threshold)
    assert lines(error)[1] == "Type:  threshold=0.95"


def test_a_frame_without_texts_has_pairs_as_well():
    found = alcf.near_duplicates(frame(X[:3]).drop(columns="text").iloc[[0, 0]])
    assert list(found.columns) == ["score", "other"]
    assert found["other"].tolist() == [0]
    assert isinstance(found, pd.DataFrame)
