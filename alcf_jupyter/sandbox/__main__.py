"""``python -m alcf_jupyter.sandbox``: run the stand-in and print its address and secret."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from .server import Server
from .service import Service
from .settings import Settings, read_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

FAREWELL_SECONDS = 2.0
LARGEST_PORT = 65_535


class _CalledAs(argparse.Action):
    """Takes the name of the command that passes its options on, for the help and the errors."""

    def __call__(self, parser: argparse.ArgumentParser, *given: Any) -> None:
        parser.prog = given[1]


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > LARGEST_PORT:
        raise argparse.ArgumentTypeError(f"{text} is no port; take one up to {LARGEST_PORT}, or 0")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser(
        prog="python -m alcf_jupyter.sandbox",
        description="Run the sandbox, a stand-in for the ALCF Inference Endpoints, on this "
        "machine, and print its address and its token.",
    )
    made.add_argument("--called-as", action=_CalledAs, help=argparse.SUPPRESS)
    made.add_argument("--config", metavar="FILE", help="a JSON file of settings")
    made.add_argument("--port", type=_port, help="port on 127.0.0.1; 0 takes a free one")
    made.add_argument("--clock-speed", type=float, help="service seconds per real second")
    made.add_argument("--seed", type=int, help="makes ids the same in every run")
    made.add_argument("--batch-root", metavar="DIR", help="the folder batches read and write in")
    made.add_argument("--log", metavar="FILE", help="where each request is noted, one JSON a line")
    switch = argparse.BooleanOptionalAction
    made.add_argument("--models-route", action=switch, help="serve GET /{cluster}/models")
    made.add_argument("--rate-limit", action=switch, help="refuse at the gateway's limits")
    made.add_argument("--requests-per-second", type=int, metavar="N", help="for each caller")
    made.add_argument("--latency", type=float, metavar="SECONDS", help="wait before each answer")
    made.add_argument(
        "--patience", type=float, metavar="SECONDS", help="for a queued model to be looked at"
    )
    made.add_argument("--alias", action="append", metavar="NAME=MODEL", help="another name")
    made.add_argument("--token", action="append", metavar="TOKEN=ROLE", help="another caller")
    made.add_argument("--with-owner", action="store_true", help="end when standard input ends")
    return made


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Return the configuration file's settings, with what the command line says on top."""
    settings = read_settings(arguments.config) if arguments.config else Settings()
    names = (
        *("port", "clock_speed", "seed", "batch_root", "log", "models_route", "rate_limit"),
        "requests_per_second",
    )
    for name in names:
        if (value := getattr(arguments, name)) is not None:
            setattr(settings, name, value)
    if arguments.latency is not None:
        settings.latency_real_seconds = arguments.latency
    if arguments.patience is not None:
        settings.patience_real_seconds = arguments.patience
    settings.aliases |= dict(_pair(text) for text in arguments.alias or [])
    settings.tokens |= dict(_pair(text) for text in arguments.token or [])
    return settings


def _pair(text: str) -> tuple[str, str]:
    left, equals, right = text.partition("=")
    if not (left and equals and right):
        raise SystemExit(f"sandbox: {text!r} is not of the form name=value")
    return left, right


async def serve(settings: Settings, *, with_owner: bool) -> None:
    """Run until interrupted, or until the owner's end of standard input closes."""
    service = Service(settings)
    server = Server(service)
    await server.start()
    print(json.dumps({"url": server.url, "secret": service.secret}), flush=True)  # noqa: T201
    threading.Thread(target=_warm_up, daemon=True).start()
    if with_owner:
        await _end_of_input()
        server.stop()
        # What is under way may take its leave, but not keep the owner's machine busy.
        forced = threading.Timer(FAREWELL_SECONDS, os._exit, (0,))
        forced.daemon = True
        forced.start()
    else:
        await asyncio.Event().wait()


async def _end_of_input() -> None:
    """Wait until standard input ends; the owner's death closes it, however sudden."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def read() -> None:
        # Past Python's buffer: its lock would be held by this thread when the program ends.
        while os.read(sys.stdin.fileno(), 4096):
            pass
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=read, daemon=True).start()
    await ended.wait()


def _warm_up() -> None:
    """Import what the first requests need, after the address is out."""
    from .models import vectors
    from .schemas import warm_up

    warm_up()
    vectors.embed(["ready"], 8)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the stand-in."""
    told = parser().parse_args(arguments)
    try:
        settings = settings_of(told)
        asyncio.run(serve(settings, with_owner=told.with_owner))
    except (ValueError, TypeError, OSError, OverflowError) as wrong:
        raise SystemExit(f"sandbox: {wrong}") from None
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
