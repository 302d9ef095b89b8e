"""How many rows of a recorded run are in each status, counted without reading the rows whole."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final
from zlib import crc32

from alcf_jupyter.errors import AlcfError
from alcf_jupyter.frames.record.journal_content import LINES, read
from alcf_jupyter.frames.record.journal_lines import Header, parse, seed

if TYPE_CHECKING:
    from pathlib import Path

_ROW: Final = re.compile(rb'([0-9a-f]{8}) [rs] \{"key": ?"([^"\\]*)", ?"status": ?"(\w+)"')
"""How the line of a row begins: checksum, key and status."""

_known: dict[Path, tuple[tuple[int, int], Counter[str]]] = {}
"""By folder: the size and the time of the lines when they were counted, and the counts."""


def counts(folder: Path) -> Counter[str]:
    """Return a run's rows by status; lines that have not changed since are not read again.

    Parameters
    ----------
    folder
        The record's; where it cannot be read, there are none.
    """
    try:
        about = (folder / LINES).stat()
        version = (about.st_size, about.st_mtime_ns)
        if folder not in _known or _known[folder][0] != version:
            _known[folder] = (version, _counted(folder))
    except (OSError, AlcfError):
        return Counter()
    return _known[folder][1]


def _counted(folder: Path) -> Counter[str]:
    statuses: dict[bytes, bytes] = {}
    with (folder / LINES).open("rb") as file:
        header = parse(file.readline()[:-1], 0)
        if not isinstance(header, Header):  # damaged: there may be a copy further down
            rows = read(folder, vectors=False).rows.values()
            return Counter(row.status for row in rows)
        start = seed(header.identity)
        for raw in file:
            row = _ROW.match(raw)
            if row and int(row[1], 16) == crc32(memoryview(raw)[8:-1], start):
                statuses[row[2]] = row[3]  # the last line of a key counts
    return Counter(status.decode() for status in statuses.values())
