"""Results by their custom ids; a line that was sent again has its best answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from alcf_jupyter.frames.batch.blocks import ROWS
from alcf_jupyter.frames.batch.join import worth
from alcf_jupyter.frames.batch.results import frame_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pandas as pd


def best(own: Iterable[pa.Table], newer: Sequence[Iterable[pa.Table]]) -> Iterator[pa.Table]:
    """Yield the best answer to each line: of equally good ones the newest.

    Parameters
    ----------
    own
        The results of a batch, piece by piece.
    newer
        Those of batches that sent lines of it again, the newest first; they are read whole.
    """
    again = ROWS.empty_table()
    for tables in reversed(newer):
        told = pa.concat_tables([ROWS.empty_table(), *tables])
        named = told.filter(pc.is_valid(told["custom_id"]))
        again = pa.concat_tables([ROWS.empty_table(), *_replaced([again], named)])
    return _replaced(own, again)


def _replaced(own: Iterable[pa.Table], again: pa.Table) -> Iterator[pa.Table]:
    """Yield `own`, with the lines of `again` in place of those that are no better."""
    ids = pc.unique(again["custom_id"])
    codes = pc.index_in(again["custom_id"], value_set=ids).to_numpy()
    worths = np.zeros(len(ids) + 1, np.int8)  # the last is that of a line not sent again
    worths[codes] = worth(again)  # several vectors of one line have its status
    came = np.zeros(len(ids) + 1, bool)
    for table in own:
        code = pc.fill_null(pc.index_in(table["custom_id"], value_set=ids), -1).to_numpy()
        came[code] = True
        beaten = worths[code] >= worth(table)
        if not beaten.any():
            yield table
            continue
        taken = np.isin(codes, code[beaten])
        yield pa.concat_tables([table.filter(pa.array(~beaten)), again.filter(pa.array(taken))])
    if not came[:-1].all():
        yield again.filter(pa.array(~came[codes]))


def to_frame(tables: Iterator[pa.Table]) -> pd.DataFrame:
    """Return results as they come, with their custom ids as the index."""
    found = frame_of(pa.concat_tables([ROWS.empty_table(), *tables]))
    return found.drop(columns=["line"]).set_index("custom_id")
