"""The embedder: hashed words and letter groups, so that similar texts lie near each other.

Everything up to the last division is integer arithmetic, so vectors are the same to the last bit
on every machine.
"""

from __future__ import annotations

import base64
import re
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from .summary import STOP_WORDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WORD = re.compile(r"[^\W_]+")
# Words say more about a text than letter groups; those make "catalyst" and "catalysis" neighbours.
_WORD_WEIGHT = 6
_PAIR_WEIGHT = 4
_LETTERS_WEIGHT = 1
_GROUP = 4
# A feature stands in several places, so that a short text fills its vector as a model would.
_PLACES = 12
_MIX = np.uint64(0x9E3779B97F4A7C15)
_MIX2 = np.uint64(0xBF58476D1CE4E5B9)
_BASE = np.uint64(1_000_003)


def embed(texts: list[str], dimensions: int) -> NDArray[np.float32]:
    """Return one L2-normalised vector per text, shape ``(len(texts), dimensions)``."""
    made = np.empty((len(texts), dimensions), dtype=np.float32)
    for row, text in enumerate(texts):
        made[row] = _embed_one(text, dimensions)
    return made


def _embed_one(text: str, dimensions: int) -> NDArray[np.float32]:
    words = _WORD.findall(text.lower())
    telling = [word for word in words if word not in STOP_WORDS] or words
    hashes = [zlib.crc32(word.encode("utf-8", "replace")) for word in telling]
    pairs = [(first * 31 + second) & 0xFFFFFFFF for first, second in zip(hashes, hashes[1:])]  # noqa: B905, RUF007
    parts = [
        _features(np.array(hashes, dtype=np.uint64), _WORD_WEIGHT, 1),
        _features(np.array(pairs, dtype=np.uint64), _PAIR_WEIGHT, 2),
        _features(_letter_groups(" ".join(telling)), _LETTERS_WEIGHT, 3),
    ]
    keys = np.concatenate([key for key, _ in parts])
    weights = np.concatenate([weight for _, weight in parts])
    if not len(keys):
        # An empty text has a direction too: a vector of zeros could not be normalised.
        keys, weights = np.zeros(1, dtype=np.uint64), np.ones(1, dtype=np.int64)
    first = int(keys[0] % np.uint64(dimensions))
    sums = np.zeros(dimensions)
    for _ in range(_PLACES):
        signs = 1 - 2 * ((keys >> np.uint64(40)) & np.uint64(1)).astype(np.int64)
        places = (keys % np.uint64(dimensions)).astype(np.intp)
        # whole numbers, far below 2**53: their sums are exact
        sums += np.bincount(places, signs * weights, dimensions)
        keys = _mixed(keys)
    if not sums.any():
        sums[first] = 1
    length = float((sums * sums).sum()) ** 0.5
    made: NDArray[np.float32] = (sums / length).astype(np.float32)
    return made


def _features(
    hashes: NDArray[np.uint64], weight: int, salt: int
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the distinct features, well mixed, each with its integer weight."""
    keys, counts = np.unique(hashes, return_counts=True)
    with np.errstate(over="ignore"):
        keys = keys + np.uint64(salt)
    keys = _mixed(keys)
    # The square root of the count: a word said nine times weighs three times as much, not nine.
    return keys, np.floor(np.sqrt(counts * 256.0)).astype(np.int64) * weight


def _mixed(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        keys = keys * _MIX
        keys = (keys ^ (keys >> np.uint64(31))) * _MIX2
    return keys ^ (keys >> np.uint64(29))


def _letter_groups(text: str) -> NDArray[np.uint64]:
    letters = np.frombuffer(f" {text} ".encode("utf-32-le", "replace"), dtype=np.uint32)
    letters = letters.astype(np.uint64)
    if len(letters) < _GROUP:
        return np.zeros(0, dtype=np.uint64)
    groups = np.zeros(len(letters) - _GROUP + 1, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for place in range(_GROUP):
            groups = groups * _BASE + letters[place : place + len(groups)]
    return groups


def rows(vectors: NDArray[np.float32], encoding: str) -> list[Any]:
    """Return the vectors as the service sends them: lists of numbers, or base64 of float32."""
    if encoding == "base64":
        return [base64.b64encode(vector.astype("<f4").tobytes()).decode() for vector in vectors]
    return [vector.tolist() for vector in vectors]
