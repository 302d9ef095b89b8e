"""What the service takes in one request, and how often it may be asked.

Each figure was read in the gateway's source or measured on a running copy of it (2026-05-29); the
public guide's differ where noted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from alcf_jupyter.errors import TooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_BODY_BYTES = 2_621_440
"""A larger body gets a 500 without a reason. The guide says 10 MB."""

SAFE_BODY_BYTES = 2_000_000
"""What packed requests stay under, so that no rounding or header comes near the limit."""

MAX_INPUTS = 2_048
"""Texts in one embeddings request."""

MAX_STOPS = 4
"""Stop sequences in one request."""

REQUESTS_PER_SECOND = 9.2
"""The most we send; the gateway refuses at 10 a second and user, over all of a user's kernels."""

TOKENS_PER_MINUTE_USER = 60_000
"""The gateway's default for one user and model, in a fixed window of 60 s; what is deployed is not
told, nor what all users of a model are granted together (100,000 by default)."""

JOBS_CACHE_SECONDS = 60.0
"""The gateway answers ``/jobs`` from a cache this old; asking more often tells nothing new."""

IDENTITY_CACHE_SECONDS = 60.0
"""For so long the gateway repeats that it could not check a token, without checking it again."""

BYTES_PER_TOKEN = 4
"""About, of an English text: a rule of thumb, no figure of the service."""

BLOCKING_SECONDS = 300.0
"""How long the gateway waits for a model before it answers 408."""

COLD_START_MINUTES = (10, 15)
"""What loading a model on Sophia takes, as the guide says."""

WARM_UP_WINDOW_SECONDS = 600.0
"""For so long after a first request the gateway refuses others to a model that is loading."""


def tokens_in(text: str) -> int:
    """Return about how many tokens a text has, by its length."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)


def check_body(size: int, limit: int = MAX_BODY_BYTES) -> None:
    """Raise if a body of `size` bytes is more than the service takes.

    Raises
    ------
    TooLargeError
        The body is larger than `limit` bytes.
    """
    if size > limit:
        raise TooLargeError(
            f"This request is {size:,} bytes; the service takes {limit:,} at most.",
            why="Nothing was sent.",
            do="Send a shorter text or fewer items at once.",
        )


def pack(
    sizes: Sequence[int], max_items: int = MAX_INPUTS, max_bytes: int = SAFE_BODY_BYTES
) -> Iterator[range]:
    """Cut a list of items into consecutive requests.

    Parameters
    ----------
    sizes
        Bytes of each item as it will be sent.
    max_items, max_bytes
        What one request holds at most. An item larger than `max_bytes` goes alone.

    Yields
    ------
    range
        Positions of the items of one request; together they cover every item once, in order.
    """
    start, weight = 0, 0
    for position, size in enumerate(sizes):
        if position > start and (position - start >= max_items or weight + size > max_bytes):
            yield range(start, position)
            start, weight = position, 0
        weight += size
    if len(sizes) > start:
        yield range(start, len(sizes))
