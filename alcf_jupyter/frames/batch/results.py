"""A batch's results file as a frame, or as Parquet where it is larger than memory."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.batch.blocks import ROWS, read_block
from alcf_jupyter.frames.file_name import checked
from alcf_jupyter.frames.record.whole_file import replacing
from alcf_jupyter.user_warning import warn

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator

    T = TypeVar("T")
    R = TypeVar("R")

BLOCK_BYTES: Final = 4_000_000
_WORKERS: Final = 2
"""Arrow's reader works outside Python's lock; beyond two the rest of the work is in the way."""
_MOST_NAMED: Final = 10


@overload
def read_batch_results(path: str | os.PathLike[str], out: None = ...) -> pd.DataFrame: ...
@overload
def read_batch_results(path: str | os.PathLike[str], out: str | os.PathLike[str]) -> Path: ...
def read_batch_results(
    path: str | os.PathLike[str], out: str | os.PathLike[str] | None = None
) -> pd.DataFrame | Path:
    """Read the results file of a batch, whoever's it is.

    Parameters
    ----------
    path
        A ``.results.jsonl`` file, or the folder of a batch that holds one.
    out
        A ``.parquet`` file to write in place of a frame, for results larger than memory. It is
        there once it is whole.

    Returns
    -------
    pandas.DataFrame or pathlib.Path
        One row a line, in the file's order: ``line`` (its number, from 1), ``custom_id``,
        ``status`` (ok, truncated or failed), ``reason``, ``reply``, ``reasoning``,
        ``finish_reason``, ``model``, ``prompt_tokens``, ``completion_tokens`` and
        ``total_tokens``. Where there are embeddings a line has a row for each vector: ``item``
        counts them, ``embedding`` holds them (float32). A line that cannot be read is a failed
        row, too; its number is in ``attrs["alcf"]["bad_lines"]``, and a warning names the first
        ones. With `out`, the path of the Parquet file.

    Raises
    ------
    UsageError
        There is no such file, or it cannot be read, or `out` cannot be written.
    """
    target = None if out is None else checked(out, ".parquet")
    reader = Reader(results_file(path))
    if target is not None:
        written = write_tables(reader.tables(), ROWS, target)
        reader.warn()
        return written
    frame = frame_of(pa.concat_tables([ROWS.empty_table(), *reader.tables()]))
    reader.warn()
    frame.attrs["alcf"] = reader.about()
    return frame


def results_file(path: str | os.PathLike[str]) -> Path:
    """Return the results file that a path names: itself, or the one in that folder.

    Raises
    ------
    UsageError
        There is none, or more than one.
    """
    file = Path(path).expanduser()
    if not file.is_dir():
        return file
    found = sorted(file.glob("*.results.jsonl"))
    if len(found) == 1:
        return found[0]
    raise UsageError(
        f"{file} holds {len(found) or 'no'} results files.",
        why=", ".join(one.name for one in found[:3]),
        do="Name the file itself:  alcf.read_batch_results('….results.jsonl')",
    )


class Reader:
    """Reads a results file block by block; a few blocks are in memory, and what is kept of them.

    Parameters
    ----------
    path
        The file.

    Attributes
    ----------
    lines
        How many lines were read.
    bad
        Numbers of the lines that cannot be read, from 1.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = 0
        self.bad: list[int] = []

    def tables(self) -> Iterator[pa.Table]:
        """Yield the rows of each block, in order.

        Raises
        ------
        UsageError
            The file cannot be read.
        """
        for rows, count, bad in _ahead(read_block, self._blocks()):
            before = self.lines + 1
            self.lines += count
            self.bad += [before + number for number in bad]
            yield rows.set_column(0, ROWS.field("line"), pc.add(rows["line"], before))

    def _blocks(self) -> Iterator[memoryview]:
        """Yield whole lines, many at a time, in memory that is used again a few blocks later."""
        # one more than are handed out before the first of them is asked for again
        spaces = [bytearray(BLOCK_BYTES) for _ in range(_WORKERS + 2)]
        rest, turn = b"", 0
        try:
            with self.path.open("rb", buffering=0) as file:
                while True:
                    space = spaces[turn]
                    if len(rest) > len(space) // 2:  # a line that is longer than usual
                        space = spaces[turn] = bytearray(4 * len(rest))
                    space[: len(rest)] = rest
                    with memoryview(space) as room:
                        filled = len(rest) + (file.readinto(room[len(rest) :]) or 0)
                    if filled == len(rest):
                        break
                    end = space.rfind(b"\n", 0, filled) + 1
                    rest = bytes(space[end:filled])
                    if end:
                        yield memoryview(space)[:end]
                        turn = (turn + 1) % len(spaces)
        except OSError as error:
            raise UsageError(
                f"{self.path} cannot be read: {error.strerror}.",
                do=f"Look at the path, and at who may read it:  !ls -ld {self.path}",
            ) from None
        if rest:
            yield memoryview(rest)

    def about(self) -> dict[str, Any]:
        """Return what is said of the file beside its rows."""
        return {"file": self.path.name, "lines": self.lines, "bad_lines": self.bad}

    def warn(self) -> None:
        """Name the lines that cannot be read."""
        if self.bad:
            named = ", ".join(map(str, self.bad[:_MOST_NAMED]))
            more = "" if len(self.bad) <= _MOST_NAMED else ", …"
            warn(
                f"{len(self.bad):,} of {self.lines:,} lines of {self.path.name} cannot be read: "
                f"{named}{more}. They are rows with status failed."
            )


def _ahead(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Yield what `work` makes of each item, in order, a few of them in other threads."""
    with ThreadPoolExecutor(_WORKERS, "alcf_jupyter results") as pool:
        under_way = deque[Any]()
        for item in items:
            under_way.append(pool.submit(work, item))
            if len(under_way) > _WORKERS:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()


def frame_of(table: pa.Table) -> pd.DataFrame:
    """Return rows as a frame, without a copy of the texts; without columns of vectors if none."""
    if "embedding" in table.column_names and table["embedding"].null_count == len(table):
        table = table.drop_columns(["item", "embedding"])
    made: pd.DataFrame = table.to_pandas(
        types_mapper=_KINDS.get, split_blocks=True, self_destruct=True
    )
    return made


_KINDS: Final = {
    pa.int64(): pd.Int64Dtype(),
    ROWS.field("embedding").type: pd.ArrowDtype(ROWS.field("embedding").type),
}


def write_tables(tables: Iterator[pa.Table], schema: pa.Schema, out: Path) -> Path:
    """Write rows to a Parquet file that only you can read; it is there once it is whole.

    Raises
    ------
    UsageError
        It cannot be written.
    """
    try:
        with replacing(out) as part, pyarrow.parquet.ParquetWriter(part, schema) as writer:
            for table in tables:
                writer.write_table(table)
    except OSError as error:
        raise UsageError(
            f"{out} cannot be written: {error.strerror or error}.", do="Name another file."
        ) from None
    return out
