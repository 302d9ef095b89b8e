"""What is looked up at the service for the panel: in threads of its own, at the service's pace."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from alcf_jupyter.connection import worker
from alcf_jupyter.errors import AlcfError, SignInError
from alcf_jupyter.notebook.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from alcf_jupyter.connection.client import Client

_FOLLOWED_SECONDS: Final = 600.0
"""How long after the last use the service is still asked."""

_MOST_BATCHES: Final = 20


class Looks:
    """Looks models and batches up, one look of a kind at a time, and keeps what they came to.

    Parameters
    ----------
    client
        The service that is asked.

    Attributes
    ----------
    who
        Who the service takes the user for, ``""`` where it has not told.
    refused
        Why it takes the user for nobody, ``""`` where it does not.
    batches
        As `protocol.json` has them.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.who = self.refused = ""
        self.batches: list[dict[str, Any]] = []
        self._active = False
        self._used = time.monotonic()
        self._guard = threading.Lock()
        self._under_way: dict[str, Future[None]] = {}
        self._trouble: dict[str, str] = {}
        self._at: dict[str, float] = {}
        self._looked: dict[str, float] = {}

    @property
    def followed(self) -> bool:
        """Whether the service goes on being asked; it ends ten minutes after the last use."""
        return time.monotonic() - self._used < _FOLLOWED_SECONDS

    def touch(self) -> None:
        """Note that somebody uses the panel, or what it shows."""
        self._used = time.monotonic()

    def trouble(self, kind: str) -> str:
        """Return why the last look at ``"models"`` or ``"batches"`` brought nothing, in words."""
        return self._trouble.get(kind, "")

    def at(self, kind: str) -> float | None:
        """Return when the last look at something was that brought it, in epoch seconds."""
        return self._at.get(kind)

    def go_on(self, kind: str) -> None:
        """Look at something again if it is time to."""
        if not self.followed:
            return
        looked = self._looked.get(kind)
        if looked is None or self._is_due(kind, looked):
            self.look(kind)

    def look(self, kind: str, *, fresh: bool = False) -> Future[None]:
        """Look at something now, or wait with whoever does so already.

        Parameters
        ----------
        kind
            ``"models"`` or ``"batches"``.
        fresh
            Ask also where the answer of a moment ago is still good.
        """
        with self._guard:
            now = self._under_way.get(kind)
            if now is None or now.done():
                self._looked[kind] = time.monotonic()
                work = self._models if kind == "models" else self._batches
                now = self._under_way[kind] = worker.start(lambda: self._try(kind, work, fresh))
            return now

    def _is_due(self, kind: str, looked: float) -> bool:
        since = time.monotonic() - looked
        if kind == "models":
            return since >= self.client.profile.poll_seconds
        from alcf_jupyter.frames.batch_submission import pause

        return self._active and since >= pause(self.client)

    def _try(self, kind: str, work: Callable[[bool], None], fresh: bool) -> None:  # noqa: FBT001
        try:
            work(fresh)
        except AlcfError as error:
            self._trouble[kind] = one_line(f"{error.what} {error.do}", 400)
            if isinstance(error, SignInError):
                self.refused, self.who = error.what, ""
            raise
        self._trouble[kind] = ""
        self._at[kind] = time.time()
        self.refused = ""

    def _models(self, fresh: bool) -> None:  # noqa: FBT001
        self.client.models(fresh=fresh)
        self.who = self.client.who()

    def _batches(self, fresh: bool) -> None:  # noqa: ARG002, FBT001
        from alcf_jupyter.errors import UsageError
        from alcf_jupyter.frames import batch_metrics
        from alcf_jupyter.service.batches import ENDED

        if not self.client.profile.is_gateway:
            raise UsageError(f"{self.client.profile} has no batches.", do="")
        listed = batch_metrics.listing(self.client)
        if listed is None:
            raise UsageError(
                "The service cannot list your batches: the model of one was withdrawn.",
                do="See the ones this machine knows:  %alcf batches",
            )
        newest = sorted(listed, key=lambda one: (one.created or 0.0, one.id), reverse=True)
        found = batch_metrics.known(newest[:_MOST_BATCHES], self.client)
        self.batches = [_batch(one) for one in found]
        self._active = any(one.batch.status not in ENDED for one in found)


def _batch(one: Any) -> dict[str, Any]:
    """Return a batch with the counts that are known of it."""
    batch = one.batch
    where = f"{batch.model or 'model not told'} @ {batch.cluster}"
    lines = sum(task.lines or 0 for task in one.tasks)
    failed = sum(task.failed or 0 for task in one.tasks)
    rows, done, words = lines, lines, ""
    if not one.tasks and batch.status == "running":
        rows, done, failed, words = _under_way(batch.id)
    begun = time.strftime("%Y-%m-%d %H:%M", time.localtime(batch.created)) if batch.created else ""
    told = words or (f"{lines:,} lines" if lines else "")
    told += f" · {failed:,} failed" if failed and not words else ""
    parts = (told, f"begun {begun}" if begun else "", one.reason)
    return {
        "key": batch.id,
        "title": one_line(where),
        "state": one_line(batch.status),
        "words": one_line(" · ".join(part for part in parts if part), 400),
        "rows": rows,
        "done": done,
        "failed": failed,
    }


def _under_way(batch_id: str) -> tuple[int, int, int, str]:
    """Return the lines of a running batch, how many are done and failed, and that in words."""
    from alcf_jupyter.frames.batches import batch

    with contextlib.suppress(AlcfError):
        campaign = batch(batch_id)
        now = campaign.progress()
        rows = now.total or campaign.rows or now.lines
        return rows, min(now.lines, rows), min(now.failed, now.lines), str(now)
    return 0, 0, 0, ""
