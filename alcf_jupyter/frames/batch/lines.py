"""One line of a batch's results: an answer, vectors, or the reason why there is neither."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

from alcf_jupyter.connection.call import read_json
from alcf_jupyter.connection.vectors import matrix
from alcf_jupyter.errors import AlcfError, AnswerError, IncompleteError
from alcf_jupyter.plain import brief
from alcf_jupyter.service import dialect
from alcf_jupyter.service.report import report

OK: Final = "ok"
TRUNCATED: Final = "truncated"
FAILED: Final = "failed"

_ID: Final = re.compile(rb'"custom_id"\s{0,9}:\s{0,9}"((?:[^"\\]|\\.){0,512})"')


@dataclass(slots=True)
class Outcome:
    """What a line says; a line that holds several vectors says several.

    Attributes
    ----------
    line
        Its number.
    custom_id
        As the request had it; None where the line cannot be read that far.
    item
        Which of the line's vectors this is, from 0.
    readable
        False where the line is no answer to any request.
    """

    line: int
    custom_id: str | None
    status: str = OK
    reason: str = ""
    reply: str | None = None
    reasoning: str | None = None
    finish_reason: str = ""
    item: int = 0
    embedding: Any = None
    model: str = ""
    usage: dialect.Usage = field(default_factory=dialect.Usage)
    readable: bool = True


def read_line(raw: bytes, number: int) -> list[Outcome]:
    """Read any line, whatever stands in it; a line that cannot be read is an outcome, too.

    Parameters
    ----------
    raw
        The line, with or without its end.
    number
        Its number, which the outcomes bear.
    """
    try:
        told = read_json(raw)
    except (ValueError, RecursionError) as error:
        return [_unreadable(raw, number, error)]
    custom_id = told.get("custom_id") if isinstance(told, dict) else None
    if not isinstance(custom_id, str):
        return [Outcome(number, None, FAILED, "the line has no custom_id", readable=False)]
    response = told.get("response")
    response = response if isinstance(response, dict) else {}
    status, body = response.get("status_code"), response.get("body")
    if told.get("error") is not None or status != 200 or not isinstance(body, dict):
        return [Outcome(number, custom_id, FAILED, _why(told, response))]
    try:
        if "data" in body and "choices" not in body:
            return _vectors(number, custom_id, body)
        return [_chat(number, custom_id, body)]
    except AlcfError as error:
        reason = " ".join(part for part in (error.what, error.why) if part)
        return [Outcome(number, custom_id, FAILED, brief(reason))]


def _unreadable(raw: bytes, number: int, error: Exception) -> Outcome:
    if not raw.strip():
        return Outcome(number, None, FAILED, "the line is empty", readable=False)
    found = _ID.search(raw[:20_000])
    named = found[1].decode("utf-8", "replace") if found and b"\\" not in found[1] else None
    reason = f"the line cannot be read: {brief(error, 120)}"
    return Outcome(number, named, FAILED, reason, readable=False)


def _why(told: dict[str, Any], response: dict[str, Any]) -> str:
    """Return the reason of a failed line, in any of the shapes that model servers use."""
    error = told.get("error")
    if error is None and isinstance(response.get("body"), dict):
        error = response["body"]
    if isinstance(error, str):
        reason = brief(error)
    elif error is None:
        reason = "no answer and no reason"
    else:
        reason = brief(report(json.dumps(error).encode()).message)
    status = response.get("status_code")
    return reason if status in (200, 400, None) else f"{reason} (HTTP {brief(status, 20)})"


def _chat(number: int, custom_id: str, body: dict[str, Any]) -> Outcome:
    try:
        answer = dialect.read_chat(body)
    except IncompleteError as error:
        return Outcome(number, custom_id, FAILED, error.what)
    status, reason = OK, ""
    if answer.finish_reason == "length":
        status, reason = TRUNCATED, "the answer was cut off at its limit of tokens"
    elif not answer.complete:
        status, reason = FAILED, f"not a whole answer: {brief(answer.finish_reason, 60)}"
    return Outcome(
        number,
        custom_id,
        status,
        reason,
        answer.text,
        answer.reasoning or None,
        answer.finish_reason,
        model=answer.model,
        usage=answer.usage,
    )


def _vectors(number: int, custom_id: str, body: dict[str, Any]) -> list[Outcome]:
    rows = body["data"]
    count = len(rows) if isinstance(rows, list) else 0
    answer = dialect.read_embeddings(body, count)
    if not count:
        raise AnswerError("It holds no vectors.")
    found = matrix(answer.data)
    # the tokens are those of the whole line, so they count once
    usages = [answer.usage] + [dialect.Usage()] * (count - 1)
    return [
        Outcome(number, custom_id, item=n, embedding=vector, model=answer.model, usage=usage)
        for n, (vector, usage) in enumerate(zip(found, usages, strict=True))
    ]
