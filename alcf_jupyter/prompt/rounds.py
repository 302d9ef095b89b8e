"""Answers that take more than one request: with tools, and in a form that is checked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from alcf_jupyter.connection.call import Call, Status
from alcf_jupyter.errors import AnswerError, IncompleteError
from alcf_jupyter.plain import brief
from alcf_jupyter.prompt import reply as replies
from alcf_jupyter.prompt import tools as toolbox
from alcf_jupyter.prompt.request import Request, sendable
from alcf_jupyter.typed import named, typed

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import TypeAlias

    from alcf_jupyter.prompt.reply import Reply
    from alcf_jupyter.prompt.tools import ToolRun
    from alcf_jupyter.service.dialect import Piece

    Steps: TypeAlias = Generator[Piece | Status | None, None, Reply]
    Send: TypeAlias = Callable[[Call], Steps]


_OF_TOOLS = ("tools", "tool_choice", "parallel_tool_calls")


def hold(request: Request, send: Send) -> Steps:
    """Hold a chat to its end: send, run the tools asked for, check the form, and remember.

    Parameters
    ----------
    request
        What is asked.
    send
        Sends one request and returns its reply.

    Raises
    ------
    AnswerError
        The model asks for tools without an end.
    InvalidAnswerError
        The answer does not have the form asked for, nor did it on a second try.
    IncompleteError
        It was cut off, so that its form cannot be checked.
    """
    reply = yield from send(request.call)
    if request.tools:
        reply = yield from _with_tools(request, reply, send)
    if request.schema:
        reply = yield from _in_form(request, reply, send)
    reply = replace(reply, remarks=(*request.remarks, *reply.remarks))
    if request.place:
        request.place.keep(request.content, reply)
        reply = _with_place(reply, request)
    return reply


def _with_place(reply: Reply, request: Request) -> Reply:
    place = request.place
    told = {"thread": place.name, "turn": len(place.before) + 1} if place else {}
    remarks = reply.remarks
    if not (reply.complete and reply.text):
        remarks = (*remarks, "not remembered")
    return replace(reply, remarks=remarks, provenance={**reply.provenance, **told})


def _with_tools(request: Request, reply: Reply, send: Send) -> Steps:
    runs: list[ToolRun] = []
    talk = list(request.call.body["messages"])
    rounds = 0
    # a call in an answer that was cut off may lack the end of its arguments
    while reply.complete and (calls := reply.asked_for):
        if rounds == toolbox.MOST_ROUNDS:
            raise _endless(reply, runs)
        rounds += 1
        yield Status(f"calls {', '.join(_names(calls))}")
        done = toolbox.run_all(request.tools, calls)
        runs += [run for _, run in done]
        talk += toolbox.messages(done)
        # a demand for a call is met by the first one
        following = yield from send(_again(request.call, talk, "tool_choice"))
        reply = replies.joined(reply, following)
    return replace(
        reply,
        tool_calls=tuple(runs),
        provenance={**reply.provenance, "tool_calls": [run.call for run in runs]},
    )


def _endless(reply: Reply, runs: list[ToolRun]) -> AnswerError:
    error = AnswerError(
        f"The model asked for tools {toolbox.MOST_ROUNDS} times without answering.",
        why=f"Its last call:  {runs[-1].call}",
        do="Say in the prompt when to stop, or look at what the tools return.",
    )
    error.reply = replace(reply, complete=False, tool_calls=tuple(runs))
    return error


def _names(calls: list[dict[str, Any]]) -> list[str]:
    told = [call.get("function") for call in calls]
    return [brief(one.get("name"), 64) for one in told if isinstance(one, dict)]


def _in_form(request: Request, reply: Reply, send: Send) -> Steps:
    from alcf_jupyter.prompt.schema import invalid

    schema = request.schema
    assert schema is not None  # noqa: S101 - the caller has looked
    reason = ""
    for attempt in ("first", "repair"):
        _check_whole(reply)
        try:
            data = schema.read(reply.text)
        except ValueError as error:
            reason = str(error)
        else:
            repaired = ("answer repaired",) if attempt == "repair" else ()
            return replace(reply, data=data, remarks=(*reply.remarks, *repaired))
        if attempt == "first":
            yield Status("the answer does not have the form asked for; asking once more")
            talk = [
                *request.call.body["messages"],
                {"role": "assistant", "content": reply.text},
                {"role": "user", "content": complaint(reason)},
            ]
            following = yield from send(_again(request.call, talk, *_OF_TOOLS))
            reply = replies.joined(reply, following)
    raise invalid(
        reason,
        reply.text,
        reply,
        do=f"Ask for less at once, or take another model with {named('model')}.",
    )


def complaint(reason: str) -> str:
    """Return what a model is told whose answer has not the form asked for."""
    return (
        f"That answer does not have the form asked for: {reason[:500]}\n"
        "Answer again with the JSON alone."
    )


def _check_whole(reply: Reply) -> None:
    if reply.complete:
        return
    error = IncompleteError(
        "The answer is incomplete, so that its form cannot be checked.",
        why=f"{reply.note}.",
        do=f"Allow a longer answer:  {typed(max_tokens=2000)}"
        if reply.finish_reason == "length"
        else "Run it again.",
    )
    error.reply = reply
    raise error


def _again(call: Call, talk: list[dict[str, Any]], *left_out: str) -> Call:
    body = {name: value for name, value in call.body.items() if name not in left_out}
    body["messages"] = list(talk)
    return sendable(Call(call.route, call.model, call.cluster, body, call.deadline, call.patient))
