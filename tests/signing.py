"""Fixtures of the sign-in tests: the authorization server, and a gateway that knows its tokens."""

import contextlib
import json
import subprocess
import sys
import urllib.request
from dataclasses import dataclass

import pytest

from tests import globus_auth

ROLES = {globus_auth.ALICE: "good", globus_auth.BOB: "bob", globus_auth.ACCOUNT: "good"}


@dataclass
class Gateway:
    """A sandbox that plays ALCF's gateway."""

    url: str
    secret: str

    def control(self, method, path, body=None):
        request = urllib.request.Request(
            self.url.replace("/resource_server", "/sandbox") + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.secret}"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def take(self, token, role):
        """Let a token stand for a role from now on: good, bob, expired, policy, baddomain, …"""
        self.control("POST", "/tokens", {token: role})

    def requests(self, part=""):
        """Return what the gateway was asked, but for the routes under /sandbox."""
        told = self.control("GET", "/log")["entries"]
        return [entry for entry in told if part in entry["path"]]


@contextlib.contextmanager
def gateway():
    command = [sys.executable, "-m", "alcf_jupyter.sandbox", "--with-owner", "--no-rate-limit"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            told = json.loads(process.stdout.readline())
            yield Gateway(told["url"], told["secret"])
        finally:
            process.stdin.close()
            process.wait(60)


@pytest.fixture(scope="module")
def _services():
    with globus_auth.running() as auth, gateway() as alcf:
        auth.tell = lambda token, identity: alcf.take(token, ROLES[identity])
        yield auth, alcf


@pytest.fixture
def auth(_services, clean_environ):
    """The authorization server, as this process and those it starts see it."""
    server, _ = _services
    clean_environ["GLOBUS_SDK_SERVICE_URL_AUTH"] = server.url
    fresh = globus_auth.AuthServer(server.port)
    for name in ("identity", "clock", "lifetime", "failing", "delay"):
        setattr(server, name, getattr(fresh, name))
    server.grants.clear()
    server.authorized.clear()
    return server


@pytest.fixture
def alcf(_services, auth):  # noqa: ARG001 - a gateway on this machine goes with it
    """The gateway."""
    return _services[1]


@pytest.fixture
def client(alcf):
    """A client of the gateway, connected as a person connects to ALCF's."""
    from alcf_jupyter.connection import session

    yield session.connect(alcf.url)
    session.current().client = None
