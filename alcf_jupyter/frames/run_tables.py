"""What is in a recorded run: as a table, and as a file of JSON Lines."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pandas as pd
import pyarrow as pa

from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.journal_content import read

if TYPE_CHECKING:
    from alcf_jupyter.frames.journal_lines import Row
    from alcf_jupyter.frames.recorded import RecordedRun

_COLUMNS: Final = [
    "status",
    "reply",
    "fields",
    "reason",
    "finish_reason",
    "tokens",
    "seconds",
    "attempts",
]


def frame(run: RecordedRun) -> pd.DataFrame:
    """Return what is recorded of a run, a row for each key in the order they were recorded.

    Raises
    ------
    JournalError
        It cannot be read.
    """
    content = read(run.folder)
    rows = [_plain(row) for row in content.rows.values()]
    for row in rows:  # Arrow's strings hold no half characters
        row |= {one: _whole(row[one]) for one in ("reply", "reason", "finish_reason")}
    index = pd.Index([row["key"] for row in rows], name="key", dtype="str")
    found = pd.DataFrame(rows, columns=_COLUMNS, index=index)
    if len(content.vectors):
        places = [row.vector.place if row.vector else None for row in content.rows.values()]
        flat = content.vectors[[place or 0 for place in places]].reshape(-1)
        mask = pa.array([place is None for place in places])
        column = pa.FixedSizeListArray.from_arrays(
            pa.array(flat), content.vectors.shape[1], mask=mask
        )
        found["embedding"] = pd.arrays.ArrowExtensionArray(pa.chunked_array([column]))
    return found


def export(run: RecordedRun, path: str | Path) -> Path:
    """Write what is recorded of a run as JSON Lines, a new file that only you can read.

    Parameters
    ----------
    run
        The run.
    path
        A file that is not there yet.

    Raises
    ------
    UsageError
        The file is there, or cannot be written.
    """
    path = Path(path).expanduser()
    content = read(run.folder)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            for row in content.rows.values():
                record = _plain(row)
                if row.vector:
                    record["embedding"] = content.vectors[row.vector.place].tolist()
                file.write(json.dumps(record) + "\n")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}.", do="Name another file."
        ) from None
    return path


def _plain(row: Row) -> dict[str, Any]:
    record: dict[str, Any] = msgspec.structs.asdict(row)
    del record["vector"]
    return record


def _whole(text: str | None) -> str | None:
    return text and text.encode("utf-8", "replace").decode()
