"""The map of embeddings: points to lasso, a search box, and a list of what is chosen."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import numpy as np
import pandas as pd

from alcf_jupyter.errors import AlcfError
from alcf_jupyter.frames.explore import palette
from alcf_jupyter.frames.explore.picture import png
from alcf_jupyter.notebook.widgets import map_shadow
from alcf_jupyter.notebook.widgets.scatter import TOOLS, scatter
from alcf_jupyter.notebook.widgets.theme import Theme
from alcf_jupyter.notebook.widgets.told import Told
from alcf_jupyter.progress import SilentObserver

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from alcf_jupyter.frames.explore.embedding_map import Exploration

NEIGHBORS = 20
_NO_COLOR = "(one color)"
_LIGHT = {
    "background_color": (1, 1, 1, 1),
    "legend_color": (0, 0, 0, 1),
    "tooltip_color": (1, 1, 1, 1),
    "reticle_color": (0, 0, 0, 0.1),
}
_DARK = {
    "background_color": (0.067, 0.067, 0.067, 1),
    "legend_color": (1, 1, 1, 1),
    "tooltip_color": (0.2, 0.2, 0.2, 1),
    "reticle_color": (1, 1, 1, 0.15),
}
_MOST_OPEN = 8
"""A browser draws some sixteen such maps in a page, and takes back the oldest for more."""

_open: list[weakref.ref[Any]] = []


class EmbeddingMap(widgets.VBox):  # type: ignore[misc]
    """A map to look at, to search and to choose from.

    Parameters
    ----------
    exploration
        The points, and what is chosen.
    color
        The column to color by at first.
    hover
        Columns that are shown besides the text of a point.
    height
        In pixels.
    """

    def __init__(
        self,
        exploration: Exploration,
        *,
        color: str | None = None,
        hover: Sequence[str] = (),
        height: int = 480,
    ) -> None:
        self._map = exploration
        self._last_search: tuple[str, int] = ("", 0)
        self._taken = np.empty(0, np.intp)
        self._points = _points(exploration, hover)
        self._scatter = scatter(self._points, list(hover))
        self._theme = Theme()
        self._words = widgets.Text(
            description="Search",
            placeholder="chooses the texts nearest to these words",
            continuous_update=False,
            layout=widgets.Layout(width="28em"),
        )
        self._count = widgets.BoundedIntText(
            NEIGHBORS, min=1, max=10_000, description="Nearest", layout=widgets.Layout(width="11em")
        )
        self._color = widgets.Dropdown(
            options=[_NO_COLOR, *exploration.columns],
            description="Color by",
            layout=widgets.Layout(width="18em"),
        )
        clear = widgets.Button(
            description="Clear", tooltip="Choose nothing", layout=widgets.Layout(width="6em")
        )
        self._told = Told()
        # beside the map where it is wide enough, else below it, where an empty list takes no room
        self._list = widgets.HTML(
            layout=widgets.Layout(
                flex="1 1 16em", min_width="0", max_height=f"{height}px", overflow="auto"
            )
        )
        drawn = self._scatter.show()
        drawn.layout = widgets.Layout(
            flex=f"2 1 calc({height}px + {TOOLS})",
            width="auto",
            min_width="0",
            max_height=f"{height}px",
        )
        super().__init__(
            [
                widgets.HBox(
                    [self._words, self._count, self._color, clear],
                    layout=widgets.Layout(flex_flow="row wrap"),
                ),
                widgets.HBox([drawn, self._list], layout=widgets.Layout(flex_flow="row wrap")),
                self._told,
                self._theme,
            ]
        )
        self.add_class("alcf-map")
        if color is not None:
            self._recolor(color)
            if color not in self._color.options:
                self._color.options = [*self._color.options, color]
            self._color.value = color
        self._words.observe(self._on_search, "value")
        self._count.observe(self._on_search, "value")
        self._color.observe(lambda change: self._recolor(change["new"]), "value")
        self._theme.observe(self._on_theme, "dark")
        self._scatter.widget.observe(self._on_choice, "selection")
        clear.on_click(lambda _button: self.choose([]))
        self._told.say("Drag a lasso around points, or search. What is chosen is in  .selection")
        _keep_few(self)

    def __repr__(self) -> str:
        return f"<{map_shadow.title(self._map)}>"

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        """Add the picture, for places where widgets are not: GitHub, docs, an exported page."""
        bundle: dict[str, Any] = super()._repr_mimebundle_(**options) or {}
        picture = self.picture()
        shadow = map_shadow.html(self._map, picture)
        return {**bundle, "text/plain": repr(self), "text/html": shadow, "image/png": picture}

    @property
    def selection(self) -> pd.DataFrame:
        """The rows that are chosen on the map, with all their columns and their index."""
        return self._map.selection

    @property
    def frame(self) -> pd.DataFrame:
        """The frame that is shown, with ``x`` and ``y``."""
        return self._map.frame

    def picture(self) -> bytes:
        """Return the map as it is colored and chosen now, as a PNG."""
        shown = self._color.value
        return png(self._map, None if shown == _NO_COLOR else shown)

    def choose(self, points: Sequence[int] | NDArray[Any]) -> None:
        """Choose points by their numbers on the map."""
        self._scatter.selection(np.asarray(points, np.uint32))

    def search(self, query: str, k: int = NEIGHBORS) -> pd.DataFrame:
        """Choose the texts nearest to a query, and return their rows, the nearest first.

        Parameters
        ----------
        query
            Words, which the frame's own model embeds.
        k
            How many.

        Raises
        ------
        AlcfError
            As `neighbors` raises it; a model that is not Live is not waited for.
        """
        found = self._map.search(query, k, SilentObserver())
        self._take(found)
        self.choose(found)
        self._told.say(
            f"The {len(found):,} texts nearest to “{query}” are chosen, the nearest first."
        )
        return self.selection

    def _on_search(self, _change: object) -> None:
        asked = (self._words.value.strip(), self._count.value)
        if not asked[0] or asked == self._last_search:
            return
        self._last_search = asked
        self._told.say("Searching …")
        try:
            self.search(*asked)
        except AlcfError as error:
            self._told.say(str(error))

    def _on_choice(self, change: dict[str, Any]) -> None:
        points = np.sort(np.asarray([] if change["new"] is None else change["new"], np.intp))
        if np.array_equal(points, np.sort(self._taken)):  # chosen by a search, in its own order
            return
        self._take(points)
        count = "1 text is" if len(points) == 1 else f"{len(points):,} texts are"
        self._told.say(f"{count} chosen: in  .selection" if len(points) else "Nothing is chosen.")

    def _on_theme(self, change: dict[str, Any]) -> None:
        # not Scatter.background, which sets a color of the axes, too: that draws them
        for name, color in (_DARK if change["new"] else _LIGHT).items():
            setattr(self._scatter.widget, name, color)

    def _take(self, points: NDArray[np.intp]) -> None:
        self._taken = points
        self._map.choose(points)
        self._list.value = map_shadow.listing(self._map)

    def _recolor(self, name: str) -> None:
        if name == _NO_COLOR:
            self._scatter.color(default=palette.ONE, by=None)
            self._scatter.legend(legend=False)
            return
        column = f"color {name}"
        if column not in self._points:
            self._points[column] = self._map.colors(name)
        values = self._points[column]
        if isinstance(values.dtype, pd.CategoricalDtype):
            names = list(values.cat.categories)
            colors: Any = dict(zip(names, palette.shades(names), strict=True))
        else:
            colors = palette.NUMBERS
        self._scatter.color(by=column, map=colors)
        self._scatter.widget.color_title = name
        self._scatter.legend(legend=True)


def _points(exploration: Exploration, hover: Sequence[str]) -> pd.DataFrame:
    places = exploration.places
    columns = {"x": places[:, 0], "y": places[:, 1], "text": exploration.texts()}
    return pd.DataFrame(columns | {name: exploration.texts(column=name) for name in hover})


def _keep_few(made: EmbeddingMap) -> None:
    """Close the oldest maps, before the browser stops drawing one that is looked at."""
    _open[:] = [ref for ref in _open if ref() is not None]
    _open.append(weakref.ref(made))
    while len(_open) > _MOST_OPEN:
        oldest = _open.pop(0)()
        if oldest is not None:
            oldest._scatter.widget.close()  # noqa: SLF001 - of its own kind
