"""How many rows of a recorded run are in each status, counted without reading the rows whole."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from alcf_jupyter.errors import AlcfError
from alcf_jupyter.frames.record.journal import LAST
from alcf_jupyter.frames.record.journal_content import LINES, read
from alcf_jupyter.frames.record.journal_lines import Header, parse, seed
from alcf_jupyter.frames.run_progress import STATUSES

if TYPE_CHECKING:
    from pathlib import Path

_ROW: Final = re.compile(rb'([0-9a-f]{8}) [rs] \{"key": ?"([^"\\]*)", ?"status": ?"(\w+)"')
"""How the line of a row begins: checksum, key and status."""

_known: dict[Path, tuple[tuple[int, int], Tally]] = {}
"""By folder: the size and the time of the lines when they were counted, and the counts."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What the last call of a run came to.

    Attributes
    ----------
    about
        What the run says of itself.
    recorded
        The rows by status: what the call noted, and what was recorded since.
    """

    about: dict[str, Any] = field(default_factory=dict)
    recorded: Counter[str] = field(default_factory=Counter)

    @property
    def rows(self) -> int | None:
        """How many rows the call was given; None where that is not known any more."""
        rows = self.about.get("rows")
        return rows if isinstance(rows, int) and rows >= self.recorded.total() else None

    @property
    def by_status(self) -> dict[str, int | None]:
        """The rows by status, which add up to `rows`.

        Records of earlier versions do not tell what was skipped, nor which failed rows are to be
        sent again: None stands for what is not known.
        """
        found: dict[str, int | None] = {one: self.recorded[one] for one in STATUSES}
        left = None if self.rows is None else self.rows - self.recorded.total()
        if LAST not in self.about:
            left = None if left else left
            found["skipped"] = left
        return found | {"pending": left}


def tally(folder: Path) -> Tally:
    """Return what the last call of a run came to; lines that have not changed are not read again.

    Parameters
    ----------
    folder
        The record's; where it cannot be read, there is nothing.
    """
    try:
        about = (folder / LINES).stat()
        version = (about.st_size, about.st_mtime_ns)
        if folder not in _known or _known[folder][0] != version:
            _known[folder] = (version, _counted(folder))
    except (OSError, AlcfError):
        return Tally()
    return _known[folder][1]


def _counted(folder: Path) -> Tally:
    statuses: dict[bytes, bytes] = {}
    with (folder / LINES).open("rb") as file:
        header = parse(file.readline()[:-1], 0)
        if not isinstance(header, Header):  # damaged: there may be a copy further down
            rows = read(folder, vectors=False).rows.values()
            return Tally({}, Counter(row.status for row in rows))
        start = seed(header.identity)
        for raw in file:
            row = _ROW.match(raw)
            if row and int(row[1], 16) == crc32(memoryview(raw)[8:-1], start):
                statuses[row[2]] = row[3]  # the last line of a key counts
            elif raw[8:11] == b" h " and isinstance(later := parse(raw[:-1], 0), Header):
                if later.about.get(LAST) != header.about.get(LAST):
                    statuses.clear()  # another call, or the end of this one, which counts them
                header = later
    noted = header.about.get(LAST)
    counts = {one: noted.get(one) for one in STATUSES} if isinstance(noted, dict) else {}
    found = Counter({one: count for one, count in counts.items() if isinstance(count, int)})
    found.update(status.decode() for status in statuses.values())
    return Tally(header.about, found)
