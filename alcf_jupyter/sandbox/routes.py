"""Which path leads where."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import gateway, plain
from .inference import infer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .answers import Answer

PREFIX = "/resource_server"


@dataclass(frozen=True)
class Route:
    """A path and what answers it; `open` needs no token, `plain` is not the gateway's."""

    method: str
    path: re.Pattern[str]
    handler: Callable[..., Awaitable[Answer]]
    open: bool = False
    plain: bool = False


def _route(
    method: str, path: str, handler: Callable[..., Awaitable[Answer]], **marks: bool
) -> Route:
    pattern = path.replace("{cluster}", r"(?P<cluster>[^/]+)")
    pattern = pattern.replace("{framework}", r"(?P<framework>[^/]+)")
    pattern = pattern.replace("{batch_id}", r"(?P<batch_id>[^/]+)")
    pattern = pattern.replace("{task_id}", r"(?P<task_id>[^/]+)")
    return Route(method, re.compile(pattern), handler, **marks)


_INFERENCE = "(?P<route>chat/completions|completions|embeddings|responses|messages)"
_PLAIN = "(?P<route>chat/completions|completions|embeddings)"

ROUTES = (
    _route("GET", f"{PREFIX}/health", gateway.health, open=True),
    _route("GET", f"{PREFIX}/status", gateway.status, open=True),
    _route("GET", f"{PREFIX}/whoami", gateway.whoami),
    _route("GET", f"{PREFIX}/list-endpoints", gateway.list_endpoints),
    _route("GET", f"{PREFIX}/{{cluster}}/jobs", gateway.cluster_jobs),
    _route("GET", f"{PREFIX}/{{cluster}}/models", gateway.cluster_models),
    _route("PUT", f"{PREFIX}/data/staging", gateway.staging),
    _route("POST", f"{PREFIX}/{{cluster}}/{{framework}}/v1/{_INFERENCE}", infer),
    _route("GET", "/v1/models", plain.list_models, plain=True),
    _route("POST", f"/v1/{_PLAIN}", plain.infer_plainly, plain=True),
)


def find(method: str, path: str) -> tuple[Route, dict[str, str]] | int:
    """Return the route of a path with its parts, or the status to refuse it with: 404 or 405."""
    status = 404
    for route in ROUTES:
        if (found := route.path.fullmatch(path)) is not None:
            if route.method == method:
                return route, found.groupdict()
            status = 405
    return status
