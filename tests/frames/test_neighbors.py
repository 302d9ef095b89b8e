"""Neighbors: exact, with the frame's index, and by the frame's own model."""

import importlib.util
import tracemalloc

import numpy as np
import pandas as pd
import pytest

import alcf_jupyter as alcf
from alcf_jupyter.connection import session
from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.explore import nearest as search
from alcf_jupyter.frames.explore.points import Points
from tests.frames.embedded import Told, frame, lines
from tests.frames.serving import connected
from tests.frames.test_embeddings import Model, vector_of

RANDOM = np.random.default_rng(1)
X = RANDOM.standard_normal((3000, 24)).astype(np.float32)
Q = RANDOM.standard_normal((60, 24)).astype(np.float32)
FAISS = importlib.util.find_spec("faiss") is not None


def scores(metric, vectors=X, queries=Q):
    """Every score in float64: what the search has to find the best of."""
    a, b = queries.astype(float), vectors.astype(float)
    if metric == "euclidean":
        return -np.linalg.norm(a[:, None] - b[None], axis=2)
    if metric == "cosine":
        a, b = (m / np.linalg.norm(m, axis=1, keepdims=True) for m in (a, b))
    return a @ b.T


@pytest.fixture(params=["numpy", "faiss"])
def engine(request, monkeypatch):
    """Search by NumPy, or by faiss where it is installed, in blocks that are small."""
    if request.param == "numpy":
        monkeypatch.setattr(search, "find_spec", lambda _name: None)
    elif not FAISS:
        pytest.skip("faiss is not installed")
    monkeypatch.setattr(search, "QUERIES", 32)
    return request.param


@pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean"])
@pytest.mark.parametrize("k", [1, 7, 2999])
@pytest.mark.parametrize("unit", [False, True])
def test_it_finds_exactly_the_best(engine, metric, k, unit):
    vectors = X / np.linalg.norm(X, axis=1, keepdims=True) if unit else X
    found = alcf.neighbors(frame(vectors), Q, k, metric=metric)
    right = np.sort(scores(metric, vectors), axis=1)[:, ::-1][:, :k]
    got = found["score"].to_numpy().reshape(len(Q), k)
    assert np.allclose(got, np.abs(right) if metric == "euclidean" else right, atol=1e-6)
    rows = found.index.to_numpy().reshape(len(Q), k)
    assert np.allclose(np.take_along_axis(scores(metric, vectors), rows, 1), right, atol=1e-6)
    assert all(len(set(row)) == k for row in rows)
    assert engine in {"numpy", "faiss"}


def test_faiss_is_used_where_it_does_the_same(monkeypatch):
    if not FAISS:
        pytest.skip("faiss is not installed")
    import faiss

    calls = []
    knn = faiss.knn
    monkeypatch.setattr(faiss, "knn", lambda *a, **b: calls.append(1) or knn(*a, **b))
    alcf.neighbors(frame(X), Q)
    assert not calls, "its products are no cosines unless every length is 1"
    alcf.neighbors(frame(X / np.linalg.norm(X, axis=1, keepdims=True)), Q)
    assert calls


@pytest.mark.parametrize("rows", [1, 5, 700, 5000])
def test_the_size_of_a_block_does_not_matter(monkeypatch, rows):
    expected = alcf.neighbors(frame(X), Q, 5)
    blocks = Points.blocks
    monkeypatch.setattr(Points, "blocks", lambda self, _size=0: blocks(self, 4 * 24 * rows))
    pd.testing.assert_frame_equal(alcf.neighbors(frame(X), Q, 5), expected)


@pytest.mark.usefixtures("engine")
def test_rows_that_get_better_and_better_are_all_seen():
    angles = np.linspace(3, 0, 4000)
    spiral = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    found = alcf.neighbors(frame(spiral), np.array([[1.0, 0.0]] * 40), 3)
    assert found.index.tolist() == [3999, 3998, 3997] * 40


def test_equal_rows_come_in_the_order_of_the_frame():
    same = np.repeat(X[:4], 50, axis=0)
    found = alcf.neighbors(frame(same), X[2], 50)
    assert found.index.tolist() == list(range(100, 150))
    assert len(set(found["score"])) == 1
    assert found["score"].iloc[0] == pytest.approx(1)


def test_the_matrix_is_not_copied():
    big = np.random.default_rng(2).standard_normal((60_000, 128)).astype(np.float32)
    emb = frame(big, missing=[7])
    tracemalloc.start()
    alcf.neighbors(emb, big[0], 10)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.05 * big.nbytes, "one block of it, since a row is left out"
    whole = frame(big)
    tracemalloc.start()
    alcf.neighbors(whole, big[0], 10)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < big.nbytes / 4


def test_one_query_gives_its_neighbors_under_their_own_index():
    index = pd.MultiIndex.from_product([["a", "b"], range(5)], names=["letter", "number"])
    emb = frame(X[:10], index=index).assign(year=range(2000, 2010))
    found = alcf.neighbors(emb, X[3], 4)
    assert list(found.columns) == ["score", "text", "year"]
    assert found.index[0] == ("a", 3)
    assert found.index.names == ["letter", "number"]
    assert found["score"].is_monotonic_decreasing
    assert found["year"].iloc[0] == 2003
    assert list(emb.columns) == [*frame(X[:1]).columns, "year"], "the frame itself is as it was"


def test_several_queries_are_told_apart():
    found = alcf.neighbors(frame(X), X[[5, 9]], 3)
    assert list(found.columns) == ["query", "rank", "score", "text"]
    assert found["query"].tolist() == [0, 0, 0, 1, 1, 1]
    assert found["rank"].tolist() == [1, 2, 3] * 2
    assert found.loc[found["rank"] == 1].index.tolist() == [5, 9]
    again = alcf.neighbors(found.join(frame(X)["embedding"]), X[[5]], 1)
    assert list(again.columns) == ["query", "rank", "score", "text"]


def test_a_frame_can_be_the_query():
    emb = frame(X)
    found = alcf.neighbors(emb, emb.iloc[[8, 2]], 1)
    assert found["query"].tolist() == ["text 8", "text 2"]
    assert found.index.tolist() == [8, 2]
    other = frame(X[:2], model="another")
    with pytest.raises(UsageError) as error:
        alcf.neighbors(emb, other, 1)
    assert lines(error)[0] == "The query was embedded by another, and the embeddings by m."


@pytest.mark.parametrize("query", [X[0], X[0].tolist(), X[:1], list(X[:2]), X[:2].astype(float)])
def test_vectors_are_taken_in_any_form(query):
    assert alcf.neighbors(frame(X), query, 1).index[0] == 0


def test_rows_without_an_embedding_are_left_out_and_said():
    bad = X[:30].copy()
    bad[1], bad[2] = np.nan, 0
    told = Told()
    found = alcf.neighbors(frame(bad, missing=[0]), Q[0], 100, observer=told)
    assert sorted(found.index) == list(range(3, 30))
    assert told.words == [
        (
            "3 of 30 rows are left out: 1 with no embedding, 1 with values that are not finite, "
            "1 with only zeros."
        ),
        "There are 27 rows to choose from, fewer than k=100.",
    ]


def test_one_row_is_its_own_neighbor():
    found = alcf.neighbors(frame(X[:1]), X[0], 1)
    assert found["score"].tolist() == pytest.approx([1])


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("", "The query is empty."),
        (" \n", "The query is empty."),
        (["a", ""], "Query 1 is empty."),
        (["a", 3], "Query 1 is not a text."),
        (["a", None], "Query 1 is empty."),
        ([], "There is no query."),
        (pd.Series([], dtype=str), "There is no query."),
        (frame(X[:0]), "There is no query."),
        (np.empty((0, 24)), "Queries are one vector or a matrix of them, not of shape (0, 24)."),
        (np.zeros((1, 2, 24)), "Queries are one vector or a matrix of them"),
        (None, "A query is a text or a vector, and this is nothing."),
        (7, "A query is a text or a vector, and this is a number."),
        ([[1.0, 2.0], [1.0]], "These queries are neither texts nor vectors of one length."),
        (np.zeros(24), "The query is zero, so that it has no direction."),
        (np.vstack([X[:1], np.zeros((1, 24))]), "Query 1 is zero"),
        (np.full(24, np.inf), "The query has values that are not finite, or too large."),
        (np.vstack([X[:1], np.full((1, 24), np.nan)]), "Query 1 has values that are not finite"),
        (np.ones(23), "The query has 23 numbers, and the embeddings have 24."),
    ],
)
def test_a_query_that_is_none_is_refused(query, first):
    with pytest.raises(UsageError) as error:
        alcf.neighbors(frame(X), query)
    assert lines(error)[0].startswith(first)


@pytest.mark.parametrize("k", [0, -1, 2.5, True, None, "3"])
def test_k_is_a_number_of_rows(k):
    with pytest.raises(UsageError) as error:
        alcf.neighbors(frame(X), X[0], k)
    assert lines(error)[1] == "Type:  k=10"


def test_an_unknown_metric_names_the_nearest():
    with pytest.raises(UsageError) as error:
        alcf.neighbors(frame(X), X[0], metric="cosin")
    assert lines(error)[1] == "Type one of:  metric='cosine'"


TEXTS = ["one", "two", "three", "four"]


@pytest.fixture
def model():
    """A service whose model gives each text a vector of its own."""
    with connected(Model()) as made:
        yield made


def test_texts_are_embedded_by_the_model_of_the_frame(model):
    emb = alcf.embed(TEXTS, model="m")
    session.current().embed = "another one, which is not asked"
    try:
        found = alcf.neighbors(emb, "three", 1)
        many = alcf.neighbors(emb, pd.Series(["two", "one"]), 1)
    finally:
        session.current().embed = None
    assert found["text"].tolist() == ["three"]
    assert many["query"].tolist() == many["text"].tolist() == ["two", "one"]
    assert model.request.json["model"] == "m"
    assert model.packs[1:] == [["three"], ["two", "one"]]


def test_shortened_embeddings_have_queries_of_their_length(model):
    emb = alcf.embed(TEXTS, model="m", dimensions=2)
    assert alcf.neighbors(emb, "two", 1)["text"].tolist() == ["two"]
    assert model.request.json["dimensions"] == 2


def test_a_frame_of_another_service_or_model_is_said(model):
    vectors = [vector_of(text) for text in TEXTS]
    with pytest.raises(UsageError) as error:
        alcf.neighbors(frame(vectors, service="alcf"), "two")
    assert lines(error)[0].startswith("These embeddings come from the ALCF service")
    assert lines(error)[2] == "Connect to it first:  alcf.connect('alcf')"
    with pytest.raises(UsageError) as error:
        alcf.neighbors(frame(vectors, service="gateway"), "two", model="n")
    assert lines(error)[0] == ("model= would have it embedded by n, and the embeddings by m.")
    bare = frame(vectors)
    bare.attrs.clear()
    with pytest.raises(UsageError) as error:
        alcf.neighbors(bare, "two")
    assert lines(error)[0] == "It is not known which model made these embeddings."
    assert alcf.neighbors(bare, "two", 1, model="m").index.tolist() == [1]
    assert not any("x" in pack for pack in model.packs)


def test_a_text_that_is_refused_is_said(model):
    model.poison = ("two",)
    with pytest.raises(alcf.AlcfError) as error:
        alcf.neighbors(frame([vector_of(t) for t in TEXTS], service="gateway"), "two")
    assert 2 <= len(str(error.value).splitlines()) <= 3
    assert "cannot be embedded" in str(error.value)
