"""Embedding frames on the disk: a Parquet file, which plain ``pandas.read_parquet`` reads, too."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.file_name import checked
from alcf_jupyter.frames.matrix import column as vector_column
from alcf_jupyter.frames.record.whole_file import replacing
from alcf_jupyter.names import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_COLUMN: Final = "embedding"
_MAGIC: Final = b"PAR1"
_GROUP_BYTES: Final = 1 << 22
"""Vectors that are written, and read, at a time: what memory it takes besides the matrix."""
_HOW: Final = {
    # vectors do not repeat, and their least and greatest number say nothing
    "use_dictionary": False,
    "write_statistics": False,
    "write_batch_size": 1 << 18,
}


def save_embeddings(emb: pd.DataFrame, path: str | Path) -> Path:
    """Write an embedding frame to a Parquet file, whole or not at all.

    Parameters
    ----------
    emb
        What `embed` returned, or a part of it; with your own columns, too. The index, rows without
        an embedding and ``attrs["alcf"]`` are kept.
    path
        The file, whose name ends in ``.parquet``: readable by you alone if it is new. A Parquet
        file of this name is replaced.

    Returns
    -------
    pathlib.Path
        The file. ``alcf.load_embeddings`` and ``pandas.read_parquet`` read it.

    Raises
    ------
    UsageError
        There is no column of embeddings; a column or the index cannot be written; the name ends
        otherwise; the folder is not there; the file is one of another kind, or cannot be written.
    """
    table = _table(emb)
    path = checked(path, ".parquet")
    target = path.resolve()
    mode = _mode(target)
    width = table.schema.field(_COLUMN).type.list_size
    rows = max(1, _GROUP_BYTES // (4 * max(1, width)))
    with _told(path), replacing(target, mode) as part:
        # nor can vectors be made smaller
        packed = {name: "none" if name == _COLUMN else "snappy" for name in table.column_names}
        pq.write_table(table, part, row_group_size=rows, compression=packed, **_HOW)
    return path


def load_embeddings(path: str | Path) -> pd.DataFrame:
    """Read an embedding frame from a Parquet file.

    Parameters
    ----------
    path
        What `save_embeddings` wrote; or any Parquet file with a column ``embedding`` of lists of
        numbers, all of one length.

    Returns
    -------
    pandas.DataFrame
        The frame as it was: index, statuses, ``attrs["alcf"]``. Its embeddings are one piece of
        memory, which `matrix` gives without a copy where no row lacks one.

    Raises
    ------
    UsageError
        There is no such file, it is no Parquet file, it has no such column, or is damaged.
    """
    path = Path(path).expanduser()
    _check_readable(path)
    with _told(path):
        file = pq.ParquetFile(path)
        schema = file.schema_arrow
        width = _width(file, path)
        matrix, valid = _vectors(file, path, width)
        rest = [name for name in schema.names if name != _COLUMN]
        frame: pd.DataFrame = file.read(rest, use_pandas_metadata=True).to_pandas()
        place = [name for name in schema.names if name in {*frame.columns, _COLUMN}].index(_COLUMN)
    frame.insert(place, _COLUMN, vector_column(matrix, ~valid, frame.index))
    return frame


def _table(emb: pd.DataFrame) -> pa.Table:
    """Return a frame as Arrow holds it; nothing of its vectors is copied if they are Arrow's."""
    if not isinstance(emb, pd.DataFrame) or _COLUMN not in emb:
        raise UsageError(
            "This is no embedding frame: there is no column 'embedding' in it.",
            do="Give it what alcf.embed returned.",
        )
    frame = emb.copy(deep=False)
    told = emb.attrs.get("alcf")
    frame.attrs = {} if told is None else {"alcf": json.loads(json.dumps(told, default=str))}
    if not frame.columns.is_unique:
        raise UsageError("Two columns have one name.", do="Rename one:  emb.rename(columns=…)")
    column = _column(emb[_COLUMN])
    frame[_COLUMN] = pd.Series(pd.arrays.ArrowExtensionArray(column), index=frame.index)
    if "text" in frame and frame["text"].dtype == object:
        frame["text"] = pd.Series(
            [_text(value) for value in frame["text"]], dtype=object, index=frame.index
        )
    try:
        table = pa.Table.from_pandas(frame)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise _unwritable(frame, error) from None
    at = table.column_names.index(_COLUMN)
    field = pa.field(_COLUMN, column.type, nullable=column.null_count > 0)
    return table.set_column(at, field, column).replace_schema_metadata(_plain(table))


def _plain(table: pa.Table) -> dict[bytes, bytes]:
    """Return the table's metadata, with which pandas makes plain objects of the vectors."""
    about: dict[bytes, bytes] = table.schema.metadata
    known = json.loads(about[b"pandas"])
    for one in known["columns"]:
        if one["field_name"] == _COLUMN:  # pandas cannot make its own kind again from its name
            one["numpy_type"] = "object"
    # where pandas itself looks for what pyarrow keeps under `attributes`
    attrs = {b"PANDAS_ATTRS": json.dumps(known.get("attributes") or {}).encode()}
    return {**about, b"pandas": json.dumps(known).encode(), **attrs}


def _column(column: pd.Series[Any]) -> pa.ChunkedArray:
    """Return embeddings as lists of one length of float32, none of whose numbers is missing."""
    try:
        found = pa.chunked_array(pa.array(column, from_pandas=True))
        width = _list_size(found)
        kind = pa.list_(pa.field("element", pa.float32(), nullable=False), width)
        pieces = [_piece(one, kind) for one in found.chunks]
    except (pa.ArrowException, TypeError, ValueError):
        raise UsageError(
            "What stands in the column 'embedding' are no embeddings of one length.",
            do="Give it what alcf.embed returned.",
        ) from None
    return pa.chunked_array(pieces, type=kind)


def _list_size(found: pa.ChunkedArray) -> int:
    if pa.types.is_fixed_size_list(found.type):
        return int(found.type.list_size)
    first = next(one for one in found if one.is_valid) if found.null_count < len(found) else []
    if not len(first):
        raise ValueError("no embedding tells the length")
    return len(first)


def _piece(one: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return one piece of such a column as lists of `kind`; float32 is not copied."""
    if not pa.types.is_fixed_size_list(one.type):
        one = one.cast(pa.list_(pa.float32(), kind.list_size))
    values = _flat(one)
    if values.null_count:  # only rows that are missing as a whole may lack numbers
        if one.flatten().null_count:
            raise ValueError("a number of an embedding is missing")
        values = values.fill_null(0.0)
    mask = one.is_null() if one.null_count else None
    return pa.FixedSizeListArray.from_arrays(values.cast(pa.float32()), type=kind, mask=mask)


def _flat(one: pa.Array) -> pa.Array:
    """Return all numbers of a piece, those under missing rows included."""
    width = one.type.list_size
    return one.values.slice(one.offset * width, len(one) * width)  # noqa: PD011 - Arrow's


def _text(value: Any) -> str | None:
    """Return a text as a file can hold it: what could not be embedded is kept for reading."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if value is None or (pd.api.types.is_scalar(value) and pd.isna(value)):
        return None
    return str(value)


def _unwritable(frame: pd.DataFrame, error: Exception) -> UsageError:
    """Say which part of a frame has no place in a Parquet file."""
    for name in frame.columns:
        try:
            pa.array(frame[name], from_pandas=True)
        except (pa.ArrowException, TypeError, ValueError):
            return UsageError(
                f"The column {name!r} cannot be written: it mixes things of several kinds.",
                do=f"Leave it out:  alcf.save_embeddings(emb.drop(columns={name!r}), …)",
            )
    return UsageError(
        "The index cannot be written.",
        why=str(error).splitlines()[0][:200],
        do="Leave it out:  alcf.save_embeddings(emb.reset_index(drop=True), …)",
    )


def _mode(target: Path) -> int:
    """Return the mode of the file that will be there; refuse to replace what is no Parquet file."""
    if not target.parent.is_dir():
        raise UsageError(
            f"The folder {target.parent} is not there.", do=f"Make it:  !mkdir -p {target.parent}"
        )
    if target.is_dir():
        raise UsageError(f"{target} is a folder.", do=f"Name a file in it:  {target}/emb.parquet")
    with _told(target):
        if not target.exists():
            return 0o600
        about = target.stat()
        if about.st_size and not _is_parquet(target):
            raise UsageError(
                f"{target} is there, and is no Parquet file; it is not replaced.",
                do="Name another file.",
            )
        return about.st_mode & 0o777


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def _check_readable(path: Path) -> None:
    if path.is_dir():
        raise UsageError(f"{path} is a folder.", do="Name the file in it.")
    with _told(path):
        if not path.exists():
            there = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
            near = nearest(path.name, there, 1)
            raise UsageError(
                f"There is no file {path}.",
                do=f"Did you mean:  {path.with_name(near[0])}" if near else "Name another file.",
            )
        if not _is_parquet(path):
            raise UsageError(
                f"{path} is no Parquet file.", do="Name one that alcf.save_embeddings wrote."
            )


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say what a failure of the disk, or of the file's form, means."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.strerror:
            raise UsageError(
                f"{path} cannot be used: {error.strerror}.", do="Name another file, or make room."
            ) from None
        raise UsageError(
            f"{path} is damaged, or of a form that is not known here.",
            why=str(error).splitlines()[0][:200],
            do="Save the embeddings again:  alcf.save_embeddings(emb, …)",
        ) from None


def _width(file: pq.ParquetFile, path: Path) -> int:
    """Return how long the file's embeddings are."""
    schema = file.schema_arrow
    kind = schema.field(_COLUMN).type if _COLUMN in schema.names else pa.null()
    if pa.types.is_fixed_size_list(kind):
        return int(kind.list_size)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        for at in range(file.num_row_groups):
            for one in file.read_row_group(at, [_COLUMN])[_COLUMN]:
                if one.is_valid and len(one):
                    return len(one)
    raise UsageError(
        f"{path} holds no embedding frame: there is no column 'embedding' of lists in it.",
        why=f"There are: {', '.join(schema.names[:12])}."[:300],
        do="Name a file that alcf.save_embeddings wrote.",
    )


def _vectors(
    file: pq.ParquetFile, path: Path, width: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return all embeddings of a file in one matrix, and which rows have one."""
    rows, kind = file.metadata.num_rows, pa.list_(pa.float32(), width)
    matrix, valid = np.empty((rows, width), np.float32), np.ones(rows, bool)
    start = 0
    for group in range(file.num_row_groups):
        for one in file.read_row_group(group, [_COLUMN], use_threads=False)[_COLUMN].chunks:
            try:
                piece = _piece(one, kind)
            except ValueError:
                raise UsageError(
                    f"The embeddings in {path} are not whole, or not of one length.",
                    do="Name a file that alcf.save_embeddings wrote.",
                ) from None
            stop = start + len(piece)
            matrix[start:stop] = _flat(piece).to_numpy(zero_copy_only=False).reshape(-1, width)
            valid[start:stop] = piece.is_valid().to_numpy(zero_copy_only=False)
            start = stop
    return matrix, valid
