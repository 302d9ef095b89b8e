"""The gateway's routes for batches: create one, list them, ask for a status and a result."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from alcf_jupyter.connection.call import read_json, write_json
from alcf_jupyter.errors import (
    AlcfError,
    RateLimitError,
    RefusedError,
    RestrictedError,
    ServerFailureError,
    UnknownClusterError,
    UnknownModelError,
    UnreachableError,
    UsageError,
)
from alcf_jupyter.service import batches, dialect
from alcf_jupyter.service.failures import failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alcf_jupyter.connection.deadline import Deadline
    from alcf_jupyter.connection.directory import Directory
    from alcf_jupyter.connection.http.transport import Transport
    from alcf_jupyter.service.batches import Listed, Summary
    from alcf_jupyter.service.catalog import Model

_TRIES = 3
_AT_ONCE = 4
_PASSING = {429, 502, 503, 504}


class BatchRoutes:
    """Speaks to the routes for batches of one service.

    Parameters
    ----------
    transport, directory
        The way to the service, and what it has.
    """

    def __init__(self, transport: Transport, directory: Directory) -> None:
        self._transport = transport
        self._directory = directory
        self._profile = transport.profile

    async def model(self, name: str, cluster: str | None, deadline: Deadline) -> Model:
        """Return a model that batches are to be sent to.

        Raises
        ------
        UnknownModelError, UnknownClusterError
            There is none.
        UsageError
            This server takes no batches, or the model is known to take none.
        """
        self._check_gateway()
        try:  # a batch does not care how the model is, so what was seen before will do
            found = self._directory.known.find(name, cluster)
        except (UnknownModelError, UnknownClusterError):
            found = (await self._directory.catalog(deadline)).find(name, cluster)
        if found.can_batch is False:
            raise _without_batches(found)
        return found

    async def create(self, model: Model, input_file: str, folder: str, deadline: Deadline) -> str:
        """Create a batch and return its id.

        Sent once: after a lost answer nobody knows whether there is a batch now, and only the list
        tells. The folder is always sent; without it the gateway runs the batch and loses it.

        Raises
        ------
        RefusedError
            There is no batch: the quota is reached, or this input file is in use.
        UsageError
            The model takes no batches.
        """
        body = {"model": model.id, "input_file": input_file, "output_folder_path": folder}
        path = f"{model.path}/v1/batches"
        try:
            answer = await self._answer("POST", path, deadline, write_json(body), (RateLimitError,))
        except RefusedError as error:
            if error.code == "batch_unavailable":
                self._directory.learn(model, can_batch=False)
                raise _without_batches(model) from None
            raise
        if model.can_batch is not True:
            self._directory.learn(model, can_batch=True)
        return batches.read_created(answer)

    async def listed(self, status: str | None, deadline: Deadline) -> list[Listed]:
        """Return every batch of this identity, or those with a status."""
        self._check_gateway()
        query = f"?status={status}" if status else ""
        return batches.read_list(await self._get(f"/v1/batches{query}", deadline))

    async def status(self, batch_id: str, deadline: Deadline) -> str:
        """Return the word for how a batch is; the service looks at most every 30 s."""
        return batches.read_status(await self._get_of(batch_id, "", deadline))

    async def result(self, batch_id: str, deadline: Deadline) -> list[Summary]:
        """Return what each task of a batch did.

        Raises
        ------
        RefusedError
            It is not done (code batch_ongoing), or it failed (batch_failed).
        """
        return batches.read_result(await self._get_of(batch_id, "/result", deadline))

    async def results(
        self, batch_ids: Sequence[str], deadline: Deadline
    ) -> list[list[Summary] | AlcfError]:
        """Return what each of several batches did, or the error that was answered."""
        turns = asyncio.Semaphore(_AT_ONCE)

        async def one(batch_id: str) -> list[Summary] | AlcfError:
            async with turns:
                try:
                    return await self.result(batch_id, deadline)
                except AlcfError as error:
                    return error

        return await asyncio.gather(*map(one, batch_ids))

    async def _get_of(self, batch_id: str, rest: str, deadline: Deadline) -> Any:
        self._check_gateway()
        batch_id = batches.check_id(batch_id)
        try:
            return await self._get(f"/v1/batches/{batch_id}{rest}", deadline)
        except RestrictedError as error:
            raise RestrictedError(
                f"Batch {batch_id} is somebody else's, or another of your linked identities'.",
                why=error.why if "signed in" in error.why else "",
                do="A results file that you may read:  alcf.read_batch_results('….results.jsonl')",
            ) from None

    async def _get(self, path: str, deadline: Deadline) -> Any:
        return await self._answer(
            "GET",
            f"{self._profile.path}{path}",
            deadline,
            None,
            (RateLimitError, UnreachableError, ServerFailureError),
        )

    async def _answer(
        self,
        method: str,
        path: str,
        deadline: Deadline,
        body: bytes | None,
        again: tuple[type[AlcfError], ...],
    ) -> Any:
        """Send a request, and once more after a failure in `again` that may pass."""
        for left in reversed(range(_TRIES)):
            try:
                response = await self._transport.request(method, path, deadline, body)
                if response.status != 200:
                    raise failure(response.status, response.body, response.content_type)
            except again as error:
                lasting = isinstance(error, ServerFailureError) and error.status not in _PASSING
                if not left or lasting:
                    raise
                await asyncio.sleep(min(1.2 * (_TRIES - left), deadline.left()))
            else:
                return dialect.decode(response.body, response.content_type, read_json)
        raise AssertionError  # pragma: no cover - the loop returns or raises

    def _check_gateway(self) -> None:
        if not self._profile.is_gateway:
            raise UsageError(
                f"{self._profile} takes no batches: they are the ALCF gateway's.",
                do="Connect to it:  %alcf connect alcf",
            )


def _without_batches(model: Model) -> UsageError:
    return UsageError(
        f"{model.id} on {model.cluster} takes no batches.",
        why="Models that do are marked B in the user guide; the service does not list them.",
        do="Take another one:  %alcf models --can batch",
    )
