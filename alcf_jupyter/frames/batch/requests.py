"""A table as the lines of a batch: what all of them share is encoded once."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, Final

import msgspec

from alcf_jupyter.connection.call import write_json
from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames import tables
from alcf_jupyter.frames.tables import Unfit
from alcf_jupyter.plain import counted
from alcf_jupyter.prompt.column_template import parse
from alcf_jupyter.prompt.parameters import CHAT_PARAMETERS, check_system, given
from alcf_jupyter.service.batches import CHAT_URL, EMBED_URL
from alcf_jupyter.service.limits import BYTES_PER_TOKEN, SAFE_BODY_BYTES, tokens_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from alcf_jupyter.prompt.schema import Schema

KINDS: Final = {"chat": CHAT_URL, "embed": EMBED_URL}
"""What a batch asks for, and where it goes."""

_HEAD: Final = b'{"custom_id":"row-'
CHUNK: Final = 1_000
_encode: Final = msgspec.json.Encoder().encode
_join: Final = "".join
_HERE: Final = "\x00the text of a row\x00"


@dataclass(frozen=True, slots=True)
class Requests:
    """The rows of a table as requests.

    Attributes
    ----------
    kind
        ``"chat"`` or ``"embed"``.
    texts
        What each row asks, as JSON, or why nothing is sent for it.
    body
        What all requests share.
    """

    kind: str
    texts: list[bytes | Unfit]
    body: dict[str, Any]

    @property
    def positions(self) -> list[int]:
        """The rows that are sent."""
        return [at for at, text in enumerate(self.texts) if type(text) is bytes]

    @property
    def unsent(self) -> str:
        """The rows that are not sent, in words."""
        found = Counter(text.status for text in self.texts if isinstance(text, Unfit))
        told = ", ".join(tables.not_sent(found))
        return f"Of {counted(len(self.texts), 'row')}: {told}." if told else ""

    def taking(self, files: int) -> str:
        """Return in words what these requests take, in so many files."""
        sent = [len(text) for text in self.texts if type(text) is bytes]
        shared = sum(tokens_in(one["content"]) for one in self.body.get("messages", [])[:-1])
        tokens = sum(sent) // BYTES_PER_TOKEN + shared * len(sent)
        parts = [f"{counted(len(sent), 'row')} to submit", f"about {tokens:,} tokens in"]
        if most := self.body.get("max_tokens") or self.body.get("max_completion_tokens"):
            parts.append(f"up to {most * len(sent):,} out")
        if files > 1:
            parts.append(f"{files:,} files, each a batch")
        return " · ".join(parts)

    def lines(self, positions: Sequence[int]) -> Iterator[bytes]:
        """Yield the lines of rows, many at a time; the custom id carries the row."""
        left, right = write_json(self.body).split(write_json(_HERE))
        left = b'","method":"POST","url":"' + KINDS[self.kind].encode() + b'","body":' + left
        between = b"".join((right, b"}\n", _HEAD))
        yield _HEAD[: len(_HEAD) * bool(positions)]
        for start in range(0, len(positions), CHUNK):
            some = positions[start : start + CHUNK]
            ids, texts = map(b"%d".__mod__, some), map(self.texts.__getitem__, some)
            # nothing here runs row by row in Python
            rows: Any = zip(ids, repeat(left), texts, repeat(between), strict=False)
            joined = b"".join(chain.from_iterable(rows))
            is_last = start + CHUNK >= len(positions)
            yield joined[: -len(_HEAD)] if is_last else joined


def requests(
    table: pd.DataFrame,
    template: str | None,
    *,
    kind: str,
    model: str,
    system: str | None,
    schema: Schema | None,
    params: dict[str, Any],
) -> Requests:
    """Return what each row of a table asks.

    Raises
    ------
    UsageError, TemplateError
        Something cannot be sent, or would be refused.
    """
    if kind not in KINDS:
        raise UsageError(
            f"There is no kind of batch {kind!r}.", do="It is kind='chat' or kind='embed'."
        )
    if not len(table):
        raise UsageError("The table has no rows.", do="Look at:  len(df)")
    texts = _texts(table, _template(table, template, kind))
    if not any(isinstance(text, bytes) for text in texts):
        first = texts[0]
        why = first.reason if isinstance(first, Unfit) else ""
        raise UsageError("No row of the table can be sent.", why=why, do="Look at the columns.")
    body = _embed_body(params) if kind == "embed" else _chat_body(system, schema, params)
    if kind == "embed" and (system is not None or schema is not None):
        raise UsageError("Embeddings take no system= and no schema=.", do="Leave them out.")
    return Requests(kind, texts, {"model": model, **body})


def _template(table: pd.DataFrame, template: str | None, kind: str) -> str:
    if template is not None:
        return template
    if len(table.columns) == 1 or kind == "embed":
        return f"{{{{{table.columns[0]}}}}}"
    raise UsageError(
        "A batch of chats needs a prompt.",
        do="Write:  alcf.submit_batch(df, 'Classify: {{title}}')",
    )


def _texts(table: pd.DataFrame, template: str) -> list[Any]:
    made = parse(template, list(table.columns))
    unfit: dict[int, Unfit] = {}
    parts: list[Any] = [[part] * len(table) for part in made.parts]
    for name in made.columns:
        cells = _cells(tables.column(table, name))
        parts[1::2] = [
            cells if own == name else part
            for own, part in zip(made.parts[1::2], parts[1::2], strict=True)
        ]
        for at, one in enumerate(cells):
            if type(one) is Unfit and (at not in unfit or one.status < unfit[at].status):
                unfit[at] = Unfit(one.status, f"{one.reason} in {name!r}")  # failed before skipped
    if not unfit:
        with suppress(UnicodeEncodeError):
            whole = list(map(_encode, map(_join, zip(*parts, strict=True))))
            if max(map(len, whole)) <= SAFE_BODY_BYTES:
                return whole
    return [unfit.get(at) or _text(row) for at, row in enumerate(zip(*parts, strict=True))]


def _text(row: Sequence[str]) -> bytes | Unfit:
    try:
        text = _encode(_join(row))
    except UnicodeEncodeError:
        return Unfit("failed", "holds half a character (a lone surrogate)")
    if len(text) > SAFE_BODY_BYTES:
        return Unfit("failed", f"{len(text):,} bytes are more than a request holds")
    return text


def _cells(column: pd.Series[Any]) -> list[Any]:
    values = column.tolist()
    if set(map(type, values)) == {str} and all(values) and not any(map(str.isspace, values)):
        return values
    return tables.texts(column, formats=True)


def _chat_body(system: str | None, schema: Schema | None, params: dict[str, Any]) -> dict[str, Any]:
    check_system(system)
    settings = given(params, CHAT_PARAMETERS, gateway=True, kind="a chat", own=requests)
    if schema is not None:
        settings["response_format"] = schema.response_format
    shared = [{"role": "system", "content": system}] if system else []
    return {"messages": [*shared, {"role": "user", "content": _HERE}], **settings}


def _embed_body(params: dict[str, Any]) -> dict[str, Any]:
    strange = [name for name in params if name not in ("dimensions", "user")]
    if strange:
        raise UsageError(f"Embeddings take no parameter {strange[0]!r}.", do="Leave it out.")
    settings = {name: value for name, value in params.items() if value is not None}
    # decimal numbers are four times as long to write and to read
    return {"input": _HERE, "encoding_format": "base64", **settings}
