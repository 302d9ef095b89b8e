"""What the gateway accepts in a request: every field, every bound, and nothing else."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from alcf_jupyter.sandbox.answers import DetailError

if TYPE_CHECKING:
    from pydantic import BaseModel


@cache
def _schema(name: str) -> type[BaseModel]:
    # Imported by the first request that is checked: pydantic takes longer than all the rest.
    from . import chat, others

    schemas: dict[str, type[BaseModel]] = {
        "chat/completions": chat.ChatRequest,
        "completions": others.CompletionRequest,
        "embeddings": others.EmbeddingRequest,
        "responses": others.ResponseRequest,
        "messages": others.MessagesRequest,
        "batches": others.BatchRequest,
        "process": others.SegmentationRequest,
    }
    return schemas[name]


def warm_up() -> None:
    """Import what the first request would otherwise wait for."""
    _schema("chat/completions")


def checked(route: str, body: Any, *, place: str = "payload") -> dict[str, Any]:
    """Return what is forwarded of a request: the fields that were set and are not null.

    Parameters
    ----------
    route : str
        What stands behind /v1/ in the path.
    body : object
        The request's JSON.
    place : str
        The name that the gateway's function gives the body; it stands in each error's `loc`.

    Raises
    ------
    DetailError
        422 with one entry for each thing that is wrong, as pydantic words it.
    """
    from pydantic import ValidationError

    try:
        made = _schema(route).model_validate(body)
    except ValidationError as wrong:
        raise DetailError(422, [_entry(one, place) for one in wrong.errors()]) from None
    return made.model_dump(mode="json", exclude_unset=True, exclude_none=True, by_alias=True)


def _entry(error: Any, place: str) -> dict[str, Any]:
    entry = {
        "type": error["type"],
        "loc": ["body", place, *error["loc"]],
        "msg": error["msg"],
    }
    if "ctx" in error:
        entry["ctx"] = {key: _plain(value) for key, value in error["ctx"].items()}
    return entry


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool, list)) else str(value)
