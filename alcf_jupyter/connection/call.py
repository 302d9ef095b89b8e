"""One request to a model: what to send, for how long to try, and how it went."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from alcf_jupyter.connection import queue
from alcf_jupyter.errors import UsageError
from alcf_jupyter.plain import brief

if TYPE_CHECKING:
    from collections.abc import Callable

    from alcf_jupyter.connection.deadline import Deadline
    from alcf_jupyter.service import dialect
    from alcf_jupyter.service.catalog import Model

BYTES_PER_VECTOR = 200_000
"""An 8,192-d embedding written out in decimal numbers takes about this much."""


@dataclass(slots=True)
class Call:
    """What to send to a model, for how long to try, and how it went.

    Attributes
    ----------
    route
        ``"chat/completions"``, ``"completions"`` or ``"embeddings"``.
    model, cluster
        As asked for.
    body
        The request, without the model's name.
    deadline
        For everything, the queue included.
    patient
        Whether to wait for a model that is not Live.
    served
        The model as the catalog has it, once it is known.
    wait
        The states passed and the time waited for the model.
    reading
        What has arrived of a streamed answer.
    first_seconds, total_seconds
        From the sending of the request that was answered to its first piece and to its end.
    replayed
        Whether the answer came from a record.
    """

    route: str
    model: str
    cluster: str | None
    body: dict[str, Any]
    deadline: Deadline
    patient: bool = True
    served: Model | None = None
    wait: queue.Wait = field(init=False)
    reading: dialect.AnswerStream | None = None
    first_seconds: float | None = None
    total_seconds: float | None = None
    replayed: bool = False

    def __post_init__(self) -> None:
        self.wait = queue.Wait(self.deadline)


@dataclass(frozen=True, slots=True)
class Status:
    """How a call is getting on, in one line of words."""

    words: str


Emit: TypeAlias = "Callable[[Status | dialect.Piece], None]"


def read_json(data: bytes | bytearray) -> Any:
    """Read JSON fast, and what the fast reader refuses (NaN, lone surrogates) with the standard."""
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError:
        return json.loads(data)


def write_json(value: Any) -> bytes:
    """Return a request's body.

    Raises
    ------
    UsageError
        A text holds half a character (a lone surrogate), or a value has no JSON form.
    """
    try:
        return msgspec.json.encode(value, enc_hook=_plain)
    except UnicodeEncodeError:
        raise UsageError(
            "The text holds half a character (a lone surrogate), which cannot be sent.",
            do="Clean it first:  text.encode('utf-8', 'replace').decode()",
        ) from None
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise UsageError(
            f"A parameter cannot be sent: {brief(error)}",
            do="Use plain numbers, strings and lists.",
        ) from None


def _plain(value: Any) -> Any:
    """Return what NumPy's numbers, texts and arrays stand for."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"it holds a {type(value).__name__}")


def smallest(route: str) -> dict[str, Any]:
    """Return the body of the smallest request of a kind: it starts a model, or tries one."""
    if route == "embeddings":
        return {"input": ["hi"], "encoding_format": "base64"}
    if route == "completions":
        return {"prompt": "hi", "max_tokens": 1}
    return {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
