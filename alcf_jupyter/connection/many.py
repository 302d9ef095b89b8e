"""Many chats at once: in one request where the endpoint takes an array of them, else one by one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from alcf_jupyter.connection.call import read_json, write_json
from alcf_jupyter.errors import AlcfError, AnswerError, RefusedError
from alcf_jupyter.service import dialect, limits
from alcf_jupyter.service.failures import failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alcf_jupyter.connection.call import Call, Emit
    from alcf_jupyter.connection.caller import Caller
    from alcf_jupyter.connection.directory import Directory
    from alcf_jupyter.connection.http.transport import Transport
    from alcf_jupyter.service.catalog import Model
    from alcf_jupyter.service.dialect import Answer

MOST_CHATS = 64
"""Chats in one array. How many an endpoint takes is not told; a longer one also fails as a whole
more often."""

_AT_ONCE = 8
_NO_ARRAYS = {400, 404, 405, 415, 422, 500, 501}


class ManyChats:
    """Sends lists of chats to one service, and learns which endpoint takes them as an array.

    Parameters
    ----------
    transport, directory
        The way to the service, and what it has.
    caller
        Sends chats one by one.
    """

    def __init__(self, transport: Transport, directory: Directory, caller: Caller) -> None:
        self._transport = transport
        self._directory = directory
        self._caller = caller
        self._one_by_one: set[str] = set()

    async def send(
        self,
        calls: Sequence[Call],
        emit: Emit,
        found: list[Answer | AlcfError | None],
    ) -> list[Answer | AlcfError]:
        """Return for each chat its answer or the error it failed with, in order.

        Parameters
        ----------
        calls
            What to send.
        emit
            Told how the queue is.
        found
            As long as `calls`, and empty; each answer is put into its place as it comes.
        """
        for model, places in (await self._by_model(calls)).items():
            bodies = [write_json({"model": model.id, **calls[n].body}) for n in places]
            for part in limits.pack([len(b) + 1 for b in bodies], MOST_CHATS):
                if len(part) < 2 or model.cluster in self._one_by_one:
                    continue
                mine = [places[n] for n in part]
                answers = await self._packed([calls[n] for n in mine], model, bodies, part)
                for place, answer in zip(mine, answers, strict=False):
                    found[place] = answer
        left = [n for n, answer in enumerate(found) if answer is None]
        turns = asyncio.Semaphore(_AT_ONCE)

        async def fill(place: int) -> None:
            found[place] = await self._single(calls[place], turns, emit)

        await asyncio.gather(*map(fill, left))
        return [answer for answer in found if answer is not None]

    async def _by_model(self, calls: Sequence[Call]) -> dict[Model, list[int]]:
        """Group by model the chats that may go into an array."""
        groups: dict[Model, list[int]] = {}
        if calls and self._transport.profile.takes_arrays:
            known = await self._directory.catalog(calls[0].deadline)
            for n, call in enumerate(calls):
                call.served = known.find(call.model, call.cluster)
                groups.setdefault(call.served, []).append(n)
        return groups

    async def _packed(
        self, calls: list[Call], model: Model, bodies: list[bytes], part: range
    ) -> list[Answer | AlcfError]:
        """Send several chats as one array; an empty list if the endpoint takes none."""
        body = b"[" + b",".join(bodies[n] for n in part) + b"]"
        deadline = min((call.deadline for call in calls), key=lambda one: one.at)
        path = f"{model.path}/chat/completions"
        try:
            response = await self._transport.request("POST", path, deadline, body)
            if response.status != 200:
                raise failure(response.status, response.body, response.content_type)
            value = dialect.decode(response.body, response.content_type, read_json)
        except RefusedError as error:
            if error.status in _NO_ARRAYS:
                self._one_by_one.add(model.cluster)
                return []
            return [error] * len(calls)
        except AlcfError as error:
            return [error] * len(calls)
        if not isinstance(value, list) or len(value) != len(calls):
            return [_mixed_up(len(calls), value)] * len(calls)
        answers = [_read(one) for one in value]
        for answer in answers:
            if not isinstance(answer, AlcfError):
                self._caller.meter.add(model, answer.usage)
        return answers

    async def _single(self, call: Call, turns: asyncio.Semaphore, emit: Emit) -> Answer | AlcfError:
        async with turns:
            try:
                return await self._caller.chat(call, emit)
            except AlcfError as error:
                return error


def _read(value: Any) -> Answer | AlcfError:
    try:
        return dialect.read_chat(value)
    except AlcfError as error:
        return error


def _mixed_up(count: int, value: Any) -> AnswerError:
    told = f"{len(value)} answers" if isinstance(value, list) else "something else than a list"
    return AnswerError(
        f"The endpoint sent {told} for {count} chats.",
        why="None was taken, since it cannot be told which belongs to which.",
        do="Run the cell again.",
    )
