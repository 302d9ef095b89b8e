"""Write docs/failures.md: the same requests through every failure, and what is seen of each.

``python -m tools.failures`` writes it; ``--check`` fails when the file is not what it would write.
The sandbox's ``echo`` says what it was told and its ``embed`` gives the same text the same vector,
so whether an answer is right is known without asking the client.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import openai

import alcf_jupyter as alcf
from alcf_jupyter.connection import session
from alcf_jupyter.connection.client import Client
from alcf_jupyter.connection.sign_in.credentials import Credential
from alcf_jupyter.errors import AlcfError
from alcf_jupyter.progress import SilentObserver
from tools.pages import settle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PAGE = Path(__file__).resolve().parent.parent / "docs" / "failures.md"
TIMEOUT = 60.0
"""For what ends by itself: every repetition fits in, though the machine stalls for seconds."""
SHORT = 10.0
"""For what never ends, and the wait for a minute's tokens."""
AT_ONCE = 16

PARAMETERS = {
    # the default sizes and times are for people who watch; these tell the same
    "long-line": {"mb": "34"},
    "gzip-bomb": {"mb": "40"},
    "slow": {"seconds": "0.3"},
    "blocked": {"seconds": "60"},
    "stream-gap": {"seconds": "8"},
}
UNSEEN = {
    "stream-hole": "A piece that is lost without a trace cannot be noticed; columns never stream.",
    "empty-content": "A model may say nothing.",
    "stream-no-text": "A model may say nothing.",
    "embeddings-zero": "A vector of zeros is a vector.",
}
"""Failures that nobody could tell from an answer, each with the reason."""

_ENDLESS = ("drip", "half-open", "too-many-")
_JOBS = "jobs-"
_NOT_HERE = ("batch-", "refused")


@dataclass(frozen=True)
class Seen:
    """What a request ended in.

    Attributes
    ----------
    words
        What the user sees.
    taken
        Whether it counts as a whole answer.
    right
        Whether it is the answer that the model gave.
    """

    words: str
    taken: bool = False
    right: bool = False


class Sandbox:
    """A sandbox of its own, and this process connected to it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "alcf_jupyter.sandbox", "--with-owner", "--no-rate-limit"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        out = self._process.stdout
        told = json.loads(out.readline() if out else "{}")
        self.url, self._secret = str(told["url"]), str(told["secret"])
        alcf.connect(self.url, token=self._secret, poll_seconds=1)
        usual = alcf.client().profile
        # as many as there are failures, at once: the pace is not what is shown here
        unpaced = replace(usual, requests_per_second=None)
        session.current().client = Client(unpaced, Credential(self._secret, "the sandbox"))
        self.sdk = alcf.client().openai("sophia")

    def control(self, method: str, path: str, body: object = None) -> Any:
        """Ask one of the sandbox's control routes."""
        request = urllib.request.Request(  # noqa: S310 - the sandbox's own address
            self.url.replace("/resource_server", "/sandbox") + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._secret}"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
            return json.load(answer)

    def close(self) -> None:
        """End it."""
        self.sdk.close()
        session.current().client = None
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait(60)
        if self._process.stdout:
            self._process.stdout.close()


def _whole(prompt: str, seconds: float, _sandbox: Sandbox) -> Seen:
    reply = alcf.chat(prompt, observer=SilentObserver(), **_how("sandbox/echo", seconds))
    return _told(complete=reply.complete, right=reply.text == prompt)


def _stream(prompt: str, seconds: float, _sandbox: Sandbox) -> Seen:
    from alcf_jupyter.prompt.ask import replying

    events = replying(prompt, **_how("sandbox/echo", seconds))
    while True:
        try:
            next(events)
        except StopIteration as stop:
            return _told(complete=stop.value.complete, right=stop.value.text == prompt)


def _complete(prompt: str, seconds: float, _sandbox: Sandbox) -> Seen:
    reply = alcf.complete(
        prompt, observer=SilentObserver(), max_tokens=100, **_how("sandbox/echo", seconds)
    )
    return _told(complete=reply.complete, right=reply.text == prompt)


def _embed(prompt: str, seconds: float, _sandbox: Sandbox) -> Seen:
    told = [prompt, f"{prompt} again"]
    frame = alcf.embed(told, observer=SilentObserver(), **_how("sandbox/embed", seconds))
    for status, reason in zip(frame["status"], frame["reason"], strict=True):
        if status != "ok":
            return Seen(_error(f"status: {status}", reason or "The time was over.", _sandbox))
    return _vectors(alcf.matrix(frame), told)


def _sdk_whole(prompt: str, seconds: float, sandbox: Sandbox) -> Seen:
    messages: Any = [{"role": "user", "content": prompt}]
    answer = sandbox.sdk.with_options(timeout=seconds).chat.completions.create(
        model="sandbox/echo", messages=messages
    )
    choice = answer.choices[0]
    return _told(complete=choice.finish_reason == "stop", right=choice.message.content == prompt)


def _sdk_stream(prompt: str, seconds: float, sandbox: Sandbox) -> Seen:
    messages: Any = [{"role": "user", "content": prompt}]
    text, reason = "", None
    for chunk in sandbox.sdk.with_options(timeout=seconds).chat.completions.create(
        model="sandbox/echo", messages=messages, stream=True
    ):
        for choice in chunk.choices:
            text += choice.delta.content or ""
            reason = choice.finish_reason or reason
    return _told(complete=reason == "stop", right=text == prompt)


def _sdk_embed(prompt: str, seconds: float, sandbox: Sandbox) -> Seen:
    told = [prompt, f"{prompt} again"]
    answer = sandbox.sdk.with_options(timeout=seconds).embeddings.create(
        model="sandbox/embed", input=told
    )
    return _vectors(np.array([row.embedding for row in answer.data], np.float32), told)


REQUESTS: dict[str, Callable[[str, float, Sandbox], Seen]] = {
    "chat": _whole,
    "stream": _stream,
    "complete": _complete,
    "embed": _embed,
    "openai chat": _sdk_whole,
    "openai stream": _sdk_stream,
    "openai embed": _sdk_embed,
}


def _how(model: str, seconds: float) -> dict[str, Any]:
    return {"model": model, "cluster": "sophia", "timeout": seconds, "wait": False}


def _told(*, complete: bool, right: bool) -> Seen:
    return Seen("the answer" if complete else "marked incomplete", complete, right)


def _vectors(found: Any, told: list[str]) -> Seen:
    """Compare with what the sandbox's own embedder gives, which the client knows nothing of."""
    from alcf_jupyter.sandbox.models import vectors

    wanted = np.array(vectors.embed(told, found.shape[1]), np.float32)
    return Seen("the answer", taken=True, right=bool(np.allclose(found, wanted, atol=1e-5)))


def ask(fault: str, name: str, sandbox: Sandbox) -> Seen:
    """Send the request `name` marked for `fault`, and return what it ended in."""
    seconds = SHORT if fault.startswith(_ENDLESS) else TIMEOUT
    try:
        return REQUESTS[name](_prompt(fault, name), seconds, sandbox)
    except AlcfError as error:
        return Seen(_error(type(error).__name__, error.what, sandbox))
    except openai.APIError as error:
        first = str(error).partition("\n")[0]
        return Seen(_error(f"openai.{type(error).__name__}", first, sandbox))


def _error(kind: str, words: str, sandbox: Sandbox) -> str:
    words = words.replace(sandbox.url.removesuffix("/resource_server"), "the service")
    words = re.sub("^the service", "The service", words)
    words = re.sub(r"(cannot be reached|the service broke):.*", r"\1.", words)
    words = re.sub(r" ?Error id for support: \w+", "", words)
    words = re.sub(r"What came with success is no answer: .*", "What came is no answer.", words)
    return f"`{kind}`: {words}".replace("|", "\\|")


def faults(sandbox: Sandbox) -> dict[str, str]:
    """Return the failures of answers to requests, each with what happens."""
    known: dict[str, str] = sandbox.control("GET", "/faults")["known"]
    return {name: text for name, text in known.items() if not name.startswith(_NOT_HERE)}


def run(sandbox: Sandbox) -> dict[str, dict[str, Seen]]:
    """Send every request through every failure."""
    known = faults(sandbox)
    alcf.client().models()
    tasks = [(fault, name) for fault in known if not fault.startswith(_JOBS) for name in REQUESTS]
    rules = [
        {
            "fault": fault,
            "parameters": PARAMETERS.get(fault, {}),
            "match": {"contains": _mark(fault, name), "method": "POST"},
        }
        for fault, name in tasks
    ]
    sandbox.control("POST", "/faults", rules)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        seen = list(pool.map(lambda task: ask(task[0], task[1], sandbox), tasks))
    met = sandbox.control("DELETE", "/faults")["cleared"]
    found: dict[str, dict[str, Seen]] = {fault: {} for fault in known}
    for (fault, name), one, rule in zip(tasks, seen, met, strict=True):
        if rule["fired"]:  # many befall only streams, or only embeddings
            found[fault][name] = one
        elif not one.right:
            raise RuntimeError(f"{name} failed without a failure: {one.words}")
    for fault in [one for one in known if one.startswith(_JOBS)]:
        sandbox.control("POST", "/faults", {"fault": fault, "match": {"route": "/jobs"}})
        alcf.client().models(fresh=True)
        seen = [ask(fault, name, sandbox) for name in REQUESTS]
        if sandbox.control("DELETE", "/faults")["cleared"][0]["fired"]:
            found[fault] = dict(zip(REQUESTS, seen, strict=True))
    if idle := [fault for fault, by_name in found.items() if not by_name]:
        raise RuntimeError(f"these failures were never met: {', '.join(idle)}")
    return found


def _mark(fault: str, name: str) -> str:
    return f"({fault}/{name})"


def _prompt(fault: str, name: str) -> str:
    return f"one two three four five six seven eight \u2192 {_mark(fault, name)}"


def wrong(found: dict[str, dict[str, Seen]]) -> list[str]:
    """Return the failures that were taken for an answer though the answer is not right."""
    return [
        f"{fault}: {name}"
        for fault, by_name in found.items()
        for name, seen in by_name.items()
        if seen.taken and not seen.right and fault not in UNSEEN
    ]


def page(found: dict[str, dict[str, Seen]], known: dict[str, str]) -> str:
    """Return the page."""
    lines = [
        "# What you see when something fails",
        "",
        "Written by `python -m tools.failures`, which sends the same requests through each failure",
        "that the [sandbox](sandbox.md) can be told to have: a chat, a stream, a completion,",
        "embeddings, and the same through `alcf.openai`, as far as it can befall them. Nobody",
        "waits here for a model that is not running (`--no-wait`), and each has a few seconds.",
        "What to do next stands in each message, and on the page of [errors](errors.md).",
        "",
        "| failure | what happens | what you see |",
        "|---|---|---|",
    ]
    for fault, by_name in found.items():
        shown = "<br>".join(_grouped(by_name))
        if fault in UNSEEN and any(one.taken and not one.right for one in by_name.values()):
            shown += f"<br>*{UNSEEN[fault]}*"
        lines.append(f"| `{fault}` | {known[fault].replace('|', '/')} | {shown} |")
    return "\n".join([*lines, ""])


def _grouped(by_name: dict[str, Seen]) -> Iterator[str]:
    groups: dict[str, list[str]] = {}
    for name, seen in by_name.items():
        groups.setdefault(seen.words, []).append(name)
    for words, names in groups.items():
        yield words if len(groups) == 1 else f"{', '.join(names)}: {words}"


def main(arguments: Sequence[str]) -> int:
    """Write the page, or check it; return 1 when something is wrong."""
    sandbox = Sandbox()
    try:
        found = run(sandbox)
        new = page(found, faults(sandbox))
    finally:
        sandbox.close()
    for line in wrong(found):
        print(f"taken for an answer: {line}")
    current = settle(PAGE, new, "failures", check="--check" in arguments)
    return int(not current or bool(wrong(found)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
