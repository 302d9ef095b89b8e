"""Keys of rows: what would be sent decides which recorded answer belongs to a row."""

from __future__ import annotations

import json
from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

_SIZE = 16
"""Bytes of a hash: with 2**64 rows two would still hardly ever meet."""


def identity(**shared: Any) -> str:
    """Return the identity of a run: a hash of all that its rows have in common.

    Parameters
    ----------
    **shared
        Whatever decides an answer besides the row: kind, service, model, parameters, template.
        Each is a JSON value; the order of the keys in a mapping does not matter.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    return blake2b(_canonical(shared), digest_size=_SIZE).hexdigest()


def keys(payloads: Iterable[Any], run: str = "") -> list[str]:
    """Return the key of every row: a hash of what would be sent, and the how-many-eth it is.

    Neither the place nor the label of a row counts: rows put in between, taken out or sorted
    differently keep their keys. Equal rows share a hash and are numbered in their order.

    Parameters
    ----------
    payloads
        What each row would send: text, bytes or a JSON value; None where nothing would be sent.
    run
        The run's `identity`, so that no row of another run has the same key.

    Returns
    -------
    list of str
        As many as there are payloads; ``""`` for None.
    """
    seed = blake2b(run.encode(), digest_size=_SIZE)
    seen: Counter[str] = Counter()
    found: list[str] = []
    for payload in payloads:
        if payload is None:
            found.append("")
            continue
        digest = seed.copy()
        digest.update(_canonical(payload))
        key = digest.hexdigest()
        count = seen[key]
        seen[key] = count + 1
        found.append(f"{key}.{count}" if count else key)
    return found


def _canonical(value: Any) -> bytes:
    """Return bytes that are equal for equal values only; the first tells the type."""
    if isinstance(value, str):
        return b"s" + value.encode("utf-8", "surrogatepass")
    if isinstance(value, bytes):
        return b"b" + value
    try:
        return b"j" + msgspec.json.encode(value, order="sorted")
    except UnicodeEncodeError:  # half a character somewhere; such a row fails later, by itself
        return b"J" + json.dumps(value, sort_keys=True).encode()
