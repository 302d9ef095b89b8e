"""What is in a recorded run: as a table, and as a file of JSON Lines."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import pandas as pd

from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames import tables
from alcf_jupyter.frames.file_name import checked
from alcf_jupyter.frames.matrix import column as vector_column
from alcf_jupyter.frames.record.journal_content import read

if TYPE_CHECKING:
    from pathlib import Path

    from alcf_jupyter.frames.record.journal_lines import Row
    from alcf_jupyter.frames.record.recorded import RecordedRun

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
_TEXTS: Final = ("reply", "reason", "finish_reason")


def frame(run: RecordedRun) -> pd.DataFrame:
    """Return what is recorded of a run, a row for each key in the order they were recorded.

    Raises
    ------
    JournalError
        It cannot be read.
    """
    content = read(run.folder)
    rows = list(content.rows.values())
    told = {name: [getattr(row, name) for row in rows] for name in _COLUMNS}
    told |= {name: tables.whole(told[name]) for name in _TEXTS}
    index = pd.Index([row.key for row in rows], name="key", dtype="str")
    found = pd.DataFrame(told, index=index)
    if len(content.vectors):
        places = np.array([row.vector.place if row.vector else -1 for row in rows])
        vectors = content.vectors[np.maximum(places, 0)]
        found["embedding"] = vector_column(vectors, places < 0, index)
    return found


def export(run: RecordedRun, path: str | Path) -> Path:
    """Write what is recorded of a run as JSON Lines, a new file that only you can read.

    Parameters
    ----------
    run
        The run.
    path
        A ``.jsonl`` file that is not there yet.

    Raises
    ------
    UsageError
        The name ends otherwise, the file is there, or it cannot be written.
    """
    path = checked(path, ".jsonl")
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
