"""Faults in a whole answer that comes with status 200."""

# ruff: noqa: D401  # a fault's docstring is what is listed of it: what happens
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from alcf_jupyter.sandbox.answers import Answer
from alcf_jupyter.sandbox.relay import api_error

from .fault import ANY, CHAT, INFERENCE, Occasion, fault

if TYPE_CHECKING:
    from collections.abc import Callable


def _changed(answer: Answer, change: Callable[[dict[str, Any]], None]) -> Answer:
    """Return the answer with a changed payload; an answer that is an error stays as it is."""
    if answer.status != 200 or not isinstance(answer.payload, dict):
        return answer
    payload = json.loads(json.dumps(answer.payload))
    change(payload)
    return Answer(payload=payload)


def _first_choice(answer: Answer, **changes: Any) -> Answer:
    def change(payload: dict[str, Any]) -> None:
        for choice in payload.get("choices", [])[:1]:
            said = changes if "message" not in choice else _message_changes(choice, changes)
            choice.update(said)

    return _changed(answer, change)


def _message_changes(choice: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Put `content` into the message, and the rest into the choice."""
    if "content" in changes:
        choice["message"]["content"] = changes["content"]
    return {key: value for key, value in changes.items() if key != "content"}


@fault("after", INFERENCE)
async def completion_key(_occasion: Occasion, answer: Answer) -> Answer:
    """200 with {"completion": ...}: what the gateway makes of a model answer that is no JSON."""
    if answer.status != 200 or answer.frames is not None:
        return answer
    metrics = {key: answer.payload[key] for key in _METRICS if key in answer.payload}
    return Answer(payload={"completion": "upstream connect error or disconnect", **metrics})


_METRICS = ("response_time", "throughput_tokens_per_second")


@fault("after", CHAT)
async def null_content(_occasion: Occasion, answer: Answer) -> Answer:
    """An answer whose content is null."""
    return _first_choice(answer, content=None)


@fault("after", CHAT)
async def empty_content(_occasion: Occasion, answer: Answer) -> Answer:
    """An answer whose content is the empty text."""
    return _first_choice(answer, content="")


@fault("after", CHAT)
async def content_parts(_occasion: Occasion, answer: Answer) -> Answer:
    """An answer whose content is a list of parts."""
    return _first_choice(answer, content=[{"type": "text", "text": "parts"}])


@fault("after", CHAT)
async def no_finish(_occasion: Occasion, answer: Answer) -> Answer:
    """A whole answer with finish_reason null."""
    return _first_choice(answer, finish_reason=None)


@fault("after", CHAT)
async def finish_length(_occasion: Occasion, answer: Answer) -> Answer:
    """An answer that was cut at its limit: finish_reason length."""
    return _first_choice(answer, finish_reason="length")


@fault("after", CHAT)
async def finish_content_filter(_occasion: Occasion, answer: Answer) -> Answer:
    """An answer that a filter stopped: finish_reason content_filter."""
    return _first_choice(answer, finish_reason="content_filter", content="")


@fault("after", CHAT)
async def no_choices(_occasion: Occasion, answer: Answer) -> Answer:
    """An answer with an empty list of choices."""
    return _changed(answer, lambda payload: payload.update(choices=[]))


@fault("after", CHAT)
async def null_choices(_occasion: Occasion, answer: Answer) -> Answer:
    """An answer with `choices: null`."""
    return _changed(answer, lambda payload: payload.update(choices=None))


@fault("after", CHAT)
async def no_usage(_occasion: Occasion, answer: Answer) -> Answer:
    """A good answer without token counts."""
    return _changed(answer, lambda payload: payload.update(usage=None))


@fault("after", CHAT)
async def other_model(_occasion: Occasion, answer: Answer) -> Answer:
    """An answer that says another model made it."""
    return _changed(answer, lambda payload: payload.update(model="sandbox/somebody-else"))


@fault("after", CHAT)
async def api_error_answer(occasion: Occasion, answer: Answer) -> Answer:
    """A whole answer with id chatcmpl-api-error whose text is an error."""
    event = api_error("{}", occasion.model_name(), int(occasion.service.clock.now()))
    text = event["choices"][0]["delta"]["content"]
    told = _first_choice(answer, content=text)
    return _changed(told, lambda payload: payload.update(id=event["id"]))


@fault("instead", INFERENCE)
async def error_object(_occasion: Occasion) -> Answer:
    """200 with the model server's flat error object."""
    told = {"object": "error", "message": "The engine stopped.", "type": "InternalServerError"}
    return Answer(payload={**told, "param": None, "code": 500})


@fault("instead", INFERENCE)
async def error_key(_occasion: Occasion) -> Answer:
    """200 with {"error": {...}}."""
    told = {"message": "The engine stopped.", "type": "InternalServerError", "code": 500}
    return Answer(payload={"error": told})


@fault("instead")
async def json_list(_occasion: Occasion) -> Answer:
    """200 with a JSON list."""
    return Answer(payload=[])


@fault("instead")
async def json_text(_occasion: Occasion) -> Answer:
    """200 with a JSON text."""
    return Answer(payload="ok")


@fault("instead")
async def json_null(_occasion: Occasion) -> Answer:
    """200 with JSON null."""
    return Answer(payload=None)


@fault("instead")
async def empty_body(_occasion: Occasion) -> Answer:
    """200 with no body."""
    return Answer(content=b"")


@fault("after")
async def cut_json(_occasion: Occasion, answer: Answer) -> Answer:
    """200 with the first half of the JSON, and a length that fits it."""
    if answer.frames is not None:
        return answer
    body = answer.body()
    return Answer(answer.status, content=body[: len(body) // 2])


@fault("after")
async def bad_utf8(_occasion: Occasion, answer: Answer) -> Answer:
    """Bytes in the JSON that are no UTF-8."""
    if answer.frames is not None:
        return answer
    return Answer(answer.status, content=answer.body().replace(b'": "', b'": "\xff\xfe', 1))


@fault("after")
async def duplicate_keys(_occasion: Occasion, answer: Answer) -> Answer:
    """JSON that says `object` twice, the first time an error."""
    if answer.frames is not None:
        return answer
    return Answer(answer.status, content=answer.body().replace(b"{", b'{"object": "error", ', 1))


@fault("after", ANY)
async def unknown_fields(_occasion: Occasion, answer: Answer) -> Answer:
    """A good answer in which every object has a key that nobody knows."""
    return answer if answer.frames is not None else Answer(answer.status, _more(answer.payload))


def _more(value: Any) -> Any:
    if isinstance(value, dict):
        return {**{key: _more(one) for key, one in value.items()}, "new_in_2027": {"a": [1]}}
    return [_more(one) for one in value] if isinstance(value, list) else value
