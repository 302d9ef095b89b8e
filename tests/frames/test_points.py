"""The vectors of a frame are read where they are, and what cannot be used is counted."""

import tracemalloc

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.explore.points import points
from alcf_jupyter.frames.matrix import matrix
from tests.frames.embedded import Told, frame, lines

X = np.random.default_rng(0).standard_normal((50, 8)).astype(np.float32)


def read(emb):
    told = Told()
    return points(emb, told), told.words


def gathered(found):
    """What the blocks hold, a few rows at a time."""
    blocks = list(found.blocks(4 * found.width * 7))
    assert all(len(positions) == len(block) <= 7 for positions, block in blocks)
    return (np.concatenate(side) for side in zip(*blocks, strict=True))


def test_vectors_are_views_of_the_frame():
    emb = frame(X)
    found, words = read(emb)
    assert np.shares_memory(found.parts[0], matrix(emb))
    positions, vectors = gathered(found)
    assert np.array_equal(positions, np.arange(50))
    assert np.array_equal(vectors, X)
    assert np.allclose(found.lengths, np.linalg.norm(X, axis=1))
    assert (len(found), found.count, found.width, found.left_out, words) == (50, 50, 8, "", [])


def test_failed_rows_do_not_make_it_copy():
    big = np.ones((20_000, 256), np.float32)
    emb = frame(big, missing=[3, 19_999])
    tracemalloc.start()
    found, _ = read(emb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < big.nbytes / 4
    assert found.count == 19_998


@pytest.mark.parametrize("part", [slice(10, 40), slice(None, None, 2), [5, 3, 5]])
def test_a_part_of_a_frame_has_its_own_vectors(part):
    found, _ = read(frame(X, missing=[12]).iloc[part])
    positions, vectors = gathered(found)
    expected = np.arange(50)[part]
    kept = expected != 12
    assert np.array_equal(positions, np.flatnonzero(kept))
    assert np.array_equal(vectors, X[expected[kept]])


def test_frames_put_together_are_read_part_by_part():
    emb = pd.concat([frame(X[:20], missing=[0]), frame(X[20:])])
    found, words = read(emb)
    assert len(found.parts) == 2
    positions, vectors = gathered(found)
    assert np.array_equal(vectors, X[1:])
    assert np.array_equal(found.rows(np.array([49, 3, 20])), X[[49, 3, 20]])
    assert np.array_equal(positions, np.arange(1, 50))
    assert words == ["1 of 50 rows is left out: 1 with no embedding."]


@pytest.mark.parametrize("kind", [list, np.asarray, tuple])
def test_other_columns_of_vectors_do_as_well(kind):
    rows = [kind(row) for row in X.tolist()]
    rows[4] = None
    found, words = read(pd.DataFrame({"embedding": rows}))
    positions, vectors = gathered(found)
    assert np.array_equal(vectors, np.delete(X, 4, axis=0))
    assert 4 not in positions
    assert words == ["1 of 50 rows is left out: 1 with no embedding."]


def test_a_list_column_of_a_file_is_read():
    rows = [*X.tolist(), None]
    column = pd.arrays.ArrowExtensionArray(
        pa.chunked_array([pa.array(rows, pa.list_(pa.float32()))])
    )
    found, _ = read(pd.DataFrame({"embedding": column}))
    assert np.array_equal(found.parts[0][:50], X)
    assert found.count == 50


def test_what_is_left_out_is_counted_by_its_reason():
    bad = X.copy()
    bad[1], bad[2, 3], bad[3, 0], bad[4] = 0, np.nan, np.inf, 0
    found, words = read(frame(bad, missing=[0]))
    assert words == [
        (
            "5 of 50 rows are left out: 1 with no embedding, 2 with values that are not finite, "
            "2 with only zeros."
        )
    ]
    assert np.array_equal(found.usable, ~np.isin(np.arange(50), [0, 1, 2, 3, 4]))


MIXED = pd.DataFrame({"embedding": [[1.0, 2.0]] * 3 + [[1.0, 2.0, 3.0]]})


@pytest.mark.parametrize(
    ("emb", "first"),
    [
        (MIXED, "The embeddings differ in length: 2 (3 rows), 3 (1 rows)."),
        (frame(X, missing=range(50)), "No row has an embedding that can be used."),
        (frame(X[:0]), "There are no rows in this table of embeddings."),
        (pd.DataFrame({"embedding": ["a", "b"]}), "What stands in the column 'embedding'"),
        (pd.DataFrame({"embedding": [1.0, 2.0]}), "What stands in the column 'embedding'"),
        (pd.DataFrame({"embedding": [[1.0], "b"]}), "What stands in the column 'embedding'"),
        (pd.DataFrame({"embedding": [["a"]]}), "What stands in the column 'embedding'"),
        (pd.DataFrame({"text": ["a"]}), "This is no table of embeddings"),
        (X, "This is no table of embeddings"),
    ],
)
def test_what_cannot_be_compared_is_refused(emb, first):
    with pytest.raises(UsageError) as error:
        read(emb)
    assert lines(error)[0].startswith(first)


def test_an_empty_table_does_not_say_to_look_at_its_reasons():
    with pytest.raises(UsageError) as error:
        read(frame(X[:0]))
    assert lines(error)[-1] == "Embed some texts:  emb = alcf.embed(df['text'])"


def test_frames_of_two_lengths_cannot_be_put_together_unnoticed():
    with pytest.raises(UsageError, match=r"differ in length: 8 \(50 rows\), 4 \(3 rows\)"):
        read(pd.concat([frame(X), frame(X[:3, :4])]))
