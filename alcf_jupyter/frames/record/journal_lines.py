"""Lines of a run's record: one value each, with a checksum, told apart when damaged.

A line is ``<checksum> <kind> <JSON>`` and a line feed: 8 hexadecimal digits of CRC-32 over
everything behind them, and a letter: ``h`` header, ``r`` row, ``s`` row with a text that is not
Unicode. Checksums of rows start from the run's identity, so that a line of another run never
counts here.
"""

from __future__ import annotations

import json
from typing import Any, Final, Literal
from zlib import crc32

import msgspec

from alcf_jupyter.errors import JournalError
from alcf_jupyter.typed import typed

FORMAT: Final = 1
"""The version of the form; it changes only when an older package would read it wrongly."""

Status = Literal["ok", "truncated", "failed"]


class Vector(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Where a row's embedding is in the vector file, and what it must look like there.

    Parameters
    ----------
    place
        Its row of the matrix.
    width
        Its length.
    crc
        CRC-32 of its bytes.
    """

    place: int
    width: int
    crc: int


class Row(msgspec.Struct, omit_defaults=True, frozen=True, gc=False):  # JSON has no cycles
    """What became of one row; what was sent is not in it.

    Parameters
    ----------
    key
        As `row_keys.keys` gives it.
    status
        ``ok``, ``truncated`` or ``failed``; skipped and pending rows are not recorded.
    reply
        The text of the answer.
    fields
        The fields of a structured answer, a JSON value; a number that is not finite becomes None.
    reason, finish_reason
        Why it failed, and why the model stopped.
    tokens, seconds, attempts
        What it took.
    vector
        Where its embedding is; filled in when it is appended.
    """

    key: str
    status: Status
    reply: str | None = None
    fields: Any = None
    reason: str = ""
    finish_reason: str = ""
    tokens: int | None = None
    seconds: float | None = None
    attempts: int = 1
    vector: Vector | None = None


class Header(msgspec.Struct, omit_defaults=True, frozen=True):
    """What a record is of: its identity, when it was begun, and words for people.

    A record begins with one; where more became known later, another stands further down.

    Parameters
    ----------
    identity
        As `row_keys.identity` gives it.
    created
        Seconds since 1970.
    about
        For listings: kind, model, cluster, the columns that are sent, and as ``last`` what the last
        call came to. Neither prompts nor paths.
    format
        The version of the form.
    """

    identity: str
    created: float
    about: dict[str, Any] = {}
    format: int = 0  # 0 is no format: the number is always written


Line = Row | Header
_header = msgspec.json.Decoder(Header)
_row = msgspec.json.Decoder(Row)
_encode = msgspec.json.Encoder().encode


def seed(identity: str) -> int:
    """Return what the checksums of a run start from."""
    return crc32(identity.encode("utf-8", "surrogatepass"))


def line(value: Line, start: int) -> bytes:
    """Return a value as a line; `start` is the run's `seed`, and not used for a header."""
    kind = b"h" if isinstance(value, Header) else b"r"
    try:
        body = _encode(value)
    except UnicodeEncodeError:  # half a character, which only escapes can hold
        kind, body = b"s", json.dumps(msgspec.to_builtins(value)).encode()
    rest = b" %b %b" % (kind, body)
    return b"%08x%b\n" % (crc32(rest, 0 if kind == b"h" else start), rest)


def parse(raw: bytes, start: int) -> Line | None:
    """Return the value of a line, without its line feed, or None when it is damaged.

    Raises
    ------
    JournalError
        It is a whole header of a form that is not known here.
    """
    rest = raw[8:]
    kind = rest[1:2]
    if raw[:8] != b"%08x" % crc32(rest, 0 if kind == b"h" else start):
        return None
    try:
        if kind == b"r":
            return _row.decode(rest[3:])
        if kind == b"s":
            return msgspec.convert(json.loads(rest[3:]), Row)
        if kind == b"h":
            _check_format(rest[3:])
            return _header.decode(rest[3:])
    except (ValueError, RecursionError):
        pass
    return None


def _check_format(body: bytes) -> None:
    """Refuse other forms; a header of any form is an object that tells its own."""
    header = json.loads(body)
    found = header.get("format", 0) if isinstance(header, dict) else 0
    if isinstance(found, int) and found > FORMAT:
        raise JournalError(
            f"A newer alcf_jupyter wrote this record (format {found}; this one reads {FORMAT}).",
            do="Update:  pip install --upgrade alcf-jupyter",
        )
    if found != FORMAT:
        raise JournalError(
            f"This record has format {found!s:.20}, which is no longer read.",
            do=f"Record it anew:  add {typed(fresh=True)}",
        )
