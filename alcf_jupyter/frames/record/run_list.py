"""Every recorded run, listed: how far, how big, where."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, get_args, overload

from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.record import recorded
from alcf_jupyter.frames.record.journal_lines import Status
from alcf_jupyter.frames.record.run_counts import counts
from alcf_jupyter.plain import brief, escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pandas as pd

    from alcf_jupyter.frames.record.recorded import RecordedRun

_STATUSES: Final = get_args(Status)
_HEAD: Final = (
    "name",
    "kind",
    "model",
    "rows",
    *_STATUSES,
    "size",
    "created",
    "used",
    "where",
    "writer",
)

_CELL: Final = "text-align:left;white-space:nowrap"

latest: list[str] = []
"""The names that were listed last, for completion."""


class Runs:
    """The recorded runs, the one used last first.

    ``runs["ab12"]`` and ``runs[0]`` give one, with ``open()``, ``export(path)`` and ``delete()``.

    Parameters
    ----------
    found
        As `recorded.known` gives them.
    note
        What is to be said of runs that are gone.
    """

    def __init__(self, found: Sequence[RecordedRun], note: str = "") -> None:
        self._found = list(found)
        self._note = note

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[RecordedRun]:
        return iter(self._found)

    @overload
    def __getitem__(self, which: int | str) -> RecordedRun: ...
    @overload
    def __getitem__(self, which: slice) -> Runs: ...
    def __getitem__(self, which: int | str | slice) -> RecordedRun | Runs:
        if isinstance(which, slice):
            return Runs(self._found[which])
        if isinstance(which, str):
            return recorded.find(which, self._found)
        try:
            return self._found[which]
        except IndexError:
            raise UsageError(
                f"There is no recorded run {which}: there are {len(self)}.",
                do="See them all:  alcf.runs()",
            ) from None

    @property
    def size(self) -> int:
        """Bytes of all of them."""
        return sum(run.size for run in self._found)

    @property
    def frame(self) -> pd.DataFrame:
        """The list as a DataFrame, sizes in bytes and times in UTC."""
        import pandas as pd

        records = []
        for run in self._found:
            times = {
                one: pd.Timestamp(getattr(run, one), unit="s").floor("s")
                for one in ("created", "used")
            }
            records.append(_record(run) | {"size": run.size} | times)
        return pd.DataFrame(records, columns=list(_HEAD)).astype({"rows": "Int64"})

    def __repr__(self) -> str:
        rows = [_HEAD, *(tuple(row.values()) for row in self._rows())]
        widths = [max(len(row[at]) for row in rows) for at in range(len(_HEAD))]
        lines = [
            "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        return "\n".join([*(lines if self._found else []), *self._words()])

    def _repr_html_(self) -> str:
        head = _html_row("th", _HEAD)
        body = "".join(_html_row("td", row.values()) for row in self._rows())
        table = f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"
        words = "".join(f"<p>{escape(line)}</p>" for line in self._words())
        return f"{table if self._found else ''}{words}"

    def _rows(self) -> Iterator[dict[str, str]]:
        for run in self._found:
            told = {one: _when(getattr(run, one)) for one in ("created", "used")}
            told |= {"size": recorded.in_words(run.size), "where": recorded.at_home(run.folder)}
            record = _record(run) | told
            yield {name: brief(record[name], 120) for name in _HEAD}

    def _words(self) -> list[str]:
        lines = [self._note] if self._note else []
        if not self._found:
            return ["No run is recorded.", *lines]
        count = "1 recorded run" if len(self) == 1 else f"{len(self):,} recorded runs"
        kept = f"deleted after {recorded.DAYS} days without use, a checkpoint never"
        return [f"{count}, {recorded.in_words(self.size)} in all; {kept}.", *lines]


def runs() -> Runs:
    """Return every recorded run: how far, how big, where.

    Returns
    -------
    Runs
        A list that shows itself as a table; ``.frame`` is the DataFrame. ``runs["ab12"]`` and
        ``runs[0]`` give a run, with ``open()`` (its rows), ``export(path)`` and ``delete()``.

    Raises
    ------
    UsageError
        The state directory cannot be used.
    """
    note = recorded.expired()
    found = recorded.known()
    latest[:] = [run.name for run in found]
    return Runs(found, note)


def _record(run: RecordedRun) -> dict[str, Any]:
    found = counts(run.folder)
    record: dict[str, Any] = {"name": run.name}
    record |= {one: str(run.about.get(one) or "") for one in ("kind", "model")}
    record |= {one: found[one] for one in _STATUSES}
    record["rows"] = _rows(run, found.total())
    return record | {"where": str(run.folder), "writer": str(run.holder or "")}


def _rows(run: RecordedRun, recorded_rows: int) -> int | None:
    """Return how many rows the run was begun with; None where it has been given others since."""
    rows = run.about.get("rows")
    return rows if isinstance(rows, int) and rows >= recorded_rows else None


def _html_row(tag: str, cells: Iterable[str]) -> str:
    told = (f'<{tag} style="{_CELL}">{escape(cell)}</{tag}>' for cell in cells)
    return f"<tr>{''.join(told)}</tr>"


def _when(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(moment))
