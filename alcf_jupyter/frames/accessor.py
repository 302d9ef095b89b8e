"""``df["text"].alcf.embed()`` and ``df.alcf.map("…{{column}}…")``: the same functions, on pandas.

pandas knows them once `register` was called, which the package does wherever pandas is imported
already: when it is itself imported, when one of its public names is used for the first time, and
after each cell of a notebook that has loaded the extension. It never imports pandas for this.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from alcf_jupyter.names import spelled

if TYPE_CHECKING:
    import pandas as pd

    from alcf_jupyter.frames.cost import Estimate
    from alcf_jupyter.frames.run import Run

NAME: Final = "alcf"


class FrameAccessor:
    """What can be done with a table.

    Parameters
    ----------
    data
        The DataFrame, or a Series, whose name is then that of its column.
    """

    def __init__(self, data: pd.DataFrame | pd.Series[Any]) -> None:
        self._data = data

    def map(self, template: str, **options: Any) -> pd.DataFrame | Run:
        """Ask a model about every row: ``alcf.map(df, template, ...)``.

        Parameters
        ----------
        template
            The prompt; each ``{{column}}`` is the row's value in that column.
        **options
            As for `alcf.map`.
        """
        from alcf_jupyter.frames.column import map as over_rows

        answered: pd.DataFrame | Run = over_rows(self._data, template, **options)
        return answered

    def estimate(self, template: str, **options: Any) -> Estimate:
        """Return what `map` will take; nothing is sent.

        Parameters
        ----------
        template, **options
            As for `alcf.estimate`.
        """
        from alcf_jupyter.frames.estimate import estimate

        return estimate(self._data, template, **options)


class SeriesAccessor(FrameAccessor):
    """What can be done with a column."""

    def embed(self, **options: Any) -> pd.DataFrame | Run:
        """Return the embedding of each text: ``alcf.embed(series, ...)``.

        Parameters
        ----------
        **options
            As for `alcf.embed`.
        """
        from alcf_jupyter.frames.embeddings import embed

        embedded: pd.DataFrame | Run = spelled(embed)(self._data, **options)
        return embedded


def register() -> None:
    """Make the accessors known to pandas, if it is there; who has their name already keeps it."""
    pandas = sys.modules.get("pandas")
    if pandas is None or not hasattr(pandas, "api"):  # not imported, or not yet to its end
        return
    extensions = pandas.api.extensions
    if not hasattr(pandas.DataFrame, NAME):
        extensions.register_dataframe_accessor(NAME)(FrameAccessor)
    if not hasattr(pandas.Series, NAME):
        extensions.register_series_accessor(NAME)(SeriesAccessor)
