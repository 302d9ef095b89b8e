"""What a run over many rows will take, said before it starts: ``alcf.estimate``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alcf_jupyter.connection.deadline import words as span
from alcf_jupyter.connection.session import client
from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.recorded import expired
from alcf_jupyter.service import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from alcf_jupyter.connection.call import Call
    from alcf_jupyter.frames.run import Run
    from alcf_jupyter.progress import RunObserver

SAID_FROM_ROWS = 100
"""A run of more rows than this says what it will take before it starts."""

_BYTES_PER_TOKEN = 4
_BATCH_SECONDS = 1800.0
"""What takes longer than this is better sent as a batch, where the model takes batches."""


def tokens_in(text: str) -> int:
    """Return about how many tokens a text has, by its length."""
    return -(-len(text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will take, about.

    Attributes
    ----------
    rows
        How many are sent: no missing ones, and none that is recorded already.
    requests
        How many requests that makes.
    prompt_tokens
        Tokens in, by the length of the texts.
    completion_tokens
        Tokens out at the most; None where nothing limits them.
    seconds
        At the service's pace of requests, and no faster; None where no limit is known.
    token_seconds
        At the gateway's default of tokens a minute, which may not be the deployed one; None where
        no limit is known.
    as_batch
        Whether it is better sent as a batch.
    """

    rows: int
    requests: int
    prompt_tokens: int
    completion_tokens: int | None
    seconds: float | None
    token_seconds: float | None
    as_batch: bool

    @classmethod
    def of(
        cls, sizes: Sequence[int], call: Call, *, requests: int, most_tokens: int | None
    ) -> Estimate:
        """Return the estimate for prompts of these sizes in tokens, on the current service.

        Parameters
        ----------
        sizes
            Of each row that is sent.
        call
            The model, and the cluster.
        requests
            How many they make.
        most_tokens
            Tokens of an answer at the most; None for no limit, 0 for none.
        """
        profile = client().profile
        tokens = sum(sizes)
        out = None if most_tokens is None else most_tokens * len(sizes)
        rate = profile.requests_per_second
        seconds = requests / rate if rate else None
        by_tokens = None
        if profile.is_gateway:
            by_tokens = 60.0 * (tokens + (out or 0)) / limits.TOKENS_PER_MINUTE_USER
        slow = (seconds or 0.0) > _BATCH_SECONDS
        return cls(
            len(sizes), requests, tokens, out, seconds, by_tokens, slow and _takes_batches(call)
        )

    def __str__(self) -> str:
        parts = [f"{self.rows:,} rows to send", f"about {self.prompt_tokens:,} tokens in"]
        if self.completion_tokens:
            parts.append(f"up to {self.completion_tokens:,} out")
        if self.seconds and self.seconds > 1:
            parts.append(
                f"at least {span(max(1.0, self.seconds))} at "
                f"{self.requests / self.seconds:.3g} requests a second"
            )
        if self.token_seconds is not None and self.token_seconds > max(60.0, self.seconds or 0.0):
            parts.append(
                f"{span(self.token_seconds)} if {limits.TOKENS_PER_MINUTE_USER:,} tokens a minute "
                "are granted"
            )
        if self.as_batch:
            parts.append('better as a batch:  via="batch"')
        return " · ".join(parts)

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:  # noqa: FBT001 - IPython's
        printer.text(str(self))


def estimate(
    data: Any,
    template: str | None = None,
    *,
    model: str | None = None,
    cluster: str | None = None,
    system: str | None = None,
    max_tokens: int | None = None,
) -> Estimate:
    """Return what `map` over a table, or `embed` of a column, will take; nothing is sent.

    Parameters
    ----------
    data, template
        As for `map`; without a template, texts as for `embed`.
    model, cluster, system, max_tokens
        As for `map`.

    Returns
    -------
    Estimate
        Its text is one line.

    Raises
    ------
    UsageError, ModelNotChosenError
        As `map` and `embed` do.
    """
    if template is None:
        from alcf_jupyter.frames.embeddings import rehearse as rehearse_texts

        if system is not None or max_tokens is not None:
            raise UsageError(
                "Embeddings have no system prompt and no answer's length.",
                do="For prompts over rows:  alcf.estimate(df, 'Classify: {{title}}')",
            )
        return rehearse_texts(data, model, cluster)
    from alcf_jupyter.frames.column import rehearse

    return rehearse(data, template, model, cluster, system, max_tokens)


def say(watcher: RunObserver, run: Run, make: Callable[[], Estimate]) -> None:
    """Say before a large run what it will take, and what was deleted for having expired."""
    if run.recorded_in and (gone := expired()):
        watcher.note(gone)
    if run.progress.pending > SAID_FROM_ROWS:
        watcher.note(str(make()))


def _takes_batches(call: Call) -> bool:
    known = client().known
    found = [
        one
        for one in known.models
        if one.id.casefold() == call.model.casefold() and call.cluster in (None, one.cluster)
    ]
    return any(one.can_batch for one in found)
