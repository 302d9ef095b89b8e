"""The drawing of a map: jupyter-scatter, whose style stays within it and which fits its place."""

from __future__ import annotations

import re
from types import FunctionType
from typing import TYPE_CHECKING, Any

import jscatter
import numpy as np
import traitlets
from jscatter.widget import JupyterScatter

from alcf_jupyter.frames.explore import palette

if TYPE_CHECKING:
    import pandas as pd

_CLASS = "alcf-scatter"
TOOLS = "2.25rem"
"""How wide the column of tools beside the drawing is."""

# Its sheet gives a line's height to the whole page. The points fit the drawing's height: so it is
# never higher than wide; the tools stand beside it.
_FITS = f"""
.{_CLASS} {{ line-height: 1.5; container-type: inline-size; }}
.{_CLASS} > div {{ max-height: inherit; }}
.{_CLASS} > div:not(:fullscreen) > div + div,
.{_CLASS} > div:not(:fullscreen) > div + div > div:last-child {{
  height: calc(100cqw - {TOOLS}) !important;
  max-height: inherit;
}}
"""


def within(css: str, place: str) -> str:
    """Return a style sheet that styles only what lies within an element.

    Parameters
    ----------
    css
        The sheet.
    place
        A selector of the element; what the sheet says of the whole page is said of it.
    """
    # these are known to the whole page wherever they stand, and nowhere but at the top
    properties = r"@property\s[^}]*\}"
    rules = re.sub(r":root\b", "&", re.sub(properties, "", css))
    return "\n".join([*re.findall(properties, css), f"{place} {{", rules, "}"])


class Drawing(JupyterScatter):  # type: ignore[misc]
    """The widget of jupyter-scatter; its own style sheet restyles the whole page."""

    _css = within(str(JupyterScatter._css), f".{_CLASS}") + _FITS  # noqa: SLF001 - no other way
    # "auto" is that of the element, as for its width
    height = traitlets.Union([traitlets.Int(), traitlets.Enum(["auto"])]).tag(sync=True)


_its: Any = jscatter.Scatter.widget.fget


class Scatter(jscatter.Scatter):  # type: ignore[misc]
    """A scatter that is drawn by `Drawing`: jupyter-scatter has no option for that."""

    widget = property(
        FunctionType(_its.__code__, {**_its.__globals__, JupyterScatter.__name__: Drawing})
    )


def scatter(points: pd.DataFrame, hover: list[str]) -> Scatter:
    """Return the points as a drawing with a lasso, in which a text is shown above its point.

    Parameters
    ----------
    points
        With ``x``, ``y`` and ``text``.
    hover
        Columns that are shown besides the text.
    """
    made = Scatter(data=points, x="x", y="y")
    for axis, (low, high) in zip((made.x, made.y), _window(points), strict=True):
        axis(scale=(low, high))
    made.size(default=int(np.clip(120 / len(points) ** 0.4, 2, 9)))
    made.color(default=palette.ONE, selected=palette.CHOSEN, hover=palette.CHOSEN)
    made.axes(axes=False)  # the directions of a map mean nothing
    made.mouse("lasso")
    made.tooltip(
        enable=True,
        properties=hover,
        preview="text",
        preview_type="text",
        histograms=False,
        size="small",
    )
    made.widget.tooltip_preview_text_lines = 6
    made.widget.height = "auto"
    made.widget.add_class(_CLASS)
    return made


def _window(points: pd.DataFrame) -> list[tuple[float, float]]:
    """Return the part of the plane to show: equal lengths look equal, and there is a margin."""
    low, high = points[["x", "y"]].min(), points[["x", "y"]].max()
    half = max(float((high - low).max()), 1e-6) * 0.54
    return [(float(middle) - half, float(middle) + half) for middle in (low + high) / 2]
