"""A sandbox with batches: its folder, its clock, and tables to send."""

import contextlib
import time
from dataclasses import replace

import pandas as pd

import alcf_jupyter as alcf
from alcf_jupyter.connection import session
from alcf_jupyter.connection.client import Client
from tests import controlled

MODEL = "sandbox/echo"
LONG = 100_000
"""Seconds of the sandbox; 100 of ours."""

CREATE = {"route": "/batches", "method": "POST"}


@contextlib.contextmanager
def sandbox(root):
    options = ("--no-rate-limit", f"--batch-root={root}", "--clock-speed=1000")
    with controlled.sandbox(*options, "--token=bob-token=bob") as made:
        made.root = root
        made.control(
            "POST",
            "/limits",
            {"batches_per_user": 100, "batch_seconds": 20, "batch_chunk_seconds": 1},
        )
        yield made


def connect(box, token=None):
    """Connect at a pace that a test has time for: the sandbox refuses none here."""
    made = alcf.connect(box.url, token=token or box.secret, poll_seconds=0.2)
    quick = Client(replace(made.profile, requests_per_second=None), made.credential)
    session.current().client = quick
    return quick


def limits(box, **settings):
    box.control("POST", "/limits", settings)


def slow(box):
    """Let a batch of four chunks go on only where the clock is moved; see `until`."""
    limits(box, batch_chunk_lines=5, batch_seconds=0, batch_chunk_seconds=LONG)


def until(box, look, fits):
    """Look, one chunk further each time or none, until what is seen fits; return it."""
    end = time.monotonic() + 60
    while not fits(seen := look()):
        assert time.monotonic() < end, seen
        box.control("POST", "/clock", {"advance": LONG})
        time.sleep(0.1)
    return seen


def table(rows, **columns):
    return pd.DataFrame({"text": [f"text {n}" for n in range(rows)], **columns})


def created(box):
    """How many batches the sandbox was asked for since the last look."""
    return [one for one in box.sent("/batches") if one["method"] == "POST"]
