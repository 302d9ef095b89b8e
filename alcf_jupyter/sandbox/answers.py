"""What the service answers with: JSON, a page, or a stream; and its error shapes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"
STREAM = "text/event-stream"
DONE = b"data: [DONE]\n\n"

NOT_FOUND_PAGE = (
    '\n<!doctype html>\n<html lang="en">\n<head>\n  <title>Not Found</title>\n</head>\n<body>\n'
    "  <h1>Not Found</h1><p>The requested resource was not found on this server.</p>\n"
    "</body>\n</html>\n"
)

STATUS_OF_CODE = {
    "cluster_not_found": 404,
    "endpoint_not_found": 404,
    "batch_not_found": 404,
    "unauthorized": 401,
    "access_denied": 403,
    "cluster_under_maintenance": 503,
    "failed_to_get_cluster_jobs": 500,
    "unsupported_framework": 400,
    "unsupported_endpoint": 400,
    "batch_unavailable": 400,
    "quota_exceeded": 400,
    "batch_ongoing": 400,
    "batch_failed": 400,
    "internal_endpoint_error": 500,
    "too_many_requests": 429,
    "request_timeout": 408,
}


@dataclass
class Answer:
    """One HTTP answer: a JSON `payload`, or raw `content`, or the `frames` of a stream."""

    status: int = 200
    payload: Any = None
    content: bytes | None = None
    content_type: str = JSON
    headers: list[tuple[str, str]] = field(default_factory=list)
    frames: AsyncIterator[bytes] | None = None

    def body(self) -> bytes:
        """Return the bytes of an answer that is not a stream."""
        if self.content is not None:
            return self.content
        return json.dumps(self.payload).encode()


class GatewayError(Exception):
    """An answer of the gateway's own error shape, ``{"error": {code, message, info}}``."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int | None = None,
        info: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = STATUS_OF_CODE[code] if status is None else status
        self.message = message
        self.info = info or {}

    def answer(self) -> Answer:
        """Return the answer that carries this error."""
        error = {"code": self.code, "message": self.message, "info": self.info}
        return Answer(self.status, {"error": error})


class DetailError(Exception):
    """An answer of the web framework's shape, ``{"detail": ...}``."""

    def __init__(self, status: int, detail: Any) -> None:
        super().__init__(str(detail))
        self.status = status
        self.detail = detail

    def answer(self) -> Answer:
        """Return the answer that carries this error."""
        return Answer(self.status, {"detail": self.detail})


def internal_error(error_id: str) -> Answer:
    """Return the gateway's answer to what it did not expect: an id to quote, and no `info`."""
    error = {"code": "internal_error", "message": "Internal Server Error", "error_id": error_id}
    return Answer(500, {"error": error})


def page(status: int, text: str) -> Answer:
    """Return an HTML page."""
    return Answer(status, content=text.encode(), content_type=HTML)


def proxy_page(status: int, reason: str) -> Answer:
    """Return the page of the web server that stands in front of the gateway."""
    title = f"{status} {reason}"
    return page(
        status,
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1>"
        "</center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n",
    )


def frame(event: Any) -> bytes:
    """Return one server-sent event; characters beyond ASCII go as they are, as vLLM sends them."""
    return b"data: " + json.dumps(event, ensure_ascii=False).encode("utf-8", "replace") + b"\n\n"
