"""The straight line from a prompt to a Reply."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

from alcf_jupyter.connection import loop
from alcf_jupyter.connection.call import Status
from alcf_jupyter.connection.session import client
from alcf_jupyter.errors import AlcfError, AnswerError, AnswerInterrupted
from alcf_jupyter.progress import StderrObserver
from alcf_jupyter.prompt import reply as replies
from alcf_jupyter.prompt import request as requests
from alcf_jupyter.prompt.request import TIMEOUT
from alcf_jupyter.prompt.rounds import hold
from alcf_jupyter.service.dialect import Answer

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from alcf_jupyter.connection.call import Call
    from alcf_jupyter.connection.client import Client
    from alcf_jupyter.progress import Observer
    from alcf_jupyter.prompt.reply import Reply
    from alcf_jupyter.service.dialect import Piece


def chat(  # noqa: PLR0913 - what can be said about a prompt, each by its name
    prompt: str,
    *,
    model: str | None = None,
    cluster: str | None = None,
    system: str | None = None,
    images: Any = (),
    thread: str | None = None,
    new_thread: bool = False,
    schema: Any = None,
    tools: Any = (),
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
    images
        Files, PIL images, matplotlib figures or NumPy arrays, one or several; they are made
        smaller where the service would not take them. Nothing is fetched from the web.
    thread, new_thread
        The name of a conversation to go on with, and whether to begin it anew. A cell that is run
        again replaces its own turn.
    schema
        The form of the answer: a pydantic model, a JSON schema (a dict or a file), or
        ``"name, age int, tags list[str]"``. The answer is checked, and is in the reply's `data`.
    tools
        Python functions that the model may ask to have called.
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
        What came is no answer, stopped before its end, or has not the form asked for.
    SignInError, NoConnectionError, ServiceError
        See `errors`.
    """
    watcher = observer or StderrObserver()
    steps = replying(
        prompt,
        model=model,
        cluster=cluster,
        system=system,
        images=images,
        thread=thread,
        new_thread=new_thread,
        schema=schema,
        tools=tools,
        timeout=timeout,
        wait=wait,
        streamed=False,
        **params,
    )

    def tell(event: object) -> None:
        if isinstance(event, Status):
            watcher.status(event.words)

    return loop.finish(steps, tell)


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
    call = requests.completion(
        prompt, model=model, cluster=cluster, timeout=timeout, wait=wait, **params
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
    # a form is checked when the answer is whole, and what has been yielded cannot be taken back
    checked = options.get("schema") is not None or bool(options.get("tools"))
    with closing(replying(prompt, **options)) as events:
        while True:
            try:
                event = next(events)
            except StopIteration as stop:
                if checked:
                    yield stop.value.text
                return
            if isinstance(event, Status):
                observer.status(event.words)
            elif event is not None and event.text:
                yield event.text


def replying(
    prompt: str, *, streamed: bool = True, **options: Any
) -> Generator[Piece | Status | None, None, Reply]:
    """Ask a model, yield what happens and return the Reply; see `chat` for the options.

    Parameters
    ----------
    prompt
        What to ask.
    streamed
        Whether the answer is taken as it arrives. One with a form to check, or with tools, comes
        at its end in any case.
    **options
        Those of `chat`.

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
    request = requests.chat(prompt, **options)
    if request.schema or request.tools:
        streamed = False
    if streamed:
        request.call.body["stream_options"] = {"include_usage": True}
    return (yield from hold(request, partial(_with_partial if streamed else _whole, talk)))


def _whole(talk: Client, call: Call) -> Generator[Piece | Status | None, None, Reply]:
    answer = yield from talk.asked(call)
    return replies.of(answer, call, talk.profile)


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
