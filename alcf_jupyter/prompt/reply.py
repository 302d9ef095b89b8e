"""Reply: the value of a chat, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from alcf_jupyter.connection.record.origin import ASKED, origin, sha256
from alcf_jupyter.plain import clean
from alcf_jupyter.service.dialect import Answer, Usage

if TYPE_CHECKING:
    from alcf_jupyter.connection.call import Call
    from alcf_jupyter.connection.profiles import Profile
    from alcf_jupyter.prompt.tools import ToolRun

_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True, slots=True)
class Timing:
    """How long an answer took, in seconds.

    Attributes
    ----------
    waited
        For the model to be Live.
    first_token
        From the request to the first piece of a streamed answer; None if it was not streamed.
    total
        From the request to the end of the answer.
    """

    waited: float
    first_token: float | None
    total: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A model's answer.

    Attributes
    ----------
    text
        The answer as it came. It is the model's text: do not run it, and show it with care.
    reasoning
        What the model thought before it answered, where it tells.
    data
        The parsed and validated answer where a schema was given.
    complete
        Whether this is a whole answer. A cut-off or interrupted one is not.
    finish_reason
        Why the model stopped: ``stop``, ``length`` (cut off at the token limit), ``interrupted``,
        ...; ``""`` where the service did not say.
    usage
        Tokens in and out.
    timing
        See `Timing`.
    model, cluster
        What answered.
    states
        States of the model passed on the way, such as ``("Offline", "Queued", "Live")``.
    tool_calls
        Each call of a tool on the way to the answer, and what came of it.
    asked_for
        The calls of tools that this answer asks for, as the service gives them.
    remarks
        What was done besides asking, in words: an image made smaller, a thread's turns dropped.
    provenance
        Everything needed to say where the answer came from; no token and no user's name.
    """

    text: str
    reasoning: str = ""
    data: Any = None
    complete: bool = True
    finish_reason: str = "stop"
    usage: Usage = field(default_factory=Usage)
    timing: Timing = field(default_factory=lambda: Timing(0.0, None, None))
    model: str = ""
    cluster: str = ""
    states: tuple[str, ...] = ()
    tool_calls: tuple[ToolRun, ...] = ()
    remarks: tuple[str, ...] = ()
    asked_for: list[dict[str, Any]] = field(default_factory=list, repr=False)
    provenance: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        text = clean(self.text)
        return text if self.complete else f"{text}\n[{self.note}]"

    @property
    def note(self) -> str:
        """Why this is not a whole answer, in words; ``""`` where it is."""
        if self.complete:
            return ""
        known = {
            "length": "Incomplete: cut off at the token limit (for more: -n, or max_tokens=)",
            "interrupted": "Incomplete: interrupted",
            "content_filter": "Incomplete: stopped by a content filter",
            "failed": "Incomplete: a failure was reported before the end",
            "stop": "Incomplete: the model thought but gave no answer",
            "tool_calls": "Incomplete: the model announced tool calls that did not come",
            "": "Incomplete: the stream stopped before its end",
        }
        return known.get(self.finish_reason, f"Incomplete: {clean(self.finish_reason)[:60]}")

    @property
    def footer(self) -> str:
        """What answered, in one line without times, so that it is the same on every run."""
        parts = [f"{self.model} @ {self.cluster}" if self.cluster else self.model]
        if self.provenance.get("service") == "sandbox":
            parts.append("local sandbox")
        parts.append(self._tokens())
        if len(self.states) > 1:
            parts.append(" → ".join(self.states))
        parts += self.remarks
        return " · ".join(part for part in parts if part)

    def _tokens(self) -> str:
        used = self.usage
        if used.prompt_tokens is None or used.completion_tokens is None:
            return ""
        return f"{used.prompt_tokens:,} in / {used.completion_tokens:,} out"


def of(answer: Answer, call: Call, profile: Profile, *, stopped: str = "") -> Reply:
    """Return the reply that `answer` to `call` makes.

    Parameters
    ----------
    answer
        What came.
    call
        What was asked.
    profile
        The service.
    stopped
        Why it is not whole, where that is known better than the answer says.
    """
    model = call.served.id if call.served else call.model
    cluster = call.served.cluster if call.served else call.cluster or ""
    timing = Timing(call.wait.seconds, call.first_seconds, call.total_seconds)
    complete = answer.complete and not stopped
    asked = {name: value for name, value in call.body.items() if name in ASKED}
    return Reply(
        text=answer.text,
        reasoning=answer.reasoning,
        complete=complete,
        finish_reason=stopped or answer.finish_reason,
        usage=answer.usage,
        timing=timing,
        model=model,
        cluster=cluster,
        states=tuple(str(state) for state in call.wait.states),
        asked_for=answer.tool_calls,
        provenance=origin(
            call,
            profile,
            served=answer.model,
            asked_sha256=sha256(repr(asked)),
            answer_sha256=sha256(answer.text),
            usage=answer.usage,
            finish_reason=stopped or answer.finish_reason,
            complete=complete,
        ),
    )


def joined(first: Reply, last: Reply) -> Reply:
    """Return the last reply of several requests that make one answer, with the sums of them all."""
    used = Usage(
        _sum(first.usage.prompt_tokens, last.usage.prompt_tokens),
        _sum(first.usage.completion_tokens, last.usage.completion_tokens),
        _sum(first.usage.total_tokens, last.usage.total_tokens),
    )
    timing = Timing(
        first.timing.waited + last.timing.waited,
        first.timing.first_token,
        _sum(first.timing.total, last.timing.total),
    )
    kept = ("prompt_sha256", "states", "tool_calls")
    provenance = {
        **last.provenance,
        **{name: first.provenance[name] for name in kept if name in first.provenance},
        "prompt_tokens": used.prompt_tokens,
        "completion_tokens": used.completion_tokens,
        "waited_seconds": round(timing.waited, 3),
        "total_seconds": None if timing.total is None else round(timing.total, 3),
        "requests": first.provenance.get("requests", 1) + 1,
    }
    return replace(
        last,
        usage=used,
        timing=timing,
        states=first.states,
        tool_calls=first.tool_calls,
        provenance=provenance,
    )


def _sum(one: _Number | None, two: _Number | None) -> _Number | None:
    return None if one is None or two is None else one + two
