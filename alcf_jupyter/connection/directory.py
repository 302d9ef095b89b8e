"""What the service has now: its catalog, fetched in one round and kept as long as it is fresh."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import tenacity

from alcf_jupyter.connection.deadline import Deadline
from alcf_jupyter.connection.http import retries
from alcf_jupyter.connection.loop import Lock
from alcf_jupyter.errors import (
    AlcfError,
    NoConnectionError,
    RestrictedError,
    SignInError,
    UsageError,
)
from alcf_jupyter.service import catalog, dialect, listing
from alcf_jupyter.service.failures import failure

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from alcf_jupyter.connection.http.transport import Transport
    from alcf_jupyter.service.catalog import Model

QUEUE_SECONDS = 15.0
"""How long a listing waits for ``/jobs``, which can take a minute: states are then unknown."""

LIST_SECONDS = 600.0


class Directory:
    """Knows the models of one service and the state of each.

    Parameters
    ----------
    transport
        The way to the service.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._profile = transport.profile
        self._listed: Any = None
        self._listed_at = float("-inf")
        self._status: Any = None
        self._jobs: dict[str, Any] = {}
        self._jobs_at: dict[str, float] = {}
        self._details: dict[str, Any] = {}
        self._without_details: set[str] = set()
        self._lock = Lock()
        self._favoured: list[str] = []
        self._lessons: dict[tuple[str, str], dict[str, bool]] = {}
        self.checked_at: float | None = None
        """``time.time()`` of the last look at the queue, None before it."""
        self.known = catalog.Catalog()
        """The catalog as last fetched, for whoever must not wait."""

    @property
    def service(self) -> str:
        """The name of the service's profile."""
        return self._profile.name

    @property
    def poll_seconds(self) -> float:
        """How often the queue may be asked for."""
        return self._profile.poll_seconds

    async def get(self, path: str, deadline: Deadline) -> Any:
        """Return the JSON of a GET below the service's base address; raises every error."""
        response = await self._transport.request("GET", f"{self._profile.path}{path}", deadline)
        if response.status != 200:
            raise failure(response.status, response.body, response.content_type)
        return dialect.decode(response.body, response.content_type)

    async def catalog(
        self, deadline: Deadline, *, fresh: bool = False, cluster: str | None = None
    ) -> catalog.Catalog:
        """Return the catalog, no older than the service's own cache.

        Parameters
        ----------
        deadline
            When to give up.
        fresh
            Ask for the queue again even if it was asked for a moment ago.
        cluster
            The only cluster whose queue matters now; None for all.

        Raises
        ------
        AlcfError
            The list of models could not be had. A queue or a detail that is missing only leaves
            what it would tell unknown.
        """
        async with self._turn(deadline):
            if self._profile.is_gateway:
                await self._refresh(deadline, fresh=fresh, cluster=cluster)
                told = listing.join(self._listed, self._jobs, self._details, self._status)
            elif fresh or time.monotonic() - self._listed_at > LIST_SECONDS:
                self._listed = await self._optional("/models", deadline)
                self._listed_at = time.monotonic()
                told = listing.from_openai(self._listed, self._profile.origin.split("://")[1])
            else:
                return self.known
            self.known = replace(told, models=tuple(map(self._taught, told.models)))
            return self.known

    @property
    def favoured(self) -> list[str]:
        """The models that are proposed before others, the most preferred first."""
        return [*self._favoured, *self._profile.first_models]

    def favour(self, name: str) -> None:
        """Propose a model before others from now on: it was chosen."""
        self._favoured = list(dict.fromkeys([name, *self._favoured]))

    @asynccontextmanager
    async def _turn(self, deadline: Deadline) -> AsyncGenerator[None]:
        """Keep others out; waiting for one of them counts, too."""
        lock = self._lock.here()
        try:
            async with asyncio.timeout_at(deadline.at):
                await lock.acquire()
        except TimeoutError:
            raise deadline.error("waiting for the list of models") from None
        try:
            yield
        finally:
            lock.release()

    def learn(self, model: Model, **can: bool) -> None:
        """Remember what an answer taught about a model, such as ``can_embed=False``.

        The service does not tell which model does what: an answer, or a refusal, does.
        """
        self._lessons.setdefault((model.cluster, model.id), {}).update(can)
        self.known = replace(self.known, models=tuple(map(self._taught, self.known.models)))

    def _taught(self, model: Model) -> Model:
        lesson = self._lessons.get((model.cluster, model.id))
        return replace(model, **lesson) if lesson else model  # type: ignore[arg-type]

    async def _refresh(self, deadline: Deadline, *, fresh: bool, cluster: str | None) -> None:
        now = time.monotonic()
        if now - self._listed_at > LIST_SECONDS:
            self._listed = await self._list(deadline)
            self._listed_at = now
            self._without_details.clear()  # it may have been out for a moment only
        clusters = self._listed.get("clusters") if isinstance(self._listed, dict) else None
        names = list(clusters) if isinstance(clusters, dict) else []
        stale = [
            name
            for name in names
            if cluster in (None, name)
            and (fresh or now - self._jobs_at.get(name, float("-inf")) > self.poll_seconds)
        ]
        if stale:
            untold = [n for n in names if n not in self._details and n not in self._without_details]
            soon = Deadline.after(max(0.01, min(QUEUE_SECONDS, deadline.left())))
            await asyncio.gather(
                self._fetch_status(soon),
                *(self._fetch_jobs(name, soon) for name in stale),
                *(self._fetch_details(name, soon) for name in untold),
            )

    async def _list(self, deadline: Deadline) -> Any:
        """Return the list of models; nothing goes on without it, so it is asked for again."""
        async for attempt in tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(retries.is_answered),
            wait=retries.pause,
            stop=retries.stop(deadline.left()),
            reraise=True,
        ):
            with attempt:
                return await self.get("/list-endpoints", deadline)
        raise AssertionError  # pragma: no cover - the loop returns or raises

    async def _fetch_status(self, deadline: Deadline) -> None:
        self._status = await self._optional("/status", deadline)

    async def _fetch_jobs(self, name: str, deadline: Deadline) -> None:
        self._jobs[name] = await self._optional(f"/{quote(name, safe='')}/jobs", deadline)
        self._jobs_at[name] = time.monotonic()
        self.checked_at = time.time()

    async def _fetch_details(self, name: str, deadline: Deadline) -> None:
        answer = await self._optional(f"/{quote(name, safe='')}/models", deadline)
        if answer is None:
            self._without_details.add(name)
        else:
            self._details[name] = answer

    async def _optional(self, path: str, deadline: Deadline) -> Any:
        """Return the answer, or None where the service has none; who one is must be known."""
        try:
            return await self.get(path, deadline)
        except RestrictedError:
            return None  # signed in, but not for this: the rest of the list holds
        except SignInError:
            raise
        except AlcfError as error:
            lost = isinstance(error, NoConnectionError) and not self._profile.is_gateway
            if lost or type(error) is UsageError:  # a proxy or certificates that cannot be used
                raise
            return None
