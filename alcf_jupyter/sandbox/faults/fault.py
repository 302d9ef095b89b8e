"""A fault: one way to fail, by name, that can be switched on for a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from alcf_jupyter.sandbox.answers import Answer
    from alcf_jupyter.sandbox.catalog import Cluster, Model
    from alcf_jupyter.sandbox.requests import Request
    from alcf_jupyter.sandbox.service import Service
    from alcf_jupyter.sandbox.wire import Wire

# To which requests a fault applies; on others it does not fire, and is not used up.
ANY = "any"
INFERENCE = "inference"
STREAM = "stream"
CHAT = "chat"
EMBEDDINGS = "embeddings"
JOBS = "jobs"
BATCH = "batch"


@dataclass(frozen=True)
class Occasion:
    """The request a fault fires on, and the fault's parameters."""

    service: Service
    request: Request
    parameters: dict[str, str]

    def number(self, name: str, usual: float) -> float:
        """Return a numeric parameter."""
        return float(self.parameters.get(name, usual))

    def text(self, name: str, usual: str) -> str:
        """Return a parameter."""
        return self.parameters.get(name, usual)

    def cluster(self) -> Cluster | None:
        """Return the cluster that the path names; None on the plain OpenAI routes."""
        parts = self.request.path.split("/")
        return self.service.catalog.clusters.get(parts[2]) if len(parts) > 2 else None

    def model(self) -> Model | None:
        """Return the model that the body asks for."""
        return self.service.model_of(self.request)

    def model_name(self) -> str:
        """Return the model's name as the request has it."""
        return self.request.model() or "unknown"

    def slug(self) -> str:
        """Return the name under which the gateway knows the model."""
        from alcf_jupyter.sandbox.catalog import slug

        parts = self.request.path.split("/")
        framework = parts[3] if len(parts) > 3 else ""
        return slug(parts[2] if len(parts) > 2 else "", framework, self.model_name())


@dataclass(frozen=True)
class Fault:
    """One way to fail.

    `before` runs ahead of the real answer, `instead` takes its place, `after` changes it, `send`
    sends it in its own way; a fault with none of them is read by the route itself.
    """

    name: str
    summary: str
    scope: str = ANY
    before: Callable[[Occasion], Awaitable[None]] | None = None
    instead: Callable[[Occasion], Awaitable[Answer]] | None = None
    after: Callable[[Occasion, Answer], Awaitable[Answer]] | None = None
    send: Callable[[Occasion, Wire, Answer], Awaitable[None]] | None = None

    def applies(self, request: Request) -> bool:
        """Tell whether it can fire on a request."""
        path = request.path
        embeds = path.endswith("/embeddings")
        infers = request.method == "POST" and "/v1/" in path and not path.endswith("/batches")
        streams = infers and not embeds and request.wants_stream()
        return {
            ANY: True,
            INFERENCE: infers,
            STREAM: streams,
            CHAT: infers and not streams and not embeds,
            EMBEDDINGS: infers and embeds,
            JOBS: path.endswith("/jobs"),
            BATCH: request.method == "POST" and path.endswith("/batches"),
        }[self.scope]


FAULTS: dict[str, Fault] = {}


def add(fault: Fault) -> None:
    """Make a fault known."""
    if fault.name in FAULTS:
        raise ValueError(f"there are two faults named {fault.name}")
    FAULTS[fault.name] = fault


def fault(kind: str, scope: str = ANY) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a function a fault: its name is the fault's, its first line says what happens.

    Parameters
    ----------
    kind : str
        before, instead, after or send: the part of `Fault` that the function is.
    scope : str
        The requests it applies to.
    """

    def known(function: Callable[..., Any]) -> Callable[..., Any]:
        name = function.__name__.strip("_").replace("_", "-")
        summary = (function.__doc__ or "").strip().splitlines()[0]
        add(Fault(name, summary, scope, **{kind: function}))
        return function

    return known


def read(text: str) -> tuple[Fault, dict[str, str]]:
    """Return the fault and the parameters in ``name;parameter=value;...``.

    Raises
    ------
    ValueError
        For a name that is no fault.
    """
    name, *rest = (part.strip() for part in text.split(";"))
    if name not in FAULTS:
        raise ValueError(f"no such fault: {name!r}; GET /sandbox/faults lists them")
    pairs = (part.partition("=") for part in rest if part)
    return FAULTS[name], {key.strip(): value.strip() for key, _, value in pairs}
