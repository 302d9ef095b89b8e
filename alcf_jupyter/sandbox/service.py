"""One run of the stand-in: everything its routes share."""

from __future__ import annotations

import random
import secrets
from typing import TYPE_CHECKING, Any

from .answers import GatewayError
from .batch_store import Batches
from .catalog import Catalog, Cluster, Model, read_catalog
from .clock import Clock
from .default_catalog import default_catalog
from .faults.rules import Rules
from .lifecycle import Lifecycle
from .limits import RequestRate, TokenRate
from .model_server import ModelServer
from .people import NO_GROUP, People
from .request_log import RequestLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from .people import Person
    from .requests import Request
    from .settings import Settings


class Service:
    """The state of one run."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.secret = secrets.token_urlsafe(32)
        self._random = random.Random(settings.seed)  # noqa: S311  # ids of answers, not secrets
        self.clock = Clock(settings.clock_speed)
        self.people = People(self.clock, self.secret, settings.tokens)
        self.catalog = _catalog(settings)
        self.lifecycle = Lifecycle(self.clock, settings.patience_real_seconds)
        self.model_server = ModelServer(self.clock, self.new_id)
        limited = settings.rate_limit
        self.requests = RequestRate(settings.requests_per_second if limited else 0)
        self.tokens = TokenRate(
            self.clock,
            settings.tokens_per_model if limited else 0,
            settings.tokens_per_user if limited else 0,
        )
        self.rules = Rules(self)
        self.log = RequestLog(self.clock, settings.log)
        self.stop_listening: Callable[[float], None] = lambda _seconds: None
        self.batches = Batches(self)
        self.sam3_tasks: dict[str, float] = {}
        self.jobs_cache: dict[tuple[str, str], tuple[float, dict[str, Any]]] = {}

    def new_id(self) -> str:
        """Return an id of 32 hexadecimal digits; with a seed, the same ones in every run."""
        return f"{self._random.getrandbits(128):032x}"

    def new_uuid(self) -> str:
        """Return an id in the form of a random UUID."""
        digits = self.new_id()
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"

    def may_see(self, person: Person, cluster: Cluster, model: Model | None = None) -> bool:
        """Tell whether a person's groups open a cluster, and a model on it."""
        doors = [cluster.groups, model.groups if model else ()]
        return all(not door or set(door) & set(person.groups) for door in doors)

    def model_of(self, request: Request) -> Model | None:
        """Return the model that a request asks for, where its path and body name one exactly."""
        name = request.model()
        parts = request.path.split("/")
        cluster = parts[2] if len(parts) > 3 and parts[1] == "resource_server" else None
        found = self.catalog.named(name, cluster) if name else []
        return found[0][1] if found else None

    def check_groups(self, person: Person, cluster: Cluster, model: Model | None = None) -> None:
        """Raise the gateway's 401 for a person whose groups do not open a model."""
        if not self.may_see(person, cluster, model):
            raise GatewayError("unauthorized", NO_GROUP)


def _catalog(settings: Settings) -> Catalog:
    catalog = read_catalog(settings.clusters) if settings.clusters else default_catalog()
    catalog.add_aliases(settings.aliases)
    return catalog
