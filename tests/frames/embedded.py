"""Embedding frames as `alcf.embed` returns them, made from vectors at hand."""

import numpy as np
import pandas as pd
import pyarrow as pa


def frame(vectors, *, texts=None, missing=(), index=None, **told):
    """An embedding frame of these vectors; the rows in `missing` have failed."""
    vectors = np.ascontiguousarray(vectors, np.float32)
    rows = np.isin(np.arange(len(vectors)), list(missing))
    column = pa.FixedSizeListArray.from_arrays(
        pa.array(vectors.reshape(-1)), vectors.shape[1], mask=pa.array(rows)
    )
    made = pd.DataFrame(
        {
            "text": texts if texts is not None else [f"text {n}" for n in range(len(vectors))],
            "embedding": pd.arrays.ArrowExtensionArray(pa.chunked_array([column])),
            "status": np.where(rows, "failed", "ok"),
            "reason": np.where(rows, "refused", ""),
            "tokens": pd.array([None] * len(vectors), dtype="Int64"),
        },
        index=index,
    )
    made.attrs["alcf"] = {"model": "m", "cluster": "sophia", "service": "sandbox", **told}
    return made


class Told:
    """An observer that keeps what it is told."""

    def __init__(self):
        self.words = []

    def status(self, words):
        self.words.append(words)

    note = status

    def progress(self, now):
        pass

    def close(self, words=""):
        pass


def lines(error):
    """The lines of an error's message: two or three, the last of them something to do."""
    found = str(error.value).splitlines()
    assert 2 <= len(found) <= 3, found
    return found
