"""A token can be sent, and seen nowhere else."""

import copy
import json
import pickle
import pprint
import traceback

import pytest
from IPython.core.ultratb import VerboseTB

import alcf_jupyter as alcf
from alcf_jupyter.connection import session
from alcf_jupyter.connection.sign_in.credentials import Credential, SignIn
from alcf_jupyter.connection.sign_in.secret import Secret
from alcf_jupyter.errors import AlcfError, UsageError
from tests.connection.faultserver import TOKEN, Gateway, ask, client_of, gateway_error, serving


def listed(thing, depth=3):
    """What a debugger or an inspector prints of a thing and of what it holds."""
    shown = [repr(thing), str(thing), f"{thing}"]
    for name in {*dir(type(thing)), *getattr(thing, "__dict__", {})}:
        if depth and name not in {"__globals__", "__builtins__", "__subclasses__", "__base__"}:
            try:
                value = getattr(thing, name)
            except Exception:  # noqa: BLE001 - whatever an attribute raises
                continue
            shown.append(repr(value))
            if type(value).__module__.startswith("alcf_jupyter"):
                shown += listed(value, depth - 1)
    return shown


def test_it_is_sent():
    assert Credential(TOKEN, "x").header() == f"Bearer {TOKEN}"
    assert Credential(None, "x").header() is None
    assert Credential(TOKEN, "x").sends
    assert not Credential(None, "x").sends


@pytest.mark.parametrize(
    "thing",
    [Credential(TOKEN, "the test"), Secret(TOKEN, "the test"), client_of("http://127.0.0.1")],
)
def test_it_is_in_no_listing(thing):
    # the header itself is the one way out; a listing shows methods, not what they return
    assert TOKEN not in "".join(listed(thing))
    assert TOKEN not in pprint.pformat(vars(thing) if hasattr(thing, "__dict__") else thing)
    for part in vars(thing).values() if hasattr(thing, "__dict__") else ():
        assert TOKEN not in repr(part)


@pytest.mark.parametrize("make", [Credential, Secret])
def test_it_cannot_be_pickled_or_copied(make):
    thing = make(TOKEN, "the test")
    for attempt in (
        *(lambda p=p: pickle.dumps(thing, p) for p in range(pickle.HIGHEST_PROTOCOL + 1)),
        lambda: copy.copy(thing),
        lambda: copy.deepcopy(thing),
        lambda: json.dumps(thing),
    ):
        with pytest.raises(TypeError) as caught:
            attempt()
        assert TOKEN not in str(caught.value)


def test_a_client_cannot_be_pickled_with_it():
    with pytest.raises((TypeError, AttributeError)) as caught:
        pickle.dumps(client_of("http://127.0.0.1"))
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("token", ["", " ", "two words", f"{TOKEN}\n", "\x00", "é", "x" * 20_000])
def test_what_is_no_token_is_refused_and_not_repeated(token):
    with pytest.raises(UsageError, match="the test") as caught:
        Credential(token, "the test")
    assert not token.strip() or token not in str(caught.value)


def shown(error):
    """What any kind of traceback prints: variables of every frame included."""
    error.__traceback__ = error.__traceback__.tb_next  # the test's own frame knows the token
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    verbose = VerboseTB(theme_name="nocolor").text(type(error), error, error.__traceback__)
    return "".join(told.format()) + verbose + repr(error) + repr(vars(error))


def ask_once(timeout="60s"):
    alcf.client().chat(ask(timeout=timeout))


def identify(client):
    client.whoami()


def refuse(peer, _request):
    peer.send(gateway_error(401, "unauthorized", "Token is either not active or invalid"))


@pytest.mark.parametrize(
    ("script", "timeout"),
    [
        (Gateway(routes={"/list-endpoints": refuse}), "60s"),
        (Gateway(infer=lambda peer, _: peer.reset()), "60s"),
        # that answer has no end
        (Gateway(infer=lambda peer, _: peer.send(b"HTTP/1.1 200 OK\r\n\r\n<html>")), "1s"),
        (Gateway(infer=refuse), "60s"),
    ],
)
def test_it_is_in_no_traceback(clean_environ, script, timeout):
    """%xmode Verbose prints the variables of each frame, and people paste that into tickets."""
    clean_environ.update(ALCF_AI_TOKEN=TOKEN, GLOBUS_SDK_SERVICE_URL_AUTH="http://127.0.0.1:1")
    before = session.current().client
    with serving(script) as server:
        alcf.connect(server.url)
        identify(alcf.client())
        with pytest.raises(AlcfError) as caught:
            ask_once(timeout)
        session.current().client = before
        assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}", "it was sent"
    told = shown(caught.value)
    assert "alcf.client().chat" in told
    assert TOKEN not in told


def test_a_bad_token_of_the_environment_is_in_no_traceback(clean_environ):
    bad = f"{TOKEN} with words"
    clean_environ.update(ALCF_AI_TOKEN=bad, GLOBUS_SDK_SERVICE_URL_AUTH="http://127.0.0.1:1")
    before = session.current().client
    with serving() as server:
        alcf.connect(server.url)
        with pytest.raises(AlcfError) as caught:
            ask_once()
        session.current().client = before
        assert server.requests == []
    assert TOKEN not in shown(caught.value)
    assert "ALCF_AI_TOKEN" in str(caught.value)


def test_an_error_of_our_own_making_shows_no_token_either():
    """Also one that nobody planned: frames of the loop are cut, those here hold no token."""
    with serving() as server:
        client = client_of(server.url)
        client._directory.get = None
        with pytest.raises(TypeError) as caught:
            identify(client)
    assert TOKEN not in shown(caught.value)


def test_a_sign_in_that_was_not_used_yet_says_so():
    sign_in = SignIn()
    assert sign_in.source == "not signed in yet"
    assert sign_in.header() is None
    assert sign_in.token is None
    assert "not signed in yet" in repr(sign_in)
