"""A map of embeddings as a picture, for places where nothing can be clicked."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from alcf_jupyter.frames.explore import palette
from alcf_jupyter.frames.extras import MAP, needed

if TYPE_CHECKING:
    from alcf_jupyter.frames.explore.embedding_map import Exploration

_INCHES = (7.0, 4.6)
_DPI = 100
_COLORS = 128


def png(map_: Exploration, color: str | None = None) -> bytes:
    """Draw a map with matplotlib; the same map gives the same bytes.

    Parameters
    ----------
    map_
        The points, and which of them are chosen: these have a ring.
    color
        The column to color by.

    Raises
    ------
    UsageError
        matplotlib is not installed, or there is no such column.
    """
    figure = needed("matplotlib.figure", "A picture of the map", MAP).Figure(
        figsize=_INCHES, dpi=_DPI, layout="constrained", facecolor="white"
    )
    axes = figure.subplots()
    size = float(np.clip(20_000 / max(len(map_.shown), 1), 1, 30))
    style = {"s": size, "linewidths": 0, "alpha": 0.75, "rasterized": True}
    x, y = map_.places.T
    values = None if color is None else map_.colors(color)
    if values is None:
        axes.scatter(x, y, color=palette.ONE, **style)
    elif isinstance(values.dtype, pd.CategoricalDtype):
        names = list(values.cat.categories)
        for name, shade in zip(names, palette.shades(names), strict=True):
            mine = (values == name).to_numpy()
            axes.scatter(x[mine], y[mine], color=shade, label=_label(name), **style)
        axes.legend(
            title=_label(color or ""),
            loc="upper left",
            bbox_to_anchor=(1, 1),
            frameon=False,
            fontsize="small",
            markerscale=float(np.sqrt(30 / size)),
        )
    else:
        drawn = axes.scatter(x, y, c=values.to_numpy(), cmap=palette.NUMBERS, **style)
        figure.colorbar(drawn, label=_label(color or ""))
    chosen = np.isin(map_.shown, map_.chosen)
    axes.scatter(x[chosen], y[chosen], s=3 * size, facecolors="none", edgecolors="black")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    drawn_to = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # letters that its font does not have
        figure.savefig(drawn_to, format="png", metadata={"Software": None})
    return _smaller(drawn_to.getvalue())


def _smaller(drawn: bytes) -> bytes:
    """Return a PNG with a palette: a third of the size, in every notebook it is stored in."""
    from PIL import Image

    made = io.BytesIO()
    flat = Image.open(io.BytesIO(drawn)).convert("RGB")
    flat.quantize(_COLORS, dither=Image.Dither.NONE).save(made, "PNG", optimize=True)
    return made.getvalue()


def _label(name: str) -> str:
    """Return a name as matplotlib shows it as it is: no formula, and not hidden."""
    plain = name.replace("$", r"\$")
    return f" {plain}" if plain.startswith("_") else plain
