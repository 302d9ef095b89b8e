"""The colors of a map: the same for its picture and for its widget, on white and on black."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

ONE: Final = "#2f86c5"
CHOSEN: Final = "#e0218a"
NUMBERS: Final = "viridis"
_REST: Final = "#999999"

# strong ones first, so that a few groups are as far apart as can be; readable on both themes
_SHADES: Final = (
    *("#2f86c5", "#e8820c", "#2ca02c", "#e0403f", "#9d6fd0", "#a8644f", "#e377c2", "#b5b521"),
    *("#17becf", "#f2b431", "#7fc97f", "#ff9896", "#6a7fdb", "#c49c94", "#d4589b", "#8c9a3b"),
    *("#7fb8e0", "#c75b12", "#4fa08b", "#b39ddb"),
)


def shades(categories: Sequence[str]) -> list[str]:
    """Return a color for each category; those in parentheses, as ``(other)``, are gray."""
    return [
        _REST if name.startswith("(") else _SHADES[number % len(_SHADES)]
        for number, name in enumerate(categories)
    ]
