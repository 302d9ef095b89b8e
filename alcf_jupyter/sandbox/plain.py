"""The same models as any OpenAI-compatible server has them: no gateway, no queue, no quirks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .answers import STREAM, Answer, DetailError
from .model_server import DiedError
from .models import Refused
from .relay import BrokenOffError, plain_relay

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .catalog import Model
    from .pieces import Piece
    from .requests import Request
    from .service import Service

_NEEDED = {"chat/completions": "messages", "completions": "prompt", "embeddings": "input"}


async def list_models(service: Service, request: Request) -> Answer:
    """GET /v1/models."""
    if (refusal := _refusal(service, request)) is not None:
        return refusal
    names = dict.fromkeys(model.id for _, model in service.catalog)
    created = int(service.clock.now())
    listed = [
        {"id": name, "object": "model", "created": created, "owned_by": "sandbox"} for name in names
    ]
    return Answer(payload={"object": "list", "data": listed})


async def infer_plainly(service: Service, request: Request) -> Answer:
    """POST /v1/{route}; a JSON array of requests is answered with an array, as SambaStack does."""
    if (refusal := _refusal(service, request)) is not None:
        return refusal
    route = request.inference_route()
    try:
        body = request.json(limit=None)
    except DetailError:
        return error(400, "We could not parse the JSON body of your request.")
    if isinstance(body, list):
        answers = [await _one(service, route, one) for one in body]
        return Answer(payload=[one.payload for one in answers])
    return await _one(service, route, body)


async def _one(service: Service, route: str, body: Any) -> Answer:
    if not isinstance(body, dict) or _NEEDED[route] not in body:
        missing = f"Missing required parameter: '{_NEEDED[route]}'."
        return error(400, missing, parameter=_NEEDED[route])
    model = _find(service, body.get("model"))
    if model is None:
        message = f"The model `{body.get('model')}` does not exist."
        return error(404, message, parameter="model", code="model_not_found")
    body = {key: value for key, value in body.items() if value is not None}
    try:
        if body.get("stream") and route != "embeddings":
            pieces = await _begin(service.model_server.stream(route, model, body))
            return Answer(content_type=STREAM, frames=plain_relay(pieces, service.clock))
        return Answer(payload=await service.model_server.call(route, model, body))
    except Refused as refused:
        return Answer(refused.status, refused.body)
    except DiedError:
        raise BrokenOffError from None
    except (KeyError, TypeError, AttributeError, ValueError):
        return error(400, f"Invalid value for '{_NEEDED[route]}'.", parameter=_NEEDED[route])


async def _begin(pieces: AsyncIterator[Piece]) -> AsyncIterator[Piece]:
    """Ask for the first piece, so that a refusal comes with its status and not in the stream."""
    first = await anext(pieces)

    async def all_of_them() -> AsyncIterator[Piece]:
        yield first
        async for piece in pieces:
            yield piece

    return all_of_them()


def _find(service: Service, name: Any) -> Model | None:
    found = service.catalog.named(name) if isinstance(name, str) else []
    return found[0][1] if found else None


def _refusal(service: Service, request: Request) -> Answer | None:
    if service.people.known(request.headers.get("authorization")) is not None:
        return None
    return error(401, "Incorrect API key provided.", code="invalid_api_key")


def error(
    status: int, message: str, *, parameter: str | None = None, code: str | None = None
) -> Answer:
    """Return an error in OpenAI's shape."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    told = {"message": message, "type": kind, "param": parameter, "code": code}
    return Answer(status, {"error": told}, content_type="application/json")
