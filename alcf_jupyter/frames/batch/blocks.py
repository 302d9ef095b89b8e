"""Lines of a batch's results to rows: many at once in Arrow, and one by one what is unusual."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from alcf_jupyter.frames import tables
from alcf_jupyter.frames.batch.lines import OK, Outcome, read_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_TEXT: Final = pa.large_string()
TOKENS: Final = ("prompt_tokens", "completion_tokens", "total_tokens")
ROWS: Final = pa.schema(
    [
        ("line", pa.int64()),
        *((name, _TEXT) for name in ("custom_id", "status", "reason", "reply", "reasoning")),
        ("finish_reason", _TEXT),
        ("item", pa.int64()),
        ("embedding", pa.list_(pa.float32())),
        ("model", _TEXT),
        *((name, pa.int64()) for name in TOKENS),
    ]
)
"""What is known of a line; one with several vectors is several rows, whose `item` counts them."""

# The answer to a chat as vLLM writes it. A null type is a demand, too: where there is anything, the
# line is none of these.
_MESSAGE: Final = pa.struct(
    [(name, _TEXT) for name in ("content", "reasoning_content", "reasoning")]
)
_BODY: Final = pa.struct(
    [
        ("id", _TEXT),
        ("object", _TEXT),
        ("model", _TEXT),
        ("choices", pa.list_(pa.struct([("message", _MESSAGE), ("finish_reason", _TEXT)]))),
        ("usage", pa.struct([(name, pa.int64()) for name in TOKENS])),
        ("error", pa.null()),
    ]
)
_LINE: Final = pa.schema(
    [
        ("custom_id", _TEXT),
        ("response", pa.struct([("status_code", pa.int64()), ("body", _BODY)])),
        ("error", pa.null()),
    ]
)
_AS_A_CHAT: Final = pyarrow.json.ParseOptions(
    explicit_schema=_LINE, unexpected_field_behavior="ignore"
)
_NO_ERROR: Final = b'"error":null}'
_NEWLINE: Final = 10
_BRACE: Final = 123
_FEW: Final = 16


class Block(NamedTuple):
    """The rows of some lines, how many lines those are, and the numbers of bad ones among them."""

    rows: pa.Table
    lines: int
    bad: list[int]


def read_block(block: memoryview) -> Block:
    """Read whole lines, numbered from 0.

    Parameters
    ----------
    block
        Lines, the last with or without its end; not empty.
    """
    letters = np.frombuffer(block, np.uint8)
    starts = np.flatnonzero(letters == _NEWLINE) + 1
    starts = np.concatenate([[0], starts[starts < len(letters)]])
    count = len(starts)
    # Arrow's reader passes over empty lines, and takes two objects in one line for two
    is_plain = bool((letters[starts] == _BRACE).all())
    table = _parsed(block, count) if is_plain else None
    if table is not None:
        usual, others = _sorted_out(table, np.arange(count))
        if not len(others):
            return Block(usual, count, [])
        parts, rest = [usual], others.tolist()
        lines = bytes(block).split(b"\n")
    else:
        lines = bytes(block).split(b"\n")[:count]
        # what failed is told at a line's end; what else is odd is found by halving
        plain = np.array([line[:1] == b"{" and line.endswith(_NO_ERROR) for line in lines])
        rest = np.flatnonzero(~plain).tolist()
        parts = list(_halved(lines, np.flatnonzero(plain), rest))
    return _joined(parts, lines, rest, count)


def _parsed(block: memoryview, count: int) -> pa.Table | None:
    """Return lines as Arrow reads them; None where one of them is not of the usual form."""
    options = pyarrow.json.ReadOptions(use_threads=False, block_size=len(block) + 1)
    try:
        table = pyarrow.json.read_json(pa.BufferReader(pa.py_buffer(block)), options, _AS_A_CHAT)
        if len(table) != count:
            return None
        table.validate(full=True)  # Arrow's reader takes bytes for UTF-8 unseen
    except (pa.ArrowException, UnicodeDecodeError):
        return None
    return table


def _halved(lines: list[bytes], numbers: NDArray[np.int64], rest: list[int]) -> Iterator[pa.Table]:
    """Yield the rows of the lines that Arrow reads, and add the numbers of the others to `rest`."""
    if not len(numbers):
        return
    joined = b"\n".join([lines[n] for n in numbers])
    table = _parsed(memoryview(joined), len(numbers))
    if table is not None:
        usual, others = _sorted_out(table, numbers)
        yield usual
        rest += others.tolist()
    elif len(numbers) <= _FEW:
        rest += numbers.tolist()
    else:
        middle = len(numbers) // 2
        yield from _halved(lines, numbers[:middle], rest)
        yield from _halved(lines, numbers[middle:], rest)


def _sorted_out(table: pa.Table, numbers: NDArray[np.int64]) -> tuple[pa.Table, NDArray[np.int64]]:
    """Return the rows of the lines that hold a whole answer to a chat, and all others' numbers.

    The rules are those of `dialect.read_chat` and `dialect.Answer.complete`.
    """
    response, custom_ids = _whole(table["response"]), _whole(table["custom_id"])
    body = pc.struct_field(response, "body")
    choices = pc.struct_field(body, "choices")
    is_answer = _all(
        pc.is_valid(custom_ids),
        pc.equal(pc.struct_field(response, "status_code"), 200),
        pc.equal(pc.struct_field(body, "object"), "chat.completion"),
        pc.not_equal(pc.fill_null(pc.struct_field(body, "id"), ""), "chatcmpl-api-error"),
        pc.greater(pc.list_value_length(choices), 0),
    )
    columns, kept = _kept([custom_ids, body, choices], numbers, is_answer)
    custom_ids, body, choices = columns
    choice = _first(choices)
    message, finish = (pc.struct_field(choice, name) for name in ("message", "finish_reason"))
    content = pc.struct_field(message, "content")
    is_whole = _all(pc.equal(finish, "stop"), pc.greater(pc.binary_length(content), 0))
    columns, kept = _kept([custom_ids, body, message, content, finish], kept, is_whole)
    custom_ids, body, message, content, finish = columns
    thoughts = [pc.struct_field(message, name) for name in ("reasoning_content", "reasoning")]
    usage = pc.struct_field(body, "usage")
    rows = pa.table(
        {
            "line": kept,
            "custom_id": custom_ids,
            "status": _same(OK, len(kept)),
            "reason": _same("", len(kept)),
            "reply": content,
            "reasoning": pc.coalesce(*thoughts),
            "finish_reason": finish,
            "item": np.zeros(len(kept), np.int64),
            "embedding": pa.nulls(len(kept), ROWS.field("embedding").type),
            "model": pc.fill_null(pc.struct_field(body, "model"), ""),
            **{name: pc.struct_field(usage, name) for name in TOKENS},
        },
        ROWS,
    )
    return rows, np.setdiff1d(numbers, kept, assume_unique=True)


def _kept(
    columns: list[pa.Array], numbers: NDArray[np.int64], mask: pa.Array
) -> tuple[list[pa.Array], NDArray[np.int64]]:
    """Return what `mask` keeps; where that is all, nothing is copied."""
    if pc.all(mask).as_py() is not False:
        return columns, numbers
    return [column.filter(mask) for column in columns], numbers[mask.to_numpy(zero_copy_only=False)]


def _all(*conditions: pa.Array) -> pa.Array:
    return pc.fill_null(functools.reduce(pc.and_kleene, conditions), fill_value=False)


def _first(choices: pa.Array) -> pa.Array:
    """Return the first choice of each line; each has one at least."""
    flat = choices.flatten()
    return flat if len(flat) == len(choices) else pc.list_element(choices, 0)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _same(text: str, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(text, _TEXT), count)


def _joined(parts: list[pa.Table], lines: list[bytes], rest: list[int], count: int) -> Block:
    """Read the lines in `rest` one by one and put all rows into the order of their lines."""
    others = [outcome for n in rest for outcome in read_line(lines[n], n)]
    table = pa.concat_tables([*parts, _table(others)])
    order = np.argsort(table["line"].to_numpy(), kind="stable")
    bad = sorted(one.line for one in others if not one.readable)
    return Block(table.take(pa.array(order)), count, bad)


def _table(outcomes: list[Outcome]) -> pa.Table:
    columns = {
        name: [getattr(one.usage if name in TOKENS else one, name) for one in outcomes]
        for name in ROWS.names
    }
    texts = {one.name: tables.whole(columns[one.name]) for one in ROWS if one.type == _TEXT}
    return pa.table(columns | texts, ROWS)
