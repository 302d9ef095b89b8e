"""Names that were typed, and those that may have been meant."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from alcf_jupyter.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_P = ParamSpec("_P")
_R = TypeVar("_R")

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


def spelled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Return a function that says of a misspelled option which one was meant.

    Its signature is the same. One that hands its options on is returned as it is: who takes them
    says so.

    Parameters
    ----------
    function
        A public one.
    """
    import inspect

    known = inspect.signature(function).parameters
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in known.values()):
        return function

    @wraps(function)
    def checked(*args: _P.args, **options: _P.kwargs) -> _R:
        strange = next((name for name in options if name not in known), None)
        if strange is None:
            return function(*args, **options)
        own = f"alcf.{function.__name__}"
        near = nearest(strange, known)
        raise UsageError(
            f"{own} has no option {strange[:60]!r}.",
            why="" if near or not known else f"It takes: {', '.join(known)}.",
            do=f"Did you mean:  {'  or  '.join(f'{one}=' for one in near)}"
            if near
            else f"See:  help({own})",
        )

    return checked


def _tail(name: str) -> str:
    return name.rsplit("/", 1)[-1].lstrip("-").casefold()
