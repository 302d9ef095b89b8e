"""Recorded runs as tables and files: the list of them, and what is in one."""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pandas as pd
import pyarrow as pa

from alcf_jupyter.errors import JournalError, UsageError
from alcf_jupyter.frames.journal_content import read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alcf_jupyter.frames.journal_lines import Row
    from alcf_jupyter.frames.runs import Run

_STATUSES: Final = ("ok", "truncated", "failed")
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


def table(found: Sequence[Run]) -> pd.DataFrame:
    """Return runs as a table: name, kind, model, rows by status, MB, created, used, where, writer.

    Parameters
    ----------
    found
        As `runs` gives them. Each is read once, about a second for 300,000 rows.
    """
    columns = ["run", "kind", "model", *_STATUSES, "MB", "created", "used", "where", "writer"]
    records = []
    for run in found:
        counts = Counter[str](row.status for row in _rows(run))
        record: dict[str, Any] = {one: counts[one] for one in _STATUSES}
        record |= {"run": run.name, "where": str(run.folder), "MB": round(run.size / 1e6, 3)}
        record |= {one: str(run.about.get(one) or "") for one in ("kind", "model")}
        record |= {
            one: pd.Timestamp(getattr(run, one), unit="s").floor("s") for one in ("created", "used")
        }
        record["writer"] = str(run.holder or "")
        records.append(record)
    return pd.DataFrame(records, columns=columns)


def frame(run: Run) -> pd.DataFrame:
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


def export(run: Run, path: str | Path) -> Path:
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


def _rows(run: Run) -> list[Row]:
    with contextlib.suppress(JournalError):
        return list(read(run.folder).rows.values())
    return []


def _plain(row: Row) -> dict[str, Any]:
    record: dict[str, Any] = msgspec.structs.asdict(row)
    del record["vector"]
    return record


def _whole(text: str | None) -> str | None:
    return text and text.encode("utf-8", "replace").decode()
