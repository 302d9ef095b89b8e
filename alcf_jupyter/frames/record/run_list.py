"""Every recorded run, listed: how far, how big, where."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, overload

from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.record import recorded
from alcf_jupyter.frames.record.run_counts import tally
from alcf_jupyter.frames.run_progress import STATUSES
from alcf_jupyter.plain import brief, escape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from alcf_jupyter.frames.record.recorded import RecordedRun

_HEAD: Final = (
    "name",
    "kind",
    "columns",
    "model",
    "rows",
    *STATUSES,
    "size",
    "created",
    "used",
    "where",
    "writer",
)

_ALWAYS: Final = ("name", "kind", "rows", "ok", "size", "used")
"""What is shown of every list; the rest only where it says something."""

_NEVER: Final = ("created",)
_NUMBERS: Final = ("rows", *STATUSES, "size")
_WIDTHS: Final = {"columns": 32, "model": 36}
_SHORT: Final = 8
"""So much of a name is shown where it tells the runs apart."""

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
        """The list as a DataFrame, sizes in bytes and times in UTC.

        ``rows`` and the counts are those of the last call, and add up; what a record of an earlier
        version does not tell is missing. ``columns`` names those that were sent.
        """
        import pandas as pd

        records = []
        for run in self._found:
            times = {
                one: pd.Timestamp(getattr(run, one), unit="s").floor("s")
                for one in ("created", "used")
            }
            records.append(_record(run) | {"size": run.size} | times)
        return pd.DataFrame(records, columns=list(_HEAD)).astype(
            dict.fromkeys(("rows", *STATUSES), "Int64")
        )

    def __repr__(self) -> str:
        rows = self._rows()
        widths = {one: max(len(row[one]) for row in rows) for one in rows[0]}
        lines = [
            "  ".join(
                f"{cell:{'>' if one in _NUMBERS else '<'}{widths[one]}}"
                for one, cell in row.items()
            ).rstrip()
            for row in rows
        ]
        return "\n".join([*(lines if self._found else []), *self._words()])

    def _repr_html_(self) -> str:
        head, *rows = self._rows()
        body = "".join(_html_row("td", row) for row in rows)
        table = f"<table><thead>{_html_row('th', head)}</thead><tbody>{body}</tbody></table>"
        words = "".join(f"<p>{escape(line)}</p>" for line in self._words())
        return f"{table if self._found else ''}{words}"

    def _rows(self) -> list[dict[str, str]]:
        """Return the head and the rows of the table, without columns that say nothing."""
        rows = list(map(_shown, self._found))
        short = [row["name"][:_SHORT] for row in rows]
        if len(set(short)) == len({row["name"] for row in rows}):
            rows = [row | {"name": name} for row, name in zip(rows, short, strict=True)]
        told = [one for one in _HEAD if one not in _NEVER]
        told = [one for one in told if one in _ALWAYS or any(row[one] for row in rows)]
        return [
            {one: row[one] for one in told} for row in [dict(zip(_HEAD, _HEAD, strict=True)), *rows]
        ]

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
    found = tally(run.folder)
    record: dict[str, Any] = {"name": run.name}
    told = run.about | found.about
    record |= {one: str(told.get(one) or "") for one in ("kind", "columns", "model")}
    record |= {"rows": found.rows, **found.by_status}
    return record | {"where": str(run.folder), "writer": str(run.holder or "")}


def _shown(run: RecordedRun) -> dict[str, str]:
    """Return what a person is told of a run; what is none is left empty."""
    record = _record(run)
    for one in ("rows", *STATUSES):
        count = record[one]
        nothing = "0" if one in _ALWAYS else ""
        record[one] = "?" if count is None else f"{count:,}" if count else nothing
    record |= {one: _when(getattr(run, one)) for one in ("created", "used")}
    record |= {"size": recorded.in_words(run.size)}
    record["where"] = recorded.at_home(run.folder) if run.checkpoint else ""
    return {one: brief(record[one], _WIDTHS.get(one, 120)) for one in _HEAD}


def _html_row(tag: str, cells: Mapping[str, str]) -> str:
    told = (
        f'<{tag} style="text-align:{"right" if one in _NUMBERS else "left"};'
        f'white-space:{"nowrap" if one != "where" else "normal"}">{escape(cell)}</{tag}>'
        for one, cell in cells.items()
    )
    return f"<tr>{''.join(told)}</tr>"


def _when(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(moment))
