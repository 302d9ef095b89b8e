"""Which requests fail: by their own header, by rules set from outside, by the model they ask."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .fault import Fault, Occasion, read

if TYPE_CHECKING:
    from alcf_jupyter.sandbox.requests import Request
    from alcf_jupyter.sandbox.service import Service

HEADER = "x-sandbox-fault"
_KEYS = {"fault", "parameters", "times", "rate", "seed", "skip", "match"}
_MATCHES = {"route", "method", "model", "contains", "role"}


@dataclass
class Rule:
    """A fault with the requests it is meant for.

    It fires on every matching request, or on the first `times` of them, or on a share `rate` of
    them drawn with `seed`; the first `skip` matching ones pass.
    """

    fault: Fault
    parameters: dict[str, str]
    times: int | None = None
    rate: float | None = None
    seed: int = 0
    skip: int = 0
    match: dict[str, str] = field(default_factory=dict)
    seen: int = 0
    fired: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311  # a schedule to repeat, no secret

    def fires(self, request: Request) -> bool:
        """Tell whether it fires on this request, and count it."""
        if not (self.fault.applies(request) and self._matches(request)):
            return False
        self.seen += 1
        if self.seen <= self.skip or (self.times is not None and self.fired >= self.times):
            return False
        if self.rate is not None and self._random.random() >= self.rate:
            return False
        self.fired += 1
        return True

    def _matches(self, request: Request) -> bool:
        values = {
            "route": request.path,
            "contains": request.body.decode("utf-8", "replace"),
        }
        exact = {
            "method": request.method,
            "model": request.model() or "",
            "role": request.person.role if request.person else "",
        }
        return all(
            text in values[key] if key in values else text == exact[key]
            for key, text in self.match.items()
        )

    def told(self) -> dict[str, Any]:
        """Return the rule as JSON."""
        return {
            "fault": self.fault.name,
            "parameters": self.parameters,
            "times": self.times,
            "rate": self.rate,
            "skip": self.skip,
            "match": self.match,
            "seen": self.seen,
            "fired": self.fired,
        }


def read_rule(told: Any) -> Rule:
    """Return the rule that a POST to /sandbox/faults describes.

    Raises
    ------
    TypeError, ValueError
        For what is no rule, and a key, a fault or a match that does not exist.
    """
    if not isinstance(told, dict) or not isinstance(told.get("fault"), str):
        raise TypeError('a rule is a JSON object with at least {"fault": name}')
    match = told.get("match") or {}
    if strange := sorted((set(told) - _KEYS) | (set(match) - _MATCHES)):
        raise ValueError(f"no such key: {', '.join(strange)}")
    fault, parameters = read(told["fault"])
    parameters |= {key: str(value) for key, value in (told.get("parameters") or {}).items()}
    times, rate = told.get("times"), told.get("rate")
    return Rule(
        fault,
        parameters,
        times=None if times is None else int(times),
        rate=None if rate is None else float(rate),
        seed=int(told.get("seed", 0)),
        skip=int(told.get("skip", 0)),
        match={key: str(value) for key, value in match.items()},
    )


class Rules:
    """The rules in force."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.active: list[Rule] = []

    def pick(self, request: Request) -> tuple[Fault, Occasion] | None:
        """Return the fault that fires on a request: its header's, a rule's, or its model's own.

        Raises
        ------
        ValueError
            When the header names no fault.
        """
        header = request.headers.get(HEADER)
        # Whoever has no token may not make the sandbox fail, also not on the open routes.
        if header and self._service.people.known(request.headers.get("authorization")):
            return self._fitting(header, request)
        for rule in self.active:
            if rule.fires(request):
                return rule.fault, Occasion(self._service, request, rule.parameters)
        model = self._service.model_of(request)
        return self._fitting(model.fault, request) if model and model.fault else None

    def _fitting(self, text: str, request: Request) -> tuple[Fault, Occasion] | None:
        fault, parameters = read(text)
        if not fault.applies(request):
            return None
        return fault, Occasion(self._service, request, parameters)
