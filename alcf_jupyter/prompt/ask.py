"""The straight line from a prompt to a Reply."""

from __future__ import annotations

import math
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

from alcf_jupyter.connection.call import Call, Status, write_json
from alcf_jupyter.connection.deadline import Deadline
from alcf_jupyter.connection.session import choose, client
from alcf_jupyter.errors import (
    AlcfError,
    AnswerError,
    AnswerInterrupted,
    UsageError,
    nearest,
)
from alcf_jupyter.plain import brief
from alcf_jupyter.progress import StderrObserver
from alcf_jupyter.prompt import reply as replies
from alcf_jupyter.service.dialect import Answer
from alcf_jupyter.service.limits import MAX_STOPS, check_body

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from alcf_jupyter.connection.client import Client
    from alcf_jupyter.progress import Observer
    from alcf_jupyter.prompt.reply import Reply
    from alcf_jupyter.service.dialect import Piece

TIMEOUT = "30m"

CHAT_PARAMETERS = frozenset(
    {
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "metadata",
        "modalities",
        "n",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "reasoning_effort",
        "response_format",
        "seed",
        "service_tier",
        "stop",
        "store",
        "temperature",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "user",
        "web_search_options",
        "extra_body",
    }
)
"""What the gateway takes in a chat, read in its source (2026-05-29); it refuses others."""


COMPLETION_PARAMETERS = frozenset(
    {
        "best_of",
        "echo",
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "max_tokens",
        "n",
        "presence_penalty",
        "seed",
        "stop",
        "suffix",
        "temperature",
        "top_p",
        "user",
    }
)
"""The same for a completion."""

_OURS = {
    "messages": "Give the prompt and system=; a conversation goes by thread.",
    "stream": "For the answer as it arrives:  alcf.stream(…)",
    "stream_options": "For the answer as it arrives:  alcf.stream(…)",
}


def chat(
    prompt: str,
    *,
    model: str | None = None,
    cluster: str | None = None,
    system: str | None = None,
    timeout: str | float = TIMEOUT,
    wait: bool = True,
    observer: Observer | None = None,
    **params: Any,
) -> Reply:
    """Ask a model and return its answer.

    Parameters
    ----------
    prompt
        What to ask.
    model, cluster
        Which model; the defaults set with `use` where not given. A model that is not Live is
        waited for.
    system
        The system prompt.
    timeout
        For everything, the queue included: seconds, or words such as ``"30m"``.
    wait
        False to fail at once when the model is not Live.
    observer
        Told how the queue is; stderr by default.
    **params
        Whatever else the service accepts: ``temperature``, ``max_tokens``, ``top_p``, ``seed``,
        ``stop``, ...; none is sent unless given.

    Returns
    -------
    Reply
        See `Reply`. An answer cut off at the token limit is marked, not raised.

    Raises
    ------
    ModelNotChosenError, UsageError
        Before anything is sent.
    AnswerError
        What came is no answer, or stopped before its end.
    SignInError, NoConnectionError, ServiceError
        See `errors`.
    """
    talk = client()
    call = request(prompt, model, cluster, system, Deadline.after(timeout), params)
    call.patient = wait
    answer = talk.chat(call, observer or StderrObserver())
    return replies.of(answer, call, talk.profile)


def complete(
    prompt: str,
    *,
    model: str | None = None,
    cluster: str | None = None,
    timeout: str | float = TIMEOUT,
    wait: bool = True,
    observer: Observer | None = None,
    **params: Any,
) -> Reply:
    """Have a text continued, by the ``/completions`` route; see `chat` for the parameters."""
    talk = client()
    _check_prompt(prompt)
    given = _given(params, COMPLETION_PARAMETERS, "a completion")
    body = {"prompt": prompt, **given}
    name = choose(model, "chat")
    call = _sendable(Call("completions", name, cluster, body, Deadline.after(timeout), wait))
    answer = talk.complete(call, observer or StderrObserver())
    return replies.of(answer, call, talk.profile)


def stream(prompt: str, **options: Any) -> Iterator[str]:
    """Ask a model and yield its answer as it arrives; see `chat` for the options.

    Raises
    ------
    AnswerError
        Also after the last piece, when the stream ends without saying that the answer is whole.
    """
    observer: Observer = options.pop("observer", None) or StderrObserver()
    with closing(replying(prompt, **options)) as events:
        for event in events:
            if isinstance(event, Status):
                observer.status(event.words)
            elif event is not None and event.text:
                yield event.text


def replying(
    prompt: str,
    *,
    model: str | None = None,
    cluster: str | None = None,
    system: str | None = None,
    timeout: str | float = TIMEOUT,
    wait: bool = True,
    **params: Any,
) -> Generator[Piece | Status | None, None, Reply]:
    """Ask a model, yield what happens and return the Reply; see `chat` for the parameters.

    Yields
    ------
    Piece, Status or None
        A piece of the answer; how the queue is; None after a tenth of a second of nothing.

    Raises
    ------
    AnswerError, AnswerInterrupted
        Its `reply` holds what had arrived.
    """
    talk = client()
    call = request(prompt, model, cluster, system, Deadline.after(timeout), params)
    call.body["stream_options"] = {"include_usage": True}
    call.patient = wait
    return (yield from _with_partial(talk, call))


def _with_partial(talk: Client, call: Call) -> Generator[Piece | Status | None, None, Reply]:
    def so_far(stopped: str) -> Reply:
        answer = call.reading.answer if call.reading else Answer()
        if answer.complete:  # it said that it was, and then something failed
            stopped = stopped or "failed"
        return replies.of(answer, call, talk.profile, stopped=stopped)

    try:
        answer = yield from talk.stream(call)
    except AnswerError as error:
        error.reply = so_far("")
        raise
    except AlcfError as error:
        if call.reading is None or call.reading.empty:
            raise
        late = AnswerError(error.what, why=error.why, do=error.do)
        late.reply = so_far("")
        raise late from None
    except KeyboardInterrupt:
        stop = AnswerInterrupted()
        stop.reply = so_far("interrupted")
        raise stop from None
    return replies.of(answer, call, talk.profile)


def request(
    prompt: str,
    model: str | None,
    cluster: str | None,
    system: str | None,
    deadline: Deadline,
    params: dict[str, Any],
) -> Call:
    """Return the call for a chat, checked as far as it can be before anything is sent."""
    _check_prompt(prompt)
    if system is not None and not isinstance(system, str):
        raise UsageError(
            f"A system prompt is a text, not a {type(system).__name__}.", do="Leave system out."
        )
    given = _given(params, CHAT_PARAMETERS, "a chat")
    messages = [{"role": "user", "content": prompt}]
    if system:
        messages.insert(0, {"role": "system", "content": system})
    body = {"messages": messages, **given}
    return _sendable(Call("chat/completions", choose(model, "chat"), cluster, body, deadline))


def _sendable(call: Call) -> Call:
    """Check what could not be sent before anything is waited for."""
    size = len(write_json({"model": call.model, **call.body}))
    if client().profile.is_gateway:
        check_body(size)
    return call


def _check_prompt(prompt: object) -> None:
    if not isinstance(prompt, str):
        raise UsageError(
            f"A prompt is a text, not a {type(prompt).__name__}.", do="Type:  alcf.chat('…')"
        )
    if not prompt.strip():
        raise UsageError(
            "The prompt is empty; nothing was sent.",
            do="Write it into the cell:\n  %%alcf_chat\n  What is an exascale computer?",
        )


def _given(params: dict[str, Any], known: frozenset[str], kind: str) -> dict[str, Any]:
    """Return the parameters to send, checked as far as it can be before anything is sent.

    None is left out: the gateway refuses even an unknown field that is null.
    """
    given = {name: value for name, value in params.items() if value is not None}
    finite = True
    for name, value in given.items():
        if name in _OURS:
            raise UsageError(f"{name} is set by the call itself.", do=_OURS[name])
        if client().profile.is_gateway and name not in known:
            near = nearest(name, known)
            raise UsageError(
                f"The service takes no parameter {brief(name, 60)!r} in {kind}; nothing was sent.",
                do=f"Did you mean:  {near[0]}" if near else "Leave it out.",
            )
        with suppress(RecursionError):  # what goes round in circles is refused as it is written
            finite = _is_finite(value)
        if not finite:
            raise UsageError(
                f"{name} holds a number that is not finite; nothing was sent.",
                do="Give it a plain number.",
            )
    _check_values(given)
    return given


def _is_finite(value: Any) -> bool:
    """Tell whether all numbers are; JSON has no others, and null in their place means "unset"."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(_is_finite(inner) for inner in value.values())
    if isinstance(value, (list, tuple)):
        return all(_is_finite(inner) for inner in value)
    return _is_finite(value.tolist()) if hasattr(value, "tolist") else True


def _check_values(given: dict[str, Any]) -> None:
    stops = given.get("stop")
    if isinstance(stops, (list, tuple)) and len(stops) > MAX_STOPS:
        raise UsageError(
            f"{len(stops)} stop texts are too many; the service takes {MAX_STOPS}.",
            do="Keep the ones that matter.",
        )
    if given.get("n", 1) != 1:
        raise UsageError(
            "One answer is given here, so n stays 1.", do="Ask several times, with other seeds."
        )
