"""A model of the tests' own behind the gateway of a fault server, connected to."""

import contextlib
from unittest import mock

import alcf_jupyter as alcf
from alcf_jupyter.connection import session
from alcf_jupyter.frames.sending import run_limits
from tests.connection.faultserver import TOKEN, Gateway, serving

PATIENCE = {"_LEAST_SECONDS": 30.0, "PATIENCE_SECONDS": 30.0 * 600}
"""The clock runs 600 times as fast here; a busy machine does not."""


@contextlib.contextmanager
def connected(model):
    """Serve `model` as ``m``, the default for chats and for embeddings; it knows its server."""
    now = session.current()
    before = now.client, now.chat, now.embed
    with serving(Gateway(infer=model)) as server, mock.patch.multiple(run_limits, **PATIENCE):
        model.server = server
        alcf.connect(server.url, token=TOKEN, poll_seconds=0.1)
        now.chat = now.embed = "m"
        yield model
    now.client, now.chat, now.embed = before
