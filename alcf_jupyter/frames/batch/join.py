"""A campaign's results in the order of the table they answer, with its index."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from alcf_jupyter.frames.batch import manifest
from alcf_jupyter.frames.batch.blocks import ROWS
from alcf_jupyter.frames.batch.lines import FAILED, OK, TRUNCATED
from alcf_jupyter.frames.batch.results import frame_of, write_tables
from alcf_jupyter.plain import brief
from alcf_jupyter.user_warning import warn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_PREFIX: Final = "row-"
_MOST_NAMED: Final = 5
_TOKENS: Final = ("prompt_tokens", "completion_tokens", "total_tokens")
_STATUS: Final = ("status", "reason")
_TEXTS: Final = ("reply", "reasoning", *_STATUS, "finish_reason")
_WORTH: Final = pa.array([FAILED, TRUNCATED, OK], pa.large_string())
_COLUMNS: Final = {
    "chat": (*_TEXTS, *_TOKENS),
    "embed": ("embedding", *_STATUS, *_TOKENS),
    "": ("embedding", *_TEXTS, *_TOKENS),
}
"""What a result holds; of a batch that nothing is known of, whatever there is."""

Missing: TypeAlias = "tuple[NDArray[np.object_], NDArray[np.object_]]"
Placed: TypeAlias = "tuple[pa.Table, NDArray[np.int64]]"
Source: TypeAlias = "Callable[[], Iterator[pa.Table]]"


@dataclass
class Join:
    """Finds the row of each result; of several answers to a row the best one counts.

    Parameters
    ----------
    rows
        The table's rows as `manifest.write_index` keeps them.
    kind
        ``"chat"``, ``"embed"``, or ``""`` where it is not known.
    missing
        Status and reason of each row, should it have no line in the results.

    Attributes
    ----------
    repeated, unknown
        Custom ids that came more than once, and those of no row.
    """

    rows: pd.DataFrame
    kind: str
    missing: Missing
    repeated: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._positions = self.rows[manifest.POSITION].to_numpy(np.int64)
        self._order = np.argsort(self._positions, kind="stable")
        self._seen = np.zeros(len(self.rows), bool)
        self._best: NDArray[np.int8] | None = None

    def best(self, own: Source, newer: Sequence[Source]) -> Iterator[Placed]:
        """Yield the best answer to each row: of equally good ones the newest.

        Parameters
        ----------
        own
            Reads the results of the campaign.
        newer
            Read those of campaigns that sent rows of it again, the newest first. They are read
            twice, since all of them together may be larger than memory.
        """
        if newer:
            self._best = np.zeros(len(self.rows), np.int8)
            for tables in newer:
                for table in tables():
                    places = self._places(table["custom_id"])
                    known = places >= 0
                    np.maximum.at(self._best, places[known], worth(table)[known])
        yield from self.placed(own())
        for tables in newer:
            yield from self.placed(tables(), newer=True)

    def placed(self, tables: Iterator[pa.Table], *, newer: bool = False) -> Iterator[Placed]:
        """Yield the results of one campaign that count, with the row of each.

        Parameters
        ----------
        tables
            Rows as `read_block` makes them.
        newer
            Whether it sent rows of another campaign again.
        """
        came = np.zeros(len(self.rows), bool)
        for found in tables:
            # of a line with several vectors a row can hold one
            table = found.filter(pc.equal(found["item"], 0)) if _has_items(found) else found
            places = self._places(table["custom_id"])
            known = places >= 0
            self.unknown += _ids(table, ~known)
            at = places[known]
            counts = known & _is_first(places)
            counts[known] &= ~came[at]
            self.repeated += _ids(table, known & ~counts)
            came[at] = True
            if self._best is not None:
                # an older answer has to be better than every newer one
                counts[known] = ~self._seen[at] & (worth(table)[known] > self._best[at] - newer)
                counts &= _is_first(np.where(counts, places, -1))
            self._seen[places[counts]] = True
            kept = table.select(_COLUMNS[self.kind])
            yield (kept if counts.all() else kept.filter(pa.array(counts))), places[counts]

    def rest(self) -> Placed:
        """Return the rows that have no line in the results, and why."""
        places = np.flatnonzero(~self._seen)
        own = self.rows.iloc[places]
        unsent = (own[manifest.ROW_STATUS] != "").to_numpy()
        kept = (manifest.ROW_STATUS, manifest.ROW_REASON)
        told = {
            name: np.where(unsent, own[column].to_numpy(object), words[places])
            for name, column, words in zip(_STATUS, kept, self.missing, strict=True)
        }
        told |= {"finish_reason": np.full(len(places), "", object)}
        schema = pa.schema([ROWS.field(name) for name in _COLUMNS[self.kind]])
        columns = [
            pa.array(told[one.name], one.type)
            if one.name in told
            else pa.nulls(len(places), one.type)
            for one in schema
        ]
        return pa.table(columns, schema=schema), places

    def _places(self, custom_ids: pa.ChunkedArray) -> NDArray[np.int64]:
        """Return the row that each custom id carries, -1 for none."""
        is_row = pc.match_substring_regex(custom_ids, rf"^{_PREFIX}\d{{1,15}}$")
        digits = pc.if_else(is_row, pc.utf8_slice_codeunits(custom_ids, len(_PREFIX)), None)
        told = pc.fill_null(pc.cast(digits, pa.int64()), -1).to_numpy()
        if not len(self._positions):
            return np.full(len(told), -1)
        at = np.searchsorted(self._positions, told, sorter=self._order)
        place = self._order[np.minimum(at, len(self._order) - 1)]
        return np.where(self._positions[place] == told, place, -1)

    def warn(self) -> None:
        """Say what is wrong with the custom ids."""
        for ids, what in (
            (self.repeated, "came more than once; the first answer counts"),
            (self.unknown, "belong to no row of the table"),
        ):
            if ids:
                more = ", …" if len(ids) > _MOST_NAMED else ""
                named = ", ".join(brief(one, 60) for one in ids[:_MOST_NAMED])
                warn(f"{len(ids):,} lines {what}: {named}{more}.")


def to_frame(join: Join, found: Iterator[Placed]) -> pd.DataFrame:
    """Return results in the order of the table, with its index."""
    pairs = list(found)
    pairs.append(join.rest())
    table = pa.concat_tables([part for part, _ in pairs])
    places = np.concatenate([one for _, one in pairs])
    if not np.array_equal(places, np.arange(len(places))):
        table = table.take(pa.array(np.argsort(places, kind="stable")))
    return _frame(table, join.rows.index)


def to_parquet(join: Join, found: Iterator[Placed], out: Path) -> Path:
    """Write results as they come, each with its index: they are in memory piece by piece.

    Raises
    ------
    UsageError
        The file cannot be written.
    """
    index = pa.Table.from_pandas(join.rows[[]], preserve_index=True)
    schema = pa.schema([*index.schema, *(ROWS.field(name) for name in _COLUMNS[join.kind])])
    schema = schema.with_metadata(index.schema.metadata)

    def pieces() -> Iterator[pa.Table]:
        for table, places in itertools.chain(found, _later(join.rest)):
            keys = index.take(pa.array(places))
            columns = [*keys.itercolumns(), *table.itercolumns()]
            yield pa.Table.from_arrays(columns, schema=schema)

    return write_tables(pieces(), schema, out)


def _later(make: Callable[[], Placed]) -> Iterator[Placed]:
    yield make()


def worth(table: pa.Table) -> NDArray[np.int8]:
    """Tell how much each answer is worth: its place in `_WORTH`, from 1 for what failed."""
    found = pc.index_in(table["status"], value_set=_WORTH).to_numpy()
    return np.asarray(found + 1, np.int8)


def plain_rows(index: pd.Index[Any]) -> pd.DataFrame:
    """Return the rows of a table of which nothing is kept: their custom ids count them."""
    return pd.DataFrame(
        {
            manifest.POSITION: np.arange(len(index)),
            manifest.ROW_STATUS: "",
            manifest.ROW_REASON: "",
        },
        index=index,
    )


def _frame(table: pa.Table, index: pd.Index[Any]) -> pd.DataFrame:
    """Return rows as a frame with an index; vectors of one length become a fixed-size list."""
    empty = {
        name
        for name in ("embedding", "reasoning")
        if name in table.column_names and table[name].null_count == len(table)
    }
    vectors = None
    if "embedding" in table.column_names and "embedding" not in empty:
        vectors = _fixed(table["embedding"])
    table = table.drop_columns(sorted(empty | ({"embedding"} if vectors is not None else set())))
    made = frame_of(table)
    if vectors is not None:
        made.insert(0, "embedding", pd.Series(pd.arrays.ArrowExtensionArray(vectors)))
    made.index = index
    return made


def _fixed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    lists = column.combine_chunks()
    lengths = pc.unique(pc.drop_null(pc.list_value_length(lists)))
    if len(lengths) != 1:
        return pa.chunked_array([lists])
    return pa.chunked_array([lists.cast(pa.list_(pa.float32(), lengths[0].as_py()))])


def _has_items(table: pa.Table) -> bool:
    return bool(pc.max(table["item"]).as_py())


def _is_first(places: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell of each whether its row did not come before in the same block."""
    found = np.zeros(len(places), bool)
    found[np.unique(places, return_index=True)[1]] = True
    return found


def _ids(table: pa.Table, mask: NDArray[np.bool_]) -> list[str]:
    if not mask.any():
        return []
    ids = table["custom_id"].filter(pa.array(mask)).to_pylist()
    return [one for one in ids if one is not None]
