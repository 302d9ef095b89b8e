"""Starts the local stand-in service, one for this process, and ends it with this process."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Literal
from urllib.request import ProxyHandler, Request, build_opener

from alcf_jupyter.connection import state
from alcf_jupyter.errors import UnreachableError, UsageError
from alcf_jupyter.plain import brief
from alcf_jupyter.service import limits

if TYPE_CHECKING:
    from collections.abc import Mapping

START_SECONDS = 60.0
SPEED = 60
"""The stand-in's clock runs so many times as fast."""

POLL_SECONDS = limits.JOBS_CACHE_SECONDS / SPEED
"""Its queue is as old after a second as ALCF's is after a minute."""

REQUESTS_PER_SECOND = limits.REQUESTS_PER_SECOND * SPEED
"""It takes as many requests in a sixtieth of a second as ALCF's does in a second."""

PATIENCE_SECONDS = 30
"""Its models pass no state unseen, though whoever waits for one is held up as long."""

_REFUSES_AT = 10
"""Requests a second at which the gateway refuses one more."""

NOWHERE = "http://127.0.0.1:0/resource_server"
"""Its address where recorded answers are played and none runs."""

_lock = threading.Lock()
_running: dict[tuple[tuple[str, str], ...], StandIn] = {}


@dataclass(frozen=True, slots=True)
class StandIn:
    """A stand-in that runs: its address and its process. Its secret is the token to send."""

    url: str
    process: subprocess.Popen[bytes]
    owner: int
    root: str = ""
    """The folder that stands for the cluster's file system: batches read and write below it."""

    @property
    def alive(self) -> bool:
        """Whether it still runs and belongs to this process, not to one it was forked from."""
        return self.owner == os.getpid() and self.process.poll() is None


_secrets: dict[str, str] = {}


def secret_of(standin: StandIn) -> str:
    """Return the per-run secret that the stand-in asks for as a token."""
    return _secrets[standin.url]


def control(
    standin: StandIn, method: Literal["GET", "POST", "DELETE"], path: str, body: Any = None
) -> Any:
    """Ask the stand-in itself, not the service it stands for: which faults, and what it was sent.

    Parameters
    ----------
    standin
        One that runs.
    method, path
        Below ``/sandbox``, as its page in the documentation lists them, such as ``"/faults"``.
    body
        A JSON value to send.

    Returns
    -------
    Any
        The JSON value that came, None for nothing.
    """
    base = standin.url.removesuffix("/resource_server")
    request = Request(  # noqa: S310 - an address of this machine
        f"{base}/sandbox{path}",
        None if body is None else json.dumps(body).encode(),
        {"Authorization": f"Bearer {secret_of(standin)}", "Content-Type": "application/json"},
        method=method,
    )
    opener = build_opener(ProxyHandler({}))
    with opener.open(request, timeout=START_SECONDS) as answer:
        return json.loads(answer.read() or b"null")


def start(aliases: Mapping[str, str] | None = None) -> StandIn:
    """Return the stand-in of this process, started with the first call.

    Parameters
    ----------
    aliases
        Names to serve besides its own, each with the stand-in's model that answers for it.

    Raises
    ------
    UsageError
        A name stands for no model of its own.
    UnreachableError
        It did not come up.
    """
    key = tuple(sorted((aliases or {}).items()))
    with _lock:
        running = _running.get(key)
        if running is None or not running.alive:
            for pipe in (running.process.stdin, running.process.stdout) if running else ():
                if pipe is not None:
                    pipe.close()
            running = _running[key] = _launch(dict(key))
        return running


def _launch(aliases: dict[str, str]) -> StandIn:
    command = [sys.executable, "-m", "alcf_jupyter.sandbox", "--with-owner"]
    command += ["--clock-speed", str(SPEED), "--requests-per-second", str(_REFUSES_AT * SPEED)]
    command += ["--patience", str(PATIENCE_SECONDS)]
    for name, model in aliases.items():
        command += [f"--alias={name}={model}"]
    root = ""
    with contextlib.suppress(UsageError):  # without a place of its own it takes no batches
        root = str(state.folder("sandbox"))
        command += ["--batch-root", root]
    # its standard input is the leash: when this process ends, in whatever way, the pipe closes
    process = subprocess.Popen(  # noqa: S603 - our own module, no shell
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        line = _first_line(process)
    except BaseException:  # interrupted: nobody would use it
        _end(process)
        raise
    try:
        told = json.loads(line)
        url, secret = str(told["url"]), str(told["secret"])
    except (ValueError, KeyError, TypeError):
        said = (_end(process).splitlines() or ["It said nothing."])[-1]
        if aliases and said.startswith("sandbox: the alias"):
            raise UsageError(
                f"The sandbox was not started: {brief(said.removeprefix('sandbox: '))}.",
                do="Take one of its models:  alcf.connect('sandbox').models()",
            ) from None
        raise UnreachableError(
            "The local stand-in service did not start.",
            why=brief(said),
            do="See what it says:  alcf-jupyter sandbox  (in a terminal)",
        ) from None
    if process.stderr:
        threading.Thread(target=_drain, args=(process.stderr,), daemon=True).start()
    _secrets[url] = secret
    return StandIn(url, process, os.getpid(), root)


def _end(process: subprocess.Popen[bytes]) -> str:
    """End a stand-in that is of no use; return what it said to stderr."""
    process.kill()
    return process.communicate()[1].decode("utf-8", "replace").strip()


def _drain(said: IO[bytes]) -> None:
    """Read what a stand-in says, so that it is never held up; it has a log of its own."""
    with said:
        while said.read(65_536):
            pass


def _let_go() -> None:
    """Leave the parent's stand-ins to the parent: a forked child must not keep them alive."""
    global _lock  # noqa: PLW0603 - a fork copies the lock, maybe taken
    _lock = threading.Lock()
    for standin in _running.values():
        leash = standin.process.stdin
        if leash is not None and not leash.closed:
            leash.close()


os.register_at_fork(after_in_child=_let_go)


def _first_line(process: subprocess.Popen[bytes]) -> bytes:
    out = process.stdout
    if out is None:
        return b""
    line, end = b"", time.monotonic() + START_SECONDS
    with selectors.DefaultSelector() as news:
        news.register(out, selectors.EVENT_READ)
        while not line.endswith(b"\n") and time.monotonic() < end:
            if news.select(0.1):
                some = os.read(out.fileno(), 65536)
                if not some:
                    break
                line += some
    return line
