"""Which path leads where."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import batches, control, gateway, plain, sam3
from .inference import infer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .answers import Answer

    Handler = Callable[..., Awaitable[Answer]]

PREFIX = "/resource_server"
GATEWAY = "gateway"
OPEN = "open"
PLAIN = "plain"
CONTROL = "control"

# The routes of inference differ in nothing but their name.
_INFERENCE = ("chat/completions", "completions", "embeddings", "responses", "messages")
_PLAIN_INFERENCE = ("chat/completions", "completions", "embeddings")


@dataclass(frozen=True)
class Route:
    """A path, what answers it, and whose it is.

    `face` is GATEWAY (token, limits), OPEN (the gateway's, no token), PLAIN (an OpenAI-compatible
    server) or CONTROL (this run's secret).
    """

    method: str
    path: re.Pattern[str]
    handler: Handler
    face: str
    template: str


def _routes(face: str, prefix: str, *listed: tuple[str, str, Handler]) -> list[Route]:
    made = []
    for method, path, handler in listed:
        pattern = re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", prefix + path)
        made.append(Route(method, re.compile(pattern), handler, face, path))
    return made


ROUTES = [
    *_routes(
        OPEN,
        PREFIX,
        ("GET", "/health", gateway.health),
        ("GET", "/status", gateway.status),
        ("GET", "/openapi.json", gateway.openapi),
    ),
    *_routes(
        GATEWAY,
        PREFIX,
        ("GET", "/whoami", gateway.whoami),
        ("GET", "/list-endpoints", gateway.list_endpoints),
        ("GET", "/v1/batches", batches.list_batches),
        ("GET", "/v1/batches/{batch_id}", batches.batch_status),
        ("GET", "/v1/batches/{batch_id}/result", batches.batch_result),
        ("PUT", "/data/staging", gateway.staging),
        ("POST", "/sophia/sam3service/process", sam3.process),
        ("GET", "/sophia/sam3service/tasks/{task_id}", sam3.task),
        ("GET", "/{cluster}/jobs", gateway.cluster_jobs),
        ("GET", "/{cluster}/models", gateway.cluster_models),
        ("POST", "/{cluster}/{framework}/v1/batches", batches.create_batch),
        *(("POST", f"/{{cluster}}/{{framework}}/v1/{name}", infer) for name in _INFERENCE),
    ),
    *_routes(
        PLAIN,
        "/v1",
        ("GET", "/models", plain.list_models),
        *(("POST", f"/{name}", plain.infer_plainly) for name in _PLAIN_INFERENCE),
    ),
    *_routes(
        CONTROL,
        "/sandbox",
        ("GET", "", control.overview),
        ("GET", "/log", control.get_log),
        ("DELETE", "/log", control.clear_log),
        ("GET", "/faults", control.get_faults),
        ("POST", "/faults", control.add_fault),
        ("DELETE", "/faults", control.clear_faults),
        ("GET", "/clock", control.get_clock),
        ("POST", "/clock", control.set_clock),
        ("POST", "/state", control.set_state),
        ("POST", "/limits", control.set_limits),
        ("POST", "/tokens", control.set_tokens),
    ),
]


def find(method: str, path: str) -> tuple[Route, dict[str, str]] | int:
    """Return the route of a path with its parts, or the status to refuse it with: 404 or 405."""
    status = 404
    for route in ROUTES:
        if (found := route.path.fullmatch(path)) is not None:
            if route.method == method:
                return route, found.groupdict()
            status = 405
    return status
