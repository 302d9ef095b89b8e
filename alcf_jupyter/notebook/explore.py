"""Exploring embeddings: a map to click where widgets are, a picture where they are not."""

from __future__ import annotations

from collections.abc import Hashable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pandas as pd

from alcf_jupyter import progress
from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.explore.embedding_map import Exploration
from alcf_jupyter.frames.explore.picture import png
from alcf_jupyter.frames.explore.projection import project
from alcf_jupyter.frames.extras import MAP
from alcf_jupyter.names import nearest
from alcf_jupyter.notebook.widgets import map_shadow
from alcf_jupyter.plain import brief
from alcf_jupyter.typed import here

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alcf_jupyter.notebook.widgets.embedding_map import EmbeddingMap


def explore(
    emb: pd.DataFrame,
    color: str | None = None,
    *,
    text: str = "text",
    hover: str | Sequence[str] = (),
    method: str = "pca",
    seed: int = 0,
    height: int = 480,
) -> EmbeddingMap | MapPicture:
    """Show an embedding frame as a map to look at, to search and to choose from.

    Drag a lasso around points, or search for words: ``view.selection`` is a DataFrame of the rows
    that are chosen. Move the pointer over a point to read it.

    Parameters
    ----------
    emb
        What `embed` returned, with any columns added. Where it has ``x`` and ``y`` already, from
        `project`, these are its places.
    color
        The column to color by; its groups where it has some, from `group`.
    text
        The column that is shown for a point.
    hover
        Columns that are shown besides it.
    method, seed
        How the places are found; see `project`.
    height
        Of the map, in pixels.

    Returns
    -------
    EmbeddingMap or MapPicture
        As the last line of a cell it shows itself. Its `selection` is the rows chosen, `frame` the
        frame with ``x`` and ``y``, `picture()` a PNG; `search(words)` chooses as the box does.
        Without jupyter-scatter it is a picture only, and says what to install.

    Raises
    ------
    UsageError
        It is no embedding frame, there is no such column, or no row has a place.
    """
    shown = [hover] if isinstance(hover, str) else list(hover)
    frame = emb
    if not isinstance(emb, pd.DataFrame) or not {"x", "y"} <= set(emb):
        frame = project(emb, method, seed=seed)
    asked = [text] if text != "text" else []
    _check(frame, [*shown, *asked, *([] if color is None else [color])])
    if color is None and "group" in frame:
        color = "group"
    exploration = Exploration(frame, text)
    if not len(exploration.shown):
        raise UsageError("No row has a place on the map.", do="Type:  alcf.explore(emb)")
    if find_spec("jscatter") is None or find_spec("ipywidgets") is None:
        return MapPicture(exploration, color)
    from alcf_jupyter.notebook.widgets.embedding_map import EmbeddingMap

    return EmbeddingMap(exploration, color=color, hover=shown, height=height)


class MapPicture:
    """A map that cannot be clicked, for want of jupyter-scatter.

    Parameters
    ----------
    exploration
        The points.
    color
        The column to color by.
    """

    def __init__(self, exploration: Exploration, color: str | None) -> None:
        self._map = exploration
        self._color = color
        self._png = png(exploration, color)
        says = f"This is a picture. For a map to search and to choose from:  %{MAP}"
        progress.on_stderr().note(here(says))

    def __repr__(self) -> str:
        return f"<{map_shadow.title(self._map)}, a picture>"

    def _repr_mimebundle_(self, **_options: Any) -> dict[str, Any]:
        shadow = map_shadow.html(self._map, self._png)
        return {"text/plain": repr(self), "text/html": shadow, "image/png": self._png}

    @property
    def frame(self) -> pd.DataFrame:
        """The frame that is shown, with ``x`` and ``y``."""
        return self._map.frame

    @property
    def selection(self) -> pd.DataFrame:
        """The rows that are chosen, with all their columns and their index."""
        return self._map.selection

    def picture(self) -> bytes:
        """Return the map as a PNG."""
        return self._png

    def search(self, query: str, k: int = 20) -> pd.DataFrame:
        """Choose the texts nearest to a query, and return their rows, the nearest first.

        Parameters
        ----------
        query
            Words, which the frame's own model embeds.
        k
            How many.
        """
        self._map.choose(self._map.search(query, k, progress.SilentObserver()))
        self._png = png(self._map, self._color)
        return self.selection


def _check(frame: pd.DataFrame, names: list[str]) -> None:
    for name in names:
        if not isinstance(name, Hashable):
            raise UsageError(
                f"One column is named here, and {brief(repr(name), 60)} is none.",
                do=f"Write its name, one of:  {brief(list(frame), 200)}",
            )
        if name not in frame:
            near = nearest(str(name), [str(column) for column in frame])
            raise UsageError(
                f"There is no column {name!r}.",
                do=f"Did you mean:  {near[0]!r}" if near else f"There are:  {list(frame)}",
            )
