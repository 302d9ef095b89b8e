"""What a map of embeddings shows: points, colors, texts, and which of them are chosen."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.explore.neighbors import BOOKKEEPING, neighbors
from alcf_jupyter.names import nearest
from alcf_jupyter.plain import brief

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from alcf_jupyter.progress import RunObserver

CATEGORIES = 20
"""More colors than this cannot be told apart; what is rarer is one category."""

OTHER = "(other)"
MISSING = "(missing)"
_HOVER = 300
_DRAWN = ("x", "y", "group_score", *BOOKKEEPING)


class Exploration:
    """An embedding frame with places on a plane, and the rows that are chosen on it.

    Parameters
    ----------
    frame
        What `project` returned.
    text
        The column that is shown for a row; where there is none, its index.
    """

    def __init__(self, frame: pd.DataFrame, text: str = "text") -> None:
        self.frame = frame
        self.shown = np.flatnonzero(frame["x"].notna() & frame["y"].notna())
        self.places = frame[["x", "y"]].to_numpy(np.float32)[self.shown]
        self._text = text
        self.chosen: NDArray[np.intp] = np.empty(0, np.intp)

    @property
    def columns(self) -> list[str]:
        """The columns that say something as colors."""
        most = max(CATEGORIES, len(self.frame) // 20)
        names = [name for name in self.frame if name not in (*_DRAWN, self._text)]
        return [
            str(name)
            for name in names
            if isinstance(name, str)
            and (_continuous(self.frame[name]) or _distinct(self.frame[name]) <= most)
        ]

    def colors(self, name: str) -> pd.Series[Any]:
        """Return a column for coloring the points shown: numbers, or a few categories.

        Raises
        ------
        UsageError
            There is no such column.
        """
        if name not in self.frame:
            near = nearest(name, self.columns) or self.columns[:3]
            raise UsageError(
                f"There is no column {brief(name, 60)!r} to color by.",
                do=f"Did you mean:  color={near[0]!r}" if near else "Leave color out.",
            )
        values = self.frame[name].iloc[self.shown].reset_index(drop=True)
        if _continuous(values):
            if not values.isna().any():
                return _numbers(values)
            values = pd.cut(_numbers(values), 8, precision=2)
        values = values.astype(object)
        words = values.map({name: brief(name, 40) for name in values.dropna().unique()})
        counts = words.value_counts()
        kept = counts.index if len(counts) <= CATEGORIES else counts.index[: CATEGORIES - 1]
        words = words.where(words.isin(kept) | words.isna(), OTHER).fillna(MISSING)
        order = dict.fromkeys([*_sorted(kept), OTHER, MISSING])  # a category may be called so
        return words.astype(pd.CategoricalDtype([word for word in order if (words == word).any()]))

    def texts(self, rows: NDArray[np.intp] | None = None, column: str | None = None) -> list[str]:
        """Return what stands for each point shown, on one line.

        Parameters
        ----------
        rows
            Positions in the frame; those of the points shown where not given.
        column
            Another column than that of the texts.
        """
        name = column or self._text
        values = self.frame[name] if name in self.frame else self.frame.index.to_series()
        some = values.iloc[self.shown if rows is None else rows]
        pairs = zip(some.tolist(), some.isna(), strict=True)
        return ["" if missing else brief(value, _HOVER) for value, missing in pairs]

    def choose(self, points: Sequence[int] | NDArray[Any]) -> None:
        """Choose some of the points shown, by their numbers, in this order."""
        self.chosen = self.shown[np.asarray(points, np.intp)]

    @property
    def selection(self) -> pd.DataFrame:
        """The rows that are chosen, with everything the frame has on them, long numbers last."""
        names = list(self.frame)
        order = sorted(
            range(len(names)), key=lambda at: (names[at] in BOOKKEEPING, names[at] == "embedding")
        )
        return self.frame.iloc[self.chosen, order]

    def search(self, query: str, k: int, observer: RunObserver) -> NDArray[np.intp]:
        """Return the numbers of the points nearest to a text, the nearest first.

        A model that is not Live is not waited for: somebody is looking at the map.

        Raises
        ------
        AlcfError
            As `neighbors` raises it.
        """
        numbered = self.frame[["embedding"]].reset_index(drop=True)
        numbered.attrs = dict(self.frame.attrs)
        found = neighbors(numbered, query, k, timeout="1m", wait=False, observer=observer)
        rows = found.index.to_numpy(np.intp)
        points = np.minimum(np.searchsorted(self.shown, rows), len(self.shown) - 1)
        here: NDArray[np.intp] = points[self.shown[points] == rows]
        return here


def _continuous(values: pd.Series[Any]) -> bool:
    if pd.api.types.is_datetime64_any_dtype(values) or pd.api.types.is_float_dtype(values):
        return True
    whole = pd.api.types.is_integer_dtype(values) and not pd.api.types.is_bool_dtype(values)
    return whole and _distinct(values) > CATEGORIES


def _distinct(values: pd.Series[Any]) -> int:
    try:
        return int(values.nunique())
    except TypeError:  # lists and the like
        return len(values)


def _numbers(values: pd.Series[Any]) -> pd.Series[Any]:
    if pd.api.types.is_datetime64_any_dtype(values):  # as years, which read as they are
        year = values.dt.year + (values.dt.day_of_year - 1) / 365.25
        years: pd.Series[Any] = year.astype(float)
        return years
    numbers: pd.Series[Any] = pd.to_numeric(values).astype("Float64").astype(float)
    return numbers


def _sorted(words: Iterable[str]) -> list[str]:
    """Sort numbers as numbers, then words."""
    whole = re.compile(r"-?\d{1,15}")
    return sorted(words, key=lambda w: (0, int(w), "") if whole.fullmatch(w) else (1, 0, w))
