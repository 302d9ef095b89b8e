"""The straight line from a prompt to a Reply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alcf_jupyter.connection.call import Call, Status
from alcf_jupyter.connection.deadline import Deadline
from alcf_jupyter.connection.session import choose, client
from alcf_jupyter.errors import (
    AlcfError,
    AnswerError,
    AnswerInterrupted,
    UsageError,
    nearest,
)
from alcf_jupyter.progress import StderrObserver
from alcf_jupyter.prompt import reply as replies
from alcf_jupyter.service.dialect import Answer
from alcf_jupyter.service.limits import MAX_STOPS

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
    call = Call(
        "completions",
        choose(model, "chat"),
        cluster,
        {"prompt": prompt, **_given(params)},
        Deadline.after(timeout),
        wait,
    )
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
    events = replying(prompt, **options)
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
    given = _given(params)
    if client().profile.is_gateway:
        _check_parameters(given)
    messages = [{"role": "user", "content": prompt}]
    if system:
        messages.insert(0, {"role": "system", "content": system})
    body = {"messages": messages, **given}
    return Call("chat/completions", choose(model, "chat"), cluster, body, deadline)


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


def _given(params: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is None: the gateway refuses even an unknown field that is null."""
    return {name: value for name, value in params.items() if value is not None}


def _check_parameters(params: dict[str, Any]) -> None:
    for name in params:
        if name not in CHAT_PARAMETERS:
            near = nearest(name, CHAT_PARAMETERS)
            raise UsageError(
                f"The service takes no parameter {name!r} in a chat; nothing was sent.",
                do=f"Did you mean:  {near[0]}" if near else "Leave it out.",
            )
    stops = params.get("stop")
    if isinstance(stops, (list, tuple)) and len(stops) > MAX_STOPS:
        raise UsageError(
            f"{len(stops)} stop texts are too many; the service takes {MAX_STOPS}.",
            do="Keep the ones that matter.",
        )
    if params.get("n", 1) != 1:
        raise UsageError(
            "A chat gives one answer here, so n stays 1.", do="Ask several times, with other seeds."
        )
