"""Names that were typed, and those that may have been meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_TELLING = 3
"""A part of a name says which one was meant from so many letters on."""


def nearest(name: str, names: Iterable[str], most: int = 3, *, likeness: float = 0.6) -> list[str]:
    """Return up to `most` of `names` that look like `name`, the nearest first.

    Parameters
    ----------
    name
        What was typed. What many names have in common, such as ``sandbox/`` or ``--``, says
        nothing about which of them was meant, and does not count.
    names
        What there is.
    most
        How many to return.
    likeness
        From 0 to 1; what is less like `name` is not returned.
    """
    from difflib import get_close_matches

    known = list(dict.fromkeys(names))
    by_tail: dict[str, list[str]] = {}
    for one in known:
        by_tail.setdefault(_tail(one), []).append(one)
    tails = get_close_matches(_tail(name), by_tail, n=2 * most, cutoff=likeness)
    found = [one for tail in tails for one in by_tail[tail]]
    if len(_tail(name)) >= _TELLING:
        found += [one for one in known if name.casefold() in one.casefold()]
    return list(dict.fromkeys(found))[:most]


def _tail(name: str) -> str:
    return name.rsplit("/", 1)[-1].lstrip("-").casefold()
