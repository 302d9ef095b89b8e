"""The one transport against a server that breaks in every way a network can."""

import logging
import socket
import time
import traceback
import tracemalloc

import pytest

from alcf_jupyter.connection import loop
from alcf_jupyter.connection.client import Client
from alcf_jupyter.connection.deadline import Deadline
from alcf_jupyter.connection.http import incoming
from alcf_jupyter.connection.http.transport import Transport
from alcf_jupyter.connection.profiles import Profile
from alcf_jupyter.connection.sign_in.credentials import Credential
from alcf_jupyter.errors import (
    AlcfError,
    AnswerError,
    DeadlineError,
    IncompleteError,
    NotTheServiceError,
    ServerFailureError,
    UnreachableError,
    UsageError,
)
from tests.connection.faultserver import (
    DONE,
    TOKEN,
    Gateway,
    ask,
    chat_answer,
    chunked,
    client_of,
    event,
    head,
    serving,
    stream_head,
    texts,
    whole,
)
from tests.connection.stopwatch import stopwatch


def answering(script):
    """A gateway whose /whoami and chats are answered by `script`."""
    return Gateway(routes={"/whoami": script}, infer=script)


def test_a_good_answer_and_what_was_sent():
    with serving() as server:
        assert client_of(server.url).whoami() == {"username": "alice"}
        sent = server.requests[0]
        assert (sent.method, sent.path) == ("GET", "/resource_server/whoami")
        assert sent.headers["authorization"] == f"Bearer {TOKEN}"
        assert sent.headers["accept-encoding"] == "identity"
        assert sent.headers["host"] == f"127.0.0.1:{server.port}"
        assert sent.headers["user-agent"].startswith("alcf-jupyter/")
        assert "cookie" not in sent.headers


def test_nobody_listens():
    with socket.socket() as mute, stopwatch() as seconds:
        mute.bind(("127.0.0.1", 0))  # taken, so that nobody else comes to listen there
        port = mute.getsockname()[1]
        with pytest.raises(UnreachableError, match="is the server running") as caught:
            client_of(f"http://127.0.0.1:{port}/resource_server").whoami()
        assert seconds() < 5
    assert f"127.0.0.1:{port} cannot be reached" in str(caught.value)
    assert "%alcf connect sandbox" in str(caught.value)


HEAD = whole({"username": "alice"})

BROKEN = {
    "reset at once": lambda peer, _: peer.reset(),
    "closed at once": lambda peer, _: peer.close(),
    "reset in the status line": lambda peer, _: (peer.send("HTTP/1.1 20"), peer.reset()),
    "closed in the headers": lambda peer, _: (peer.send(HEAD[:40]), peer.close()),
    "reset in the headers": lambda peer, _: (peer.send(HEAD[:40]), peer.reset()),
    "closed in the body": lambda peer, _: (peer.send(HEAD[:-5]), peer.close()),
    "reset in the body": lambda peer, _: (peer.send(HEAD[:-5]), peer.reset()),
    "closed in a chunk": lambda peer, _: (peer.send(stream_head(), "5\r\nab"), peer.close()),
    "no last chunk": lambda peer, _: (peer.send(stream_head(), "2\r\n{}\r\n"), peer.close()),
    "bad chunk size": lambda peer, _: peer.send(stream_head(), "zz\r\n{}\r\n"),
    "another protocol": lambda peer, _: (peer.send("SSH-2.0-OpenSSH_9\r\n"), peer.close()),
    "bytes": lambda peer, _: (peer.send(bytes(range(256)) * 4), peer.close()),
    "an endless header": lambda peer, _: peer.send("HTTP/1.1 200 OK\r\nX: " + "y" * 500_000),
    "two lengths": lambda peer, _: peer.send(head(Content_Length="2, 3"), "{}"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_connection_that_breaks_is_said_to_be_broken(how):
    with serving(answering(BROKEN[how])) as server:
        client = client_of(server.url)
        with stopwatch() as seconds:
            with pytest.raises(UnreachableError) as caught:
                client.whoami(timeout="60s")
            assert seconds() < 3
        assert len(str(caught.value).splitlines()) == 3
        assert caught.value.__context__ is None
        server.script = Gateway()
        assert client.whoami() == {"username": "alice"}, "the next request goes well"


SLOW = {
    "says nothing": lambda peer, _: peer.hang(),
    "stops in the headers": lambda peer, _: (peer.send(HEAD[:30]), peer.hang()),
    "stops in the body": lambda peer, _: (peer.send(HEAD[:-3]), peer.hang()),
    "drips its headers": lambda peer, _: peer.drip(HEAD, 0.1),
    "drips its body": lambda peer, _: (peer.send(head()), peer.drip(b" " * 1000, 0.1)),
    "drips chunks": lambda peer, _: (
        peer.send(stream_head()),
        peer.drip(chunked(b"\n") * 1000, 0.1, size=6),
    ),
    "continues forever": lambda peer, _: peer.drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 99, 0.1, 25),
}


@pytest.mark.parametrize("how", SLOW)
def test_one_deadline_holds_for_everything(how):
    """A read timeout alone survives a server that sends a byte now and then."""
    with serving(answering(SLOW[how])) as server:
        client = client_of(server.url)
        began = time.monotonic()
        with stopwatch() as seconds:
            with pytest.raises(DeadlineError, match="0s have passed while waiting for http://127"):
                client.whoami(timeout=0.5)
            assert seconds() < 1.5
        assert time.monotonic() - began > 0.4
        assert server.gave_up(), "the connection was given up"


def test_the_deadline_holds_for_streams_and_keeps_what_came():
    def drip(peer, _request):
        peer.send(stream_head(), chunked(event("half ")))
        peer.drip(chunked(b": still here\n\n") * 100, 0.1, size=21)

    with serving(answering(drip)) as server:
        client = client_of(server.url, poll_seconds=60)
        client.models()
        call = ask(timeout=3.0)  # time for the first piece to come on a busy machine, too
        with stopwatch() as seconds:
            with pytest.raises(DeadlineError):
                texts(client.stream(call))
            assert seconds() < 4.5
        assert call.reading.answer.text == "half "
        assert not call.reading.answer.complete


def test_a_deadline_holds_while_connecting():
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:  # the queue of connections is full now, and stays so
            sock.settimeout(0)
            sock.connect_ex(address)
        time.sleep(0.1)
        with stopwatch() as seconds:
            with pytest.raises(DeadlineError):
                client_of(f"http://127.0.0.1:{address[1]}/resource_server").whoami(timeout=0.5)
            assert seconds() < 1.5
        for sock in waiting:
            sock.close()


CODES = [b"gzip", b"deflate", b"br", b"GZIP", b"gzip, identity"]


@pytest.mark.parametrize("code", CODES)
def test_a_compressed_answer_is_not_unfolded(code):
    bomb = b"\x1f\x8b\x08" + b"\x00" * 2000
    script = answering(lambda peer, _: peer.send(whole(bomb, Content_Encoding=code.decode())))
    with serving(script) as server:
        client = client_of(server.url)
        for attempt in (client.whoami, lambda: stream_of(client)):
            with pytest.raises(NotTheServiceError, match="compressed"):
                attempt()


def stream_of(client):
    return texts(client.stream(ask()))


def test_an_endless_line_is_stopped_in_bounded_memory():
    sent = []

    def flood(peer, _request):
        peer.send(stream_head())
        part = chunked(b"data: " + b"x" * 1_000_000)
        for _ in range(100):
            peer.send(part)
            sent.append(len(part))

    with serving(answering(flood)) as server:
        client = client_of(server.url)
        client.models()
        tracemalloc.start()
        try:
            with pytest.raises(AnswerError, match="one event of over 8,000,000 bytes"):
                texts(client.stream(ask()))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert server.gave_up()
    assert sum(sent) < 25_000_000
    assert peak < 30_000_000


def test_an_endless_answer_is_stopped_in_bounded_memory():
    def flood(peer, _request):
        peer.send(stream_head().replace(b"text/event-stream", b"application/json"))
        part = chunked(b" " * 1_000_000)
        for _ in range(200):
            peer.send(part)

    with serving(answering(flood)) as server:
        client = client_of(server.url)
        client.models()
        tracemalloc.start()
        try:
            with pytest.raises(AnswerError, match="longer than 32,000,000 bytes"):
                client.chat(ask())
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 80_000_000


def test_a_stream_of_small_events_without_an_end_is_stopped(monkeypatch):
    monkeypatch.setattr(incoming, "MAX_STREAM_BYTES", 2_000_000)
    sent = []

    def flood(peer, _request):
        peer.send(stream_head())
        part = chunked(event("word ") * 2_000)
        for _ in range(100):
            peer.send(part)
            sent.append(len(part))
        peer.send(chunked(event(None, "stop") + DONE, last=True))

    with serving(answering(flood)) as server:
        client, call = client_of(server.url), ask()
        with pytest.raises(AnswerError, match="longer than 2,000,000 bytes"):
            texts(client.stream(call))
        assert len(call.reading.answer.text) > 50_000, "what had come is kept"
        assert server.gave_up()
    assert sum(sent) < 15_000_000


def test_of_an_endless_refusal_no_more_is_read_than_tells_why():
    sent = []

    def flood(peer, _request):
        peer.send(stream_head().replace(b"200", b"500"))
        for _ in range(100):
            peer.send(chunked(b"out of order " * 80_000))
            sent.append(1)

    with serving(answering(flood)) as server:
        client = client_of(server.url)
        for attempt in (client.whoami, lambda: client.chat(ask()), lambda: stream_of(client)):
            sent.clear()
            with pytest.raises(ServerFailureError, match="out of order"):
                attempt()
            assert len(sent) < 20


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("where", ["here", "elsewhere", "https", "nowhere"])
def test_no_redirect_is_followed(status, where):
    with serving() as other:
        places = {
            "here": lambda server: f"{server.url}/whoami",
            "elsewhere": lambda _: f"{other.url}/whoami",
            "https": lambda server: f"https://127.0.0.1:{server.port}/whoami",
            "nowhere": lambda _: "",
        }

        def redirect(peer, _request):
            peer.send(whole(b"", status, "text/html", Location=places[where](server)))

        with serving(answering(redirect)) as server:
            client = client_of(server.url)
            for attempt in (client.whoami, lambda: client.chat(ask()), lambda: stream_of(client)):
                with pytest.raises(NotTheServiceError, match=f"redirect .{status}."):
                    attempt()
            assert len(server.to("/whoami")) == 1
        assert other.connections == 0, "no request and no token went to the other host"


PORTAL = b"<!DOCTYPE html><html><head><title>Hotel guest network</title></head></html>"


@pytest.mark.parametrize("kind", ["text/html", "text/html; charset=utf-8", "TEXT/HTML", "x/y"])
def test_a_portal_that_says_200_is_not_the_service(kind):
    with serving(answering(lambda peer, _: peer.send(whole(PORTAL, 200, kind)))) as server:
        client = client_of(server.url)
        for attempt in (client.whoami, lambda: client.chat(ask()), lambda: stream_of(client)):
            with pytest.raises(NotTheServiceError, match="Hotel guest network"):
                attempt()
    with (
        serving(lambda peer, _: peer.send(whole(PORTAL, 200, kind))) as server,
        pytest.raises(NotTheServiceError, match="Hotel"),
    ):
        client_of(server.url).models()


def test_old_and_odd_but_valid_answers_are_read():
    body = b'{"username": "alice"}'
    valid = {
        "HTTP/1.0, to the end": (head(version="1.0").encode() + body, True),
        "to the end": (head(Connection="close").encode() + body, True),
        "a hundred first": (b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD, False),
        "bytes one by one": (HEAD, None),
        "chunk extensions": (
            stream_head() + b"5;a=b\r\n" + body[:5] + b"\r\n10\r\n" + body[5:] + b"\r\n0\r\n\r\n",
            False,
        ),
        "identity": (whole(body, Content_Encoding="identity"), False),
        "a strange reason": (HEAD.replace(b"200 Words", b"200 \xe9\xff"), False),
        "a mark of order": (whole(b"\xef\xbb\xbf" + body), False),
    }
    for name, (answer, close) in valid.items():

        def send(peer, _request, answer=answer, close=close):
            if close is None:
                peer.drip(answer, 0.0005)
            else:
                peer.send(answer)
            if close:
                peer.close()

        with serving(answering(send)) as server:
            assert client_of(server.url).whoami() == {"username": "alice"}, name


def test_a_stream_may_be_cut_anywhere():
    text = "héllo 🙂 漢"
    body = b"".join([event(letter) for letter in text] + [event(None, "stop"), DONE])
    for crlf in (False, True):
        data = body.replace(b"\n", b"\r\n") if crlf else body
        parts = [b"\xef\xbb\xbf", *(data[i : i + 3] for i in range(0, len(data), 3))]

        def send(peer, _request, parts=parts):
            peer.send(stream_head(), *(chunked(part) for part in parts), chunked(b"", last=True))

        with serving(answering(send)) as server:
            pieces, answer = stream_of(client_of(server.url))
            assert "".join(pieces) == answer.text == text
            assert answer.complete


def test_the_kind_of_an_answer_may_be_written_in_any_case():
    def send(peer, _request):
        peer.send(stream_head().replace(b"text/event-stream", b"Text/Event-Stream; charset=UTF-8"))
        peer.send(chunked(event("hi", "stop") + DONE, last=True))

    with serving(answering(send)) as server:
        assert stream_of(client_of(server.url))[0] == ["hi"]


def test_a_stream_that_ends_early_is_incomplete():
    def send(peer, _request):
        peer.send(stream_head(), chunked(event("half "), last=True))

    with serving(answering(send)) as server:
        call = ask()
        with pytest.raises(IncompleteError):
            texts(client_of(server.url).stream(call))
        assert call.reading.answer.text == "half "
        assert len(server.to("/chat/completions")) == 1


def test_nothing_is_waited_for_after_the_end_of_a_stream():
    """Some servers leave the connection open behind [DONE], some let it crash."""

    def hang(peer, _request):
        peer.send(stream_head(), chunked(event("all") + event(None, "stop") + DONE))
        peer.hang()

    def crash(peer, _request):
        peer.send(stream_head(), chunked(event("all") + event(None, "stop") + DONE))
        time.sleep(0.05)
        peer.reset()

    for script in (hang, crash):
        with serving(answering(script)) as server:
            with stopwatch() as seconds:
                pieces, answer = stream_of(client_of(server.url))
                assert seconds() < 3
            assert (pieces, answer.text, answer.complete) == (["all"], "all", True)


def test_a_connection_is_used_again_also_after_a_stream():
    with serving() as server:
        client = client_of(server.url)
        client.models()
        before = server.connections
        for _ in range(3):
            assert texts(client.stream(ask()))[1].text == "hello"
            assert client.chat(ask()).text == "hello"
            client.whoami()
        assert server.connections == before


ELSEWHERE = [
    "{other}/resource_server/whoami",
    "//{other_host}/resource_server/whoami",
    "https://127.0.0.1:{port}/x",
    "http://user:pw@127.0.0.1:{port}/resource_server/whoami",
    "//user@127.0.0.1:{port}/resource_server/whoami",
    "http://127.0.0.1:1/x",
    "http://localhost:{port}/x",
    "ftp://127.0.0.1:{port}/x",
    "http://127.0.0.1:{port}\x00/x",
    "/\x00",
    "http://[::1",
    "http://127.0.0.1:99999999/x",
]


@pytest.mark.parametrize("address", ELSEWHERE)
def test_requests_go_to_the_one_host_alone(address):
    with serving() as server, serving() as other:
        host = other.origin.removeprefix("http://")
        place = address.format(other=other.origin, other_host=host, port=server.port)
        transport = Transport(Profile("gateway", server.url), Credential(TOKEN, "the test"))
        with pytest.raises(NotTheServiceError, match="on another host"):
            loop.run(transport.request("GET", place, Deadline.after(60)))
        assert (server.connections, other.connections) == (0, 0)


def test_a_catalog_cannot_lead_elsewhere():
    with serving() as other, serving() as server:

        def listing(peer, _request):
            answer = {"clusters": {}}
            for name, base in {
                "a": other.url,
                "b": f"//127.0.0.1:{other.port}",
                "sophia": "/resource_server/sophia",
            }.items():
                frameworks = {"vllm": {"models": ["m"], "endpoints": ["/v1/chat/completions"]}}
                answer["clusters"][name] = {"base_url": base, "frameworks": frameworks}
            peer.send(whole(answer))

        server.script = Gateway(routes={"/list-endpoints": listing})
        client = client_of(server.url)
        known = client.models()
        assert [(m.id, m.cluster) for m in known.models] == [("m", "sophia")]
        assert len(known.warnings) == 2
        assert client.chat(ask()).text == "hello"
        assert other.connections == 0


def test_odd_cluster_names_stay_in_their_place_in_a_path():
    with serving(Gateway(models={"../x": ["m"], "a?b=c#d": ["n"], "e/f": ["o"]})) as server:
        client_of(server.url).models()
        asked = {request.path for request in server.requests}
        assert "/resource_server/..%2Fx/jobs" in asked
        assert "/resource_server/a%3Fb%3Dc%23d/jobs" in asked
        assert "/resource_server/e%2Ff/jobs" in asked


@pytest.mark.parametrize("url", ["http://example.org/v1", "http://10.0.0.1:8000/resource_server"])
def test_a_token_is_not_sent_over_plain_http(url):
    with pytest.raises(UsageError, match="plain http") as caught:
        client_of(url, poll_seconds=None) if "/v1" in url else Client(
            Profile("gateway", url), Credential(TOKEN, "the test")
        )
    assert TOKEN not in str(caught.value)
    assert Client(Profile("openai", url), Credential(None, "no token"))


def test_a_body_over_the_limit_never_leaves():
    with serving() as server:
        client = client_of(server.url)
        with pytest.raises(UsageError, match="Nothing was sent"):
            client.chat(ask(user="x" * 2_700_000))
        assert server.to("/chat/completions") == []


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_both_kinds_of_addresses(host):
    try:
        context = serving(host=host)
        with context as server:
            assert client_of(server.url).whoami() == {"username": "alice"}
    except OSError:
        pytest.skip("this machine has no IPv6")


def test_the_token_is_in_no_log_and_no_traceback(caplog):
    caplog.set_level(logging.DEBUG)
    with serving(answering(BROKEN["reset in the body"])) as server:
        client = client_of(server.url)
        try:
            client.whoami(timeout="60s")
        except AlcfError as error:
            told = traceback.TracebackException.from_exception(error, capture_locals=True)
            shown = "".join(told.format())
        client.models()
    assert "whoami" in shown
    assert TOKEN not in shown
    assert TOKEN not in caplog.text


def test_certificates_that_cannot_be_read_are_named(clean_environ):
    clean_environ["SSL_CERT_FILE"] = "/no/such/file.pem"
    client = Client(Profile("openai", "https://127.0.0.1:1/v1"), Credential(None, "no token"))
    with pytest.raises(UsageError, match="no/such/file"):
        client.models(timeout=5)


def test_a_server_that_is_no_gateway():
    def script(peer, request):
        if request.path == "/v1/models":
            peer.send(whole({"data": [{"id": "llama3"}]}))
        else:
            peer.send(whole(chat_answer()))

    with serving(script) as server:
        client = client_of(server.plain, token=None)
        assert client.chat(ask(model="llama3")).text == "hello"
        assert all("authorization" not in request.headers for request in server.requests)
        pieces, answer = texts(client.stream(ask(model="llama3")))
        assert pieces == ["hello"], "a server that does not stream is shown, too"
        assert answer.text == "hello"


def test_httpx_s_own_settings_have_no_say(clean_environ, tmp_path):
    """No .netrc, no variables of other libraries: they would add or change a header."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login u password p\n")
    netrc.chmod(0o600)
    clean_environ.update(NETRC=str(netrc), OPENAI_API_KEY="x", http_proxy="http://127.0.0.1:1")
    with serving() as server:
        client_of(server.url, token=None).whoami()
        assert "authorization" not in server.requests[0].headers
