"""Why a connection failed is said in words, and without a number of the system."""

import errno
import os
import socket
import ssl

import pytest

from alcf_jupyter.connection.http import reasons
from alcf_jupyter.errors import UnreachableError
from tests.connection.faultserver import client_of, serving


def refused(host):
    return f"[Errno 111] Connect call failed ('{host}', 80)"


SEVERAL = f"Multiple exceptions: [Errno 101] Network is unreachable, {refused('10.0.0.1')}"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed"), "was refused"),
        (OSError(SEVERAL), "the connection was refused"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "no way to its network"),
        (ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)), "was reset"),
        (ConnectionResetError(), "it broke off"),
        (OSError(errno.EXDEV, "Crossing the devices."), "Crossing the devices"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "is not known here"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "just now"),
        (UnicodeError("label too long"), "cannot be that of a host"),
        (ssl.SSLError(1, "[SSL] x"), "no TLS connection came about (no reason given)"),
        (ssl.SSLCertVerificationError("x"), "certificate is not accepted (no reason given)"),
        (ValueError("odd"), "odd"),
    ],
)
def test_each_in_its_words(error, words):
    told = reasons.of(error)
    assert words in told
    assert "rrno" not in told
    assert not told.endswith(".")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_where_nobody_listens_is_said_as_a_person_would(host):
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))  # taken, so that nobody else comes to listen there
        port = mute.getsockname()[1]
        with pytest.raises(UnreachableError) as caught:
            client_of(f"http://{host}:{port}/v1", token=None).models(timeout="60s")
    assert (
        caught.value.what == f"http://{host}:{port} cannot be reached: the connection was refused."
    )
    assert "is the server running?" in caught.value.why


def test_a_connection_that_was_made_and_broke_is_not_said_to_be_out_of_reach():
    with serving(lambda peer, _: peer.reset()) as server:
        with pytest.raises(UnreachableError) as caught:
            client_of(server.plain, token=None).models(timeout="60s")
        assert (
            caught.value.what
            == f"The connection to {server.origin} broke: the connection was reset."
        )
        assert "is the server running" not in caught.value.why
