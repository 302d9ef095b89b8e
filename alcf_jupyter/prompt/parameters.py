"""The parameters of a request: what would be refused is refused here, with the reason."""

from __future__ import annotations

import inspect
import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from alcf_jupyter.errors import UsageError
from alcf_jupyter.names import nearest
from alcf_jupyter.plain import brief
from alcf_jupyter.service.limits import MAX_STOPS
from alcf_jupyter.typed import by_magic, named, typed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_INT64 = 2**63
_NO_SWITCH = {
    "chat_template_kwargs": "the gateway lets no settings of the model server through",
    "guided_json": "the gateway lets no settings of the model server through; use {schema}",
    "functions": "it is the old name of {tools}",
    "function_call": "it is the old name of tool_choice=",
}
_STREAM = "A cell shows its answer as it arrives; in Python:  alcf.stream(…)"
_OURS = {
    "messages": "Give the prompt and {system}; a conversation goes by {thread}.",
    "stream": _STREAM,
    "stream_options": _STREAM,
}


def _between(low: float, high: float) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        good = _is_number(value) and low <= value <= high
        return "" if good else f"a number from {low:g} to {high:g}"

    return check


def _whole(low: int, high: int = _INT64 - 1) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if _is_whole(value) and low <= value <= high:
            return ""
        return f"a whole number from {low}" + (f" to {high}" if high < _INT64 - 1 else "")

    return check


def _one_of(*words: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        return "" if value in words else f"one of {', '.join(words)}"

    return check


def _flag(value: Any) -> str:
    return "" if isinstance(value, bool) else "true or false"


def _stops(value: Any) -> str:
    if isinstance(value, str):
        return ""
    texts = isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value)
    if texts and 1 <= len(value) <= MAX_STOPS:
        return ""
    return f"1 to {MAX_STOPS} texts"


def _bias(value: Any) -> str:
    good = isinstance(value, dict) and all(
        str(token).isdigit() and _is_number(bias) and -100 <= bias <= 100
        for token, bias in value.items()
    )
    return "" if good else "token numbers, each with a number from -100 to 100"


def _metadata(value: Any) -> str:
    good = isinstance(value, dict) and len(value) <= 16
    good = good and all(
        isinstance(name, str) and len(name) <= 64 and isinstance(text, str) and len(text) <= 512
        for name, text in value.items()
    )
    return "" if good else "at most 16 names of up to 64 letters, each with a text of up to 512"


def _seed(value: Any) -> str:
    good = _is_whole(value) and -_INT64 <= value < _INT64
    return "" if good else "a whole number of at most 64 bits"


def _form(value: Any) -> str:
    good = isinstance(value, dict) and isinstance(value.get("type"), str)
    return "" if good else 'an object such as {"type": "json_object"}'


def _text(value: Any) -> str:
    return "" if isinstance(value, str) else "a text"


def _any(_value: Any) -> str:
    return ""


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


CHAT_PARAMETERS: dict[str, Callable[[Any], str]] = {
    "frequency_penalty": _between(-2, 2),
    "logit_bias": _bias,
    "logprobs": _flag,
    "max_completion_tokens": _whole(1),
    "max_tokens": _whole(1),
    "metadata": _metadata,
    "modalities": _any,
    "n": _whole(1, 128),
    "parallel_tool_calls": _flag,
    "prediction": _any,
    "presence_penalty": _between(-2, 2),
    "reasoning_effort": _one_of("low", "medium", "high"),
    "response_format": _form,
    "seed": _seed,
    "service_tier": _one_of("auto", "default"),
    "stop": _stops,
    "store": _flag,
    "temperature": _between(0, 2),
    "tool_choice": _any,
    "tools": _any,
    "top_logprobs": _whole(0, 20),
    "top_p": _between(0, 1),
    "user": _text,
    "web_search_options": _any,
    "extra_body": _any,
}
"""What the gateway takes in a chat, and a check that says what it wants where it would refuse.

Read in its source (2026-05-29); it refuses every other name, even with a null value. A limit of 0
tokens passes it, and is refused by the model server."""


COMPLETION_PARAMETERS: dict[str, Callable[[Any], str]] = {
    **{
        name: CHAT_PARAMETERS[name]
        for name in (
            *("frequency_penalty", "logit_bias", "max_tokens", "n", "presence_penalty", "seed"),
            *("stop", "temperature", "top_p", "user"),
        )
    },
    "best_of": _whole(0, 20),
    "echo": _flag,
    "logprobs": _whole(0, 5),
    "suffix": _text,
}
"""The same for a completion."""


def check_system(system: object) -> None:
    """Raise unless a system prompt is a text, or there is none."""
    if system is not None and not isinstance(system, str):
        raise UsageError(
            f"A system prompt is a text, not {type(system).__name__}; nothing was sent.",
            do="Leave system out.",
        )


def given(
    params: dict[str, Any],
    known: Mapping[str, Callable[[Any], str]],
    *,
    gateway: bool,
    kind: str,
    own: Callable[..., object] | None = None,
) -> dict[str, Any]:
    """Return the parameters to send, checked as far as it can be before anything is sent.

    Parameters
    ----------
    params
        As the user gave them; None is left out, since the gateway refuses even an unknown field
        that is null.
    known
        What the gateway takes.
    gateway
        Whether this goes to a gateway; other servers have parameters of their own.
    kind
        What is asked, for the message.
    own
        The function that was called: one of its own names may have been meant, too.

    Raises
    ------
    UsageError
        One is unknown, out of range, or needs another beside it; nothing was sent.
    """
    found = {name: value for name, value in params.items() if value is not None}
    for name, value in found.items():
        if name in _OURS:
            raise UsageError(f"{name} is set by the call itself.", do=_in_words(_OURS[name]))
        if gateway and name not in known:
            raise _unknown(name, known, kind, own)
        _check_finite(name, value)
        wants = known[name](_plain(value)) if gateway else ""
        if wants:
            raise UsageError(
                f"The service refuses {brief(typed(**{name: value}), 80)}; nothing was sent.",
                why=f"It takes {wants}.",
                do="Change it, or leave it out: then the model's own setting holds.",
            )
    if gateway and "top_logprobs" in found and not found.get("logprobs"):
        raise UsageError(
            "The service refuses top_logprobs without logprobs; nothing was sent.",
            do="Set logprobs to true as well.",
        )
    if found.get("n", 1) != 1:
        raise UsageError(
            "One answer is given here, so n stays 1.", do="Ask several times, with other seeds."
        )
    return found


def _unknown(
    name: str, known: Mapping[str, object], kind: str, own: Callable[..., object] | None
) -> UsageError:
    arguments = inspect.signature(own).parameters if own is not None else {}
    near = [named(one) if by_magic() else one for one in nearest(name, [*arguments, *known])]
    why = _in_words(_NO_SWITCH.get(name, ""))
    return UsageError(
        f"The service takes no parameter {brief(name, 60)!r} in {kind}; nothing was sent.",
        why=f"{why[0].upper()}{why[1:]}." if why else "",
        do=f"Did you mean:  {near[0]}" if near else "Leave it out.",
    )


def _in_words(text: str) -> str:
    """Return a sentence with the arguments in it called as they are typed here."""
    return text.format_map({one: named(one) for one in ("schema", "tools", "system", "thread")})


def _plain(value: Any) -> Any:
    """Return NumPy's numbers as Python's."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value


def _check_finite(name: str, value: Any) -> None:
    finite = True
    with suppress(RecursionError):  # what goes round in circles is refused as it is written
        finite = _is_finite(value)
    if not finite:
        raise UsageError(
            f"{name} holds a number that is not finite; nothing was sent.",
            do="Give it a plain number.",
        )


def _is_finite(value: Any) -> bool:
    """Tell whether all numbers are; JSON has no others, and null in their place means "unset"."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(_is_finite(inner) for inner in value.values())
    if isinstance(value, (list, tuple)):
        return all(_is_finite(inner) for inner in value)
    return _is_finite(value.tolist()) if hasattr(value, "tolist") else True
