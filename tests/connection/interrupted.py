"""The other process of test_interrupt.py: does what its standard input says, and tells when.

Each line is ``PHASE URL``; for each it says ``began``, then how it ended, at which time of the
machine's monotonic clock, and when it had looked at that clock since: see `stopwatch`.
"""

import sys
import threading
import time

from stopwatch import Looks

from alcf_jupyter.connection import session
from alcf_jupyter.connection.call import Call
from alcf_jupyter.connection.client import Client
from alcf_jupyter.connection.deadline import Deadline
from alcf_jupyter.connection.profiles import resolve
from alcf_jupyter.connection.sign_in.credentials import Credential
from alcf_jupyter.errors import AnswerInterrupted
from alcf_jupyter.prompt.ask import replying


def say(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


class Blocking:
    """An observer in whose hands the interrupt falls."""

    def status(self, _words):
        say("told")
        time.sleep(60)


def call(model="m"):
    messages = [{"role": "user", "content": "hi"}]
    return Call("chat/completions", model, None, {"messages": messages}, Deadline.after("5m"))


def pace(client):
    while True:
        client.whoami()


def reading(_client):
    """Read an answer, and say from beside that two letters of it have come."""
    seen = []

    def tell():
        while sum(len(getattr(step, "text", "")) for step in list(seen)) < 2:
            time.sleep(0.005)
        say("came")

    threading.Thread(target=tell, daemon=True).start()
    # no line of this program runs between two pieces: the interrupt falls into the reading
    list(map(seen.append, replying("hi", model="m")))


PHASES = {
    "whoami": lambda client: client.whoami(timeout="5m"),
    "whole": lambda client: client.chat(call()),
    "stream": lambda client: list(client.stream(call())),
    "reply": lambda _: list(replying("hi", model="m")),
    "reading": reading,
    "queue": lambda client: client.chat(call("cold")),
    "observer": lambda client: client.chat(call("cold"), Blocking()),
    "pace": pace,
}

looks = Looks()


def say_how(how, *more):
    say(how, time.monotonic(), ",".join(f"{at:.4f}" for at in (0.0, *looks.at)), *more)


for line in sys.stdin:
    phase, url = line.split()
    client = session.current().client = Client(
        resolve(url, poll_seconds=60), Credential("t", "the test")
    )
    looks.at.clear()
    try:
        say("began")
        PHASES[phase](client)
        say_how("ended")
    except AnswerInterrupted as stop:
        say_how("interrupted", repr(stop.reply.text), stop.reply.complete)
    except KeyboardInterrupt:
        say_how("interrupted")
    except Exception as error:  # noqa: BLE001 - the test looks at it
        say_how("failed", repr(error))
