"""What is asked, put together and checked as far as it can be before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from alcf_jupyter.connection.call import Call, write_json
from alcf_jupyter.connection.deadline import Deadline
from alcf_jupyter.connection.session import choose, client
from alcf_jupyter.errors import UsageError
from alcf_jupyter.prompt.parameters import (
    CHAT_PARAMETERS,
    COMPLETION_PARAMETERS,
    check_system,
    given,
)
from alcf_jupyter.service.limits import check_body
from alcf_jupyter.typed import by_magic, typed

if TYPE_CHECKING:
    from alcf_jupyter.prompt.schema import Schema
    from alcf_jupyter.prompt.threads import Place
    from alcf_jupyter.prompt.tools import Tool

TIMEOUT = "30m"


@dataclass(slots=True)
class Request:
    """A chat to be held.

    Attributes
    ----------
    call
        The first request.
    content
        What the user says in it.
    schema
        The form the answer must have.
    tools
        What the model may ask to have called, by name.
    place
        Where it goes in a thread.
    remarks
        What was done to it, in words.
    """

    call: Call
    content: str | list[dict[str, Any]]
    schema: Schema | None = None
    tools: dict[str, Tool] = field(default_factory=dict)
    place: Place | None = None
    remarks: list[str] = field(default_factory=list)


def chat(  # noqa: PLR0913 - as ask.chat
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
    **params: Any,
) -> Request:
    """Return the request for a chat; see `ask.chat` for the parameters.

    Raises
    ------
    UsageError
        Something cannot be sent, or would be refused.
    """
    check_prompt(prompt)
    check_system(system)
    gateway = client().profile.is_gateway
    settings = given(params, CHAT_PARAMETERS, gateway=gateway, kind="a chat", own=chat)
    made = Request(
        Call("chat/completions", "", cluster, settings, Deadline.after(timeout), wait), prompt
    )
    _add_images(made, images, prompt)
    _add_thread(made, thread, system, fresh=new_thread)
    if schema is not None:
        _add_schema(made, schema)
    if callable(tools) or tools:
        _add_tools(made, tools)
    earlier = made.place.messages() if made.place else []
    told = made.place.system if made.place else system
    made.call.body = {
        "messages": [
            *([{"role": "system", "content": told}] if told else []),
            *earlier,
            {"role": "user", "content": made.content},
        ],
        **made.call.body,
    }
    made.call.model = choose(model, "chat")
    sendable(made.call)
    return made


def completion(
    prompt: str,
    *,
    model: str | None = None,
    cluster: str | None = None,
    timeout: str | float = TIMEOUT,
    wait: bool = True,
    **params: Any,
) -> Call:
    """Return the call that has a text continued; see `ask.complete`; raises as `chat` does."""
    check_prompt(prompt)
    gateway = client().profile.is_gateway
    settings = given(
        params, COMPLETION_PARAMETERS, gateway=gateway, kind="a completion", own=completion
    )
    if isinstance(settings.get("stop"), str):
        # on this route the gateway takes a text of over four letters for a list of over four
        settings["stop"] = [settings["stop"]]
    body = {"prompt": prompt, **settings}
    call = Call("completions", choose(model, "chat"), cluster, body, Deadline.after(timeout), wait)
    return sendable(call)


def sendable(call: Call) -> Call:
    """Check what could not be sent before anything is waited for."""
    size = len(write_json({"model": call.model, **call.body}))
    if client().profile.is_gateway:
        check_body(size)
    return call


def check_prompt(prompt: object) -> None:
    """Raise unless this is a text with something in it."""
    if not isinstance(prompt, str):
        raise UsageError(
            f"A prompt is one text, not a {type(prompt).__name__}; nothing was sent.",
            do=_instead(prompt),
        )
    if not prompt.strip():
        raise UsageError(
            "The prompt is empty; nothing was sent.",
            do="Write it into the cell:\n  %%alcf_chat\n  What is an exascale computer?"
            if by_magic()
            else "Write:  alcf.chat('What is an exascale computer?')",
        )


def _instead(prompt: object) -> str:
    """Say what is likely meant by a prompt that is no text."""
    if hasattr(prompt, "columns") or hasattr(prompt, "tolist"):
        return "For an answer to each row:  alcf.map(df, 'Classify: {{column}}')"
    if isinstance(prompt, (list, tuple)):
        return "Ask once for each:  [alcf.chat(text) for text in texts]"
    return "Type:  alcf.chat('…')"


def _add_images(made: Request, images: Any, prompt: str) -> None:
    from alcf_jupyter.prompt.images import pictures, several

    given_images = [] if images is None else several(images)
    if not given_images:
        return
    shown = pictures(given_images)
    made.content = [{"type": "text", "text": prompt}, *(picture.part for picture in shown)]
    made.remarks += [picture.remark for picture in shown if picture.remark]


def _add_thread(made: Request, thread: str | None, system: str | None, *, fresh: bool) -> None:
    if thread is None:
        if fresh:
            raise UsageError(
                "A new thread needs a name.",
                do=f"Write:  {typed(thread='study', new_thread=True)}",
            )
        return
    from alcf_jupyter.prompt import threads

    made.place = threads.place(thread, system, fresh=fresh)
    made.remarks.append(made.place.remark)


def _add_schema(made: Request, schema: Any) -> None:
    from alcf_jupyter.prompt import schema as schemas

    if "response_format" in made.call.body:
        raise UsageError(
            "A schema and response_format both say how to answer.", do="Give one of the two."
        )
    made.schema = schemas.of(schema)
    made.call.body["response_format"] = made.schema.response_format


def _add_tools(made: Request, tools: Any) -> None:
    from alcf_jupyter.prompt.tools import declared

    made.tools = declared(tools)
    made.call.body["tools"] = [tool.declaration for tool in made.tools.values()]
