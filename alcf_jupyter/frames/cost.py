"""What a run over many rows will take: requests, tokens and time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alcf_jupyter.connection.deadline import words as span
from alcf_jupyter.connection.session import client
from alcf_jupyter.frames.tables import not_sent
from alcf_jupyter.plain import counted
from alcf_jupyter.service import limits
from alcf_jupyter.service.batches import MOST_LINES
from alcf_jupyter.typed import typed

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

    from alcf_jupyter.connection.call import Call

_BATCH_SECONDS = 1800.0
"""What takes longer than this is better sent as a batch, where the model takes batches."""

_EMBED = "alcf.submit_batch(…, kind='embed')"


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will take, about.

    Attributes
    ----------
    rows
        How many are sent: no missing ones, and none that is recorded already.
    recorded
        How many are not sent, since their answers are recorded.
    skipped, failed
        How many are not sent: with nothing in them, and those that no request can hold.
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
        Whether it is better sent as a batch: it takes long, and the model is not known to take
        none. The service does not tell which models take batches until one was submitted.
    batch_files
        How many files of up to 150,000 requests that makes, each a batch; 0 where the service has
        no batches, or the model is known to take none.
    way
        How the batch is typed.
    service
        Which service that is for, as provenance names it.
    """

    rows: int
    recorded: int
    skipped: int
    failed: int
    requests: int
    prompt_tokens: int
    completion_tokens: int | None
    seconds: float | None
    token_seconds: float | None
    as_batch: bool
    batch_files: int
    way: str
    service: str

    @classmethod
    def of(
        cls,
        sizes: Sequence[int],
        call: Call,
        *,
        unsent: Counter[str],
        recorded: int,
        requests: int,
        most_tokens: int | None,
    ) -> Estimate:
        """Return the estimate for prompts of these sizes in tokens, on the current service.

        Parameters
        ----------
        sizes
            Of each row that is sent.
        call
            The model, and the cluster.
        unsent
            How many rows are not sent, by status.
        recorded
            How many are not sent, since their answers are recorded.
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
        files = -(-len(sizes) // MOST_LINES) if profile.is_gateway and _may_batch(call) else 0
        as_batch = files > 0 and max(seconds or 0.0, by_tokens or 0.0) > _BATCH_SECONDS
        way = _EMBED if call.route == "embeddings" else typed(via="batch")
        return cls(
            len(sizes),
            recorded,
            unsent["skipped"],
            unsent["failed"],
            requests,
            tokens,
            out,
            seconds,
            by_tokens,
            as_batch,
            files,
            way,
            profile.name,
        )

    def __str__(self) -> str:
        unsent = not_sent({"skipped": self.skipped, "failed": self.failed})
        known = f", {self.recorded:,} from the record" if self.recorded else ""
        parts = [f"{counted(self.rows, 'row')} to send{known}", *unsent]
        parts.append(f"about {self.prompt_tokens:,} tokens in")
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
        if self.service == "sandbox":
            parts.append("local sandbox")
        if self.as_batch:
            files = f" of {self.batch_files:,} files" if self.batch_files > 1 else ""
            parts.append(f"better as a batch{files}, where the model takes them:  {self.way}")
        return " · ".join(parts)

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:  # noqa: FBT001 - IPython's
        printer.text(str(self))


def _may_batch(call: Call) -> bool:
    """Tell whether a model takes batches as far as is known; mostly nobody has told."""
    found = [
        one
        for one in client().known.models
        if one.id.casefold() == call.model.casefold() and call.cluster in (None, one.cluster)
    ]
    return any(one.can_batch is not False for one in found)
