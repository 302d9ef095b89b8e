"""Connections through TLS and proxies: who is spoken to, and who hears what."""

import asyncio
import base64
import socket
import ssl
from pathlib import Path

import pytest

from alcf_jupyter.connection import loop
from alcf_jupyter.connection.deadline import Deadline
from alcf_jupyter.connection.http import wire
from alcf_jupyter.connection.http.channel import Request
from alcf_jupyter.connection.http.dialer import Dialer
from alcf_jupyter.connection.http.transport import Transport
from alcf_jupyter.connection.http.wire import BrokenError
from alcf_jupyter.connection.profiles import Profile
from alcf_jupyter.connection.sign_in.credentials import Credential
from alcf_jupyter.errors import DeadlineError, UnreachableError, UsageError
from tests.connection.faultserver import TOKEN, chunked, serving, stream_head, whole
from tests.connection.stopwatch import stopwatch
from tests.proxying import HOST, Listener, Proxy, certificate, pipe, tls_front


@pytest.fixture
def server():
    with serving(lambda peer, _: peer.send(whole({"username": "alice"}))) as running:
        yield running


@pytest.fixture
def front(server, tmp_path, clean_environ):
    """A TLS front before the server, for `HOST`, which is trusted."""
    listener, trusted = tls_front(server.port, tmp_path)
    clean_environ["SSL_CERT_FILE"] = str(trusted)
    yield listener
    listener.close()


@pytest.fixture
def proxy(front):
    running = Proxy(front.port)
    yield running
    running.close()


def ask(url, proxy=None, token=TOKEN, times=1):
    """Send requests as the package does; return what came last."""
    transport = Transport(Profile("openai", url, proxy=proxy), Credential(token, "the test"))

    async def some():
        for _ in range(times):
            told = await transport.request("GET", "/x", Deadline.after(60))
        return told

    return loop.run(some()).body


URL = f"https://{HOST}/v1"
GOOD = b'{"username": "alice"}'


def test_through_a_proxy_with_tls_inside(server, proxy):
    assert ask(URL, proxy.url, times=3) == GOOD
    assert proxy.targets == [f"{HOST}:443"]
    assert "Proxy-Authorization" not in proxy.asked[0]
    assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert server.requests[0].headers["host"] == HOST
    assert server.requests[0].path == "/x"
    assert server.connections == 1, "the tunnel is used again"


def test_the_proxy_is_told_who_asks_and_the_server_is_not(server, proxy):
    address = proxy.url.replace("//", "//m%40e:p%3Aw@")
    assert ask(URL, address) == GOOD
    told = base64.b64encode(b"m@e:p:w").decode()
    assert f"Proxy-Authorization: Basic {told}\r\n" in proxy.asked[0]
    assert TOKEN not in proxy.asked[0]
    assert "proxy-authorization" not in server.requests[0].headers


def test_a_proxy_that_is_spoken_to_in_tls_itself(front, tmp_path, clean_environ):
    """TLS within TLS; both ends have to be whom they say."""
    proxy = Proxy(front.port)
    (tmp_path / "outer").mkdir()
    cert, key = certificate(tmp_path / "outer", "localhost")
    both = tmp_path / "both.pem"
    both.write_bytes(cert.read_bytes() + Path(clean_environ["SSL_CERT_FILE"]).read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    def serve(peer):
        with (
            context.wrap_socket(peer, server_side=True) as near,
            socket.create_connection(("127.0.0.1", int(proxy.url.rpartition(":")[2]))) as far,
        ):
            pipe(near, far)

    outer = Listener(serve)
    address = f"https://localhost:{outer.port}"
    try:
        with pytest.raises(UnreachableError, match=r"(?i)certificate"):
            ask(URL, address)
        assert proxy.asked == []
        clean_environ["SSL_CERT_FILE"] = str(both)
        assert ask(URL, address, times=2) == GOOD
        assert ask(URL, address.replace("//", "//me:pw@")) == GOOD
        assert "Proxy-Authorization" in proxy.asked[-1]
    finally:
        outer.close()
        proxy.close()


def test_a_server_with_the_name_of_another_is_not_spoken_to(server, front):
    running = Proxy(front.port)
    try:
        with pytest.raises(UnreachableError, match=r"(?i)hostname mismatch|not valid for"):
            ask("https://other.example/v1", running.url)
        with pytest.raises(UnreachableError, match=r"(?i)certificate"):
            ask(f"https://127.0.0.1:{front.port}/v1")
    finally:
        running.close()
    assert server.requests == [], "nothing was sent, and no token"


def test_a_certificate_that_nobody_trusts(server, proxy, clean_environ):
    del clean_environ["SSL_CERT_FILE"]
    with pytest.raises(UnreachableError, match=r"(?i)certificate"):
        ask(URL, proxy.url)
    assert server.requests == []


def test_a_server_that_does_not_speak_tls():
    with (
        serving(accept=lambda peer: peer.send(whole({}, 400))) as plain,
        pytest.raises(UnreachableError, match=r"(?i)ssl|tls|record"),
    ):
        ask(f"https://127.0.0.1:{plain.port}/v1")


def test_plain_http_goes_through_a_proxy_with_its_whole_address():
    with serving(lambda peer, _: peer.send(whole({}))) as proxy:
        address = proxy.origin.replace("//", "//me:pw@")
        assert ask("http://far.example:8000/v1", address, token=None, times=2) == b"{}"
        assert proxy.connections == 1
        first = proxy.requests[0]
        assert first.path == "http://far.example:8000/x"
        assert first.headers["host"] == "far.example:8000"
        assert first.headers["proxy-authorization"].startswith("Basic ")


SAYING = {
    "no": (b"HTTP/1.1 403 Forbidden\r\n\r\n", "403 Forbidden"),
    "no, at length": (whole(b"<html>" + b"x" * 100_000, 502, "text/html"), "502"),
    "who are you": (b"HTTP/1.1 407 \r\nProxy-Authenticate: Basic\r\n\r\n", "407"),
    "more than it was asked": (
        b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        "before its turn",
    ),
    "something else": (b"SSH-2.0\r\n\r\n", "status line"),
    "nothing": (b"", "without an answer"),
}


@pytest.mark.usefixtures("front")
@pytest.mark.parametrize("what", SAYING)
def test_a_proxy_that_says(what, server):
    """A redirect, a page or an early answer of a proxy is never taken for the server's."""
    told, words = SAYING[what]

    def serve(peer):
        peer.recv(4096)
        peer.sendall(told)

    listener = Listener(serve)
    try:
        with pytest.raises(UnreachableError, match=words) as caught:
            ask(URL, f"http://me:canary@127.0.0.1:{listener.port}")
        assert "canary" not in str(caught.value)
    finally:
        listener.close()
    assert server.requests == []


def test_the_deadline_holds_for_a_proxy_and_for_tls():
    with serving(accept=lambda peer: peer.hang()) as silent:
        for url, proxy in ((URL, silent.origin), (f"https://127.0.0.1:{silent.port}/v1", None)):
            transport = Transport(Profile("openai", url, proxy=proxy), Credential(None, "none"))
            with stopwatch() as seconds:
                with pytest.raises(DeadlineError):
                    loop.run(transport.request("GET", "/x", Deadline.after(0.3)))
                assert seconds() < 1.5
            assert silent.gave_up(), "the connection was given up"
            silent.gone.clear()


@pytest.mark.parametrize(
    "proxy",
    ["socks5://127.0.0.1:1", "ftp://x", "http://", "http://[::1", "http://h:99999999", "://"],
)
def test_what_is_no_proxy_is_said_before_anything_is_sent(proxy):
    with pytest.raises(UsageError, match="proxy cannot be used"):
        ask(URL, proxy)


def test_a_connection_that_is_not_made_in_time_is_told(monkeypatch):
    monkeypatch.setattr(wire, "CONNECT_SECONDS", 0.2)
    with serving(accept=lambda peer: peer.hang()) as silent:

        async def story():
            with pytest.raises(BrokenError, match="no connection within 0 s"):
                await Dialer(f"https://127.0.0.1:{silent.port}").dial()

        asyncio.run(story())
        assert silent.gave_up()


def test_a_stream_through_tls_ends_where_it_ends(front, server):
    """Large answers, small ones and streams, one after the other over one connection."""
    parts = [b"x" * size for size in (1, 70_000, 3, 900_000)]

    def script(peer, request):
        if request.path == "/stream":
            peer.send(stream_head(), *map(chunked, parts), chunked(b"", last=True))
        else:
            peer.send(whole(b"".join(parts)))

    server.script = script
    running = Proxy(front.port)

    async def story():
        channel = await Dialer(URL.removesuffix("/v1"), running.url).dial()
        for path in ("/stream", "/whole", "/stream", "/whole"):
            await channel.ask(Request("GET", path, {"Host": HOST}))
            assert b"".join([part async for part in channel.parts()]) == b"".join(parts)
            assert channel.is_free
        channel.wire.abort()

    try:
        asyncio.run(story())
    finally:
        running.close()
    assert server.connections == 1


@pytest.mark.parametrize(
    "proxy",
    [
        "http://me:canary/canary@127.0.0.1:3128",
        "http://me:canary#canary@127.0.0.1:3128",
        "http://me:canary?canary@127.0.0.1:3128",
        "http://me:canary",
        "me:canary",
        "http://me:can\x00ary@127.0.0.1:3128",
    ],
)
def test_a_proxy_that_is_written_wrong_shows_no_password(proxy):
    with pytest.raises(UsageError, match="proxy cannot be used") as caught:
        ask(URL, proxy)
    assert "can" not in str(caught.value).replace("cannot", "")
