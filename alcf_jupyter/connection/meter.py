"""What this kernel has asked of a service: requests and tokens, in all and lately."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alcf_jupyter.service.catalog import Model
    from alcf_jupyter.service.dialect import Usage

WINDOW_SECONDS = 60.0
"""The service counts tokens in windows of this length."""


@dataclass(slots=True)
class Count:
    """What one model was asked: answers, tokens in and tokens out."""

    answers: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


_meters: list[Meter] = []
_counted_batches: set[str] = set()


def meters() -> list[Meter]:
    """Return the meter of every service that this kernel was connected to, in order."""
    return list(_meters)


class Meter:
    """Counts answers and their tokens, by model.

    Parameters
    ----------
    service
        The name of the service, such as ``"alcf"``.
    """

    def __init__(self, service: str = "") -> None:
        self.service = service
        _meters.append(self)
        self._by_model: dict[tuple[str, str], Count] = {}
        self._lately: deque[tuple[float, str, int]] = deque(maxlen=100_000)

    def counts(self) -> dict[tuple[str, str], Count]:
        """Return what was counted so far, by cluster and model."""
        return dict(self._by_model)

    def add(self, model: Model, usage: Usage) -> None:
        """Count an answer of `model`; tokens that the service does not tell count as none."""
        count = self._by_model.setdefault((model.cluster, model.id), Count())
        count.answers += 1
        count.prompt_tokens += usage.prompt_tokens or 0
        count.completion_tokens += usage.completion_tokens or 0
        tokens = (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)
        self._lately.append((time.monotonic(), model.id, tokens))

    def add_batch(self, name: str, model: Model, batch: Count) -> None:
        """Count the answers of a batch, the first time that this kernel reads them.

        Parameters
        ----------
        name
            What tells the batch from others.
        model, batch
            Who answered, and what.
        """
        if name in _counted_batches:
            return
        _counted_batches.add(name)
        count = self._by_model.setdefault((model.cluster, model.id), Count())
        count.answers += batch.answers
        count.prompt_tokens += batch.prompt_tokens
        count.completion_tokens += batch.completion_tokens

    def lately(self, model: str | None = None) -> tuple[int, int]:
        """Return the answers and the tokens of the last minute, of `model` or of all."""
        since = time.monotonic() - WINDOW_SECONDS
        # copied in one go: the connection's thread adds to it all the time
        lately = tuple(self._lately)
        found = [tokens for at, name, tokens in lately if at > since and model in (None, name)]
        return len(found), sum(found)
