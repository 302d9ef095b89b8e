"""The request that a prompt makes, to look at: nothing is sent."""

from __future__ import annotations

import json
import pprint
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from alcf_jupyter.connection.call import write_json
from alcf_jupyter.connection.session import client
from alcf_jupyter.errors import NoConnectionError, ServiceError, SignInError, UsageError
from alcf_jupyter.plain import brief
from alcf_jupyter.prompt import request as requests
from alcf_jupyter.service.limits import tokens_in

if TYPE_CHECKING:
    from alcf_jupyter.connection.call import Call
    from alcf_jupyter.connection.client import Client

TOKEN = "YOUR_TOKEN"  # noqa: S105 - what stands in a token's place
_SHOWN_DATA = 24


@dataclass(frozen=True, slots=True)
class DryRun:
    """A request that was not sent.

    Attributes
    ----------
    url
        Where it would go. The sandbox's port is another one each time and is left out.
    body
        The JSON it would carry.
    tokens
        About how many tokens its text has, by its length; an image's are not counted.
    """

    url: str
    body: dict[str, Any]
    tokens: int

    @property
    def curl(self) -> str:
        """The same as a command for a shell, with a placeholder for the token."""
        return "\n".join(
            [
                f"curl {shlex.quote(self.url)} \\",
                f'  -H "Authorization: Bearer {TOKEN}" \\',
                "  -H 'Content-Type: application/json' \\",
                f"  -d {shlex.quote(json.dumps(self.body, ensure_ascii=False))}",
            ]
        )

    @property
    def python(self) -> str:
        """The same with the OpenAI package, with a placeholder for the token."""
        chats = self.url.endswith("/chat/completions")
        base = self.url.removesuffix("/chat/completions" if chats else "/completions")
        named = dict(self.body)
        if "extra_body" in named:
            # the gateway takes a key that is really called so, which the package would unpack
            named["extra_body"] = {"extra_body": named["extra_body"]}
        arguments = "".join(
            f"    {name}={_indented(pprint.pformat(value, sort_dicts=False, width=92))},\n"
            for name, value in named.items()
        )
        return (
            "from openai import OpenAI\n\n"
            f'client = OpenAI(base_url="{base}", api_key="{TOKEN}")\n'
            f"reply = client.{'chat.' if chats else ''}completions.create(\n{arguments})\n"
            f"print(reply.choices[0].{'message.content' if chats else 'text'})"
        )

    def __str__(self) -> str:
        size = len(write_json(self.body))
        short = DryRun(self.url, _shortened(self.body), self.tokens)
        about = f"about {self.tokens:,} tokens, {size:,} bytes; nothing was sent"
        body = json.dumps(short.body, indent=2, ensure_ascii=False)
        return "\n".join(
            [
                *("# The request", f"POST {self.url}", body, f"# {about}", ""),
                *("# The same with curl", short.curl, ""),
                *("# The same with the OpenAI package", short.python),
            ]
        )

    __repr__ = __str__


def dry_run(prompt: str, *, route: Literal["chat", "complete"] = "chat", **options: Any) -> DryRun:
    """Return the request that `alcf.chat` would make, checked as far as it can be; send nothing.

    Parameters
    ----------
    prompt
        What would be asked.
    route
        ``"complete"`` for the request of `alcf.complete`.
    **options
        As for `chat`, or for `complete`.

    Returns
    -------
    DryRun
        It prints as the request, as a curl command and as code for the OpenAI package, with
        a placeholder for the token and long images shortened.

    Raises
    ------
    UsageError
        What is wrong with it.
    """
    options.pop("observer", None)
    call = _call(prompt, route, options)
    talk = client()
    model, path = _placed(talk, call)
    origin = talk.profile.origin if talk.profile.name != "sandbox" else "http://127.0.0.1:PORT"
    asked = _without_images(call.body.get("messages") or call.body["prompt"])
    text = json.dumps(asked, ensure_ascii=False)
    return DryRun(
        f"{origin}{path}/{call.route}",
        {"model": model, **call.body},
        tokens_in(text),
    )


def _call(prompt: str, route: str, options: dict[str, Any]) -> Call:
    if route == "chat":
        return requests.chat(prompt, **options).call
    if route != "complete":
        raise UsageError(
            f"There is no route {brief(route, 40)!r}.", do="Write:  route='chat'  or  'complete'"
        )
    return requests.completion(prompt, **options)


def _placed(talk: Client, call: Call) -> tuple[str, str]:
    """Return the model's name and the path it is served under; the catalog may not be had."""
    gateway = talk.profile.is_gateway
    try:
        model = talk.models(timeout="20s").find(call.model, call.cluster)
    except (NoConnectionError, ServiceError, SignInError):
        where = f"/{call.cluster or 'CLUSTER'}/FRAMEWORK/v1" if gateway else ""
        return call.model, f"{talk.profile.path}{where}"
    return model.id, f"{model.path}/v1" if gateway else model.path or talk.profile.path


def _without_images(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_images(one) for one in value if not _is_image(one)]
    if isinstance(value, dict):
        return {key: _without_images(one) for key, one in value.items()}
    return value


def _is_image(value: Any) -> bool:
    return isinstance(value, dict) and value.get("type") == "image_url"


def _shortened(value: Any) -> Any:
    """Return a body with what an image holds cut short, for reading."""
    if isinstance(value, dict):
        return {key: _shortened(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_shortened(one) for one in value]
    if isinstance(value, str) and value.startswith("data:image/"):
        head, _, data = value.partition(",")
        return f"{head},{data[:_SHOWN_DATA]}… ({len(data):,} characters)"
    return value


def _indented(text: str) -> str:
    return text.replace("\n", "\n    ")
