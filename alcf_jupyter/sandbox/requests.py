"""A request as the service sees it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .answers import DetailError

if TYPE_CHECKING:
    from .people import Person

# Django's default for a body held in memory: larger ones were answered with 500 internal_error.
BODY_LIMIT = 2_621_440


class BodyTooLargeError(Exception):
    """The body is over what the gateway takes."""


@dataclass
class Request:
    """One request: the line, the headers in lower case, the body, and who sent it."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    person: Person | None = None
    fault: str = ""
    parsed: Any = field(default=None, repr=False)

    def json(self, limit: int | None = BODY_LIMIT) -> Any:
        """Return the body as JSON.

        Raises
        ------
        BodyTooLargeError
            For a body over `limit` bytes.
        DetailError
            400, for what is not JSON.
        """
        if limit is not None and len(self.body) > limit:
            raise BodyTooLargeError
        try:
            if self.parsed is None:
                self.parsed = json.loads(self.body)
        except (ValueError, RecursionError):
            raise DetailError(400, "Cannot parse request body") from None
        return self.parsed

    def peek(self) -> Any:
        """Return the body as JSON for matching and logging, or None."""
        if self.parsed is None and self.body:
            try:
                self.parsed = json.loads(self.body)
            except (ValueError, RecursionError):
                return None
        return self.parsed

    def caller(self) -> Person:
        """Return who sent it; for the routes that want a token."""
        if self.person is None:
            raise TypeError("this route needs an authenticated request")
        return self.person

    def model(self) -> str | None:
        """Return the name of the model that the body asks for."""
        body = self.peek()
        model = body.get("model") if isinstance(body, dict) else None
        return model if isinstance(model, str) else None

    def inference_route(self) -> str:
        """Return what stands behind /v1/ in the path."""
        return self.path.partition("/v1/")[2]

    def wants_stream(self) -> bool:
        """Tell whether the body asks for a stream."""
        body = self.peek()
        return isinstance(body, dict) and body.get("stream") is True
