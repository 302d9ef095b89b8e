"""The other process of test_interrupt.py: does what its standard input says, and tells when.

Each line is ``PHASE URL``; for each it says ``began``, then how it ended and at which time of the
machine's monotonic clock.
"""

import sys
import time

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


PHASES = {
    "whoami": lambda client: client.whoami(timeout="5m"),
    "whole": lambda client: client.chat(call()),
    "stream": lambda client: list(client.stream(call())),
    "reply": lambda _: list(replying("hi", model="m")),
    "queue": lambda client: client.chat(call("cold")),
    "observer": lambda client: client.chat(call("cold"), Blocking()),
    "pace": pace,
}

for line in sys.stdin:
    phase, url = line.split()
    say("began")
    client = session.current().client = Client(
        resolve(url, poll_seconds=60), Credential("t", "the test")
    )
    try:
        PHASES[phase](client)
        say("ended", time.monotonic())
    except AnswerInterrupted as stop:
        say("interrupted", time.monotonic(), repr(stop.reply.text), stop.reply.complete)
    except KeyboardInterrupt:
        say("interrupted", time.monotonic())
    except Exception as error:  # noqa: BLE001 - the test looks at it
        say("failed", time.monotonic(), repr(error))
