"""What a kernel is connected to, and the models it uses unless told otherwise."""

import socket
import threading

import pytest

import alcf_jupyter as alcf
from alcf_jupyter.connection import session
from alcf_jupyter.errors import (
    ModelNotChosenError,
    UnknownModelError,
    UsageError,
)
from tests.connection.faultserver import TOKEN, Gateway, jobs, serving


@pytest.fixture(autouse=True)
def fresh():
    """A kernel that has not connected yet, and leaves nothing to the next test."""
    current = session.current()
    before = {name: getattr(current, name) for name in current.__slots__}
    empty = session.Session()
    for name in current.__slots__:
        setattr(current, name, getattr(empty, name))
    yield current
    for name, value in before.items():
        setattr(current, name, value)


def three():
    return Gateway(
        models={"sophia": ["m/chat-one", "m/chat-two", "m/embed"], "metis": ["m-direct"]},
        jobs={"sophia": jobs(running=["m/chat-two", "m/embed"], queued=["m/chat-one"])},
    )


def test_the_last_connect_counts():
    with serving() as one, serving() as two:
        first = alcf.connect(one.url, token=TOKEN)
        assert alcf.client() is first
        assert first.url == one.url
        second = alcf.connect(two.plain)
        assert alcf.client() is second
        assert second.url == two.plain
        assert one.connections == two.connections == 0, "nothing is sent yet"


def test_a_connect_that_fails_changes_nothing(clean_environ):
    with serving() as server:
        client = alcf.connect(server.url, token=TOKEN)
        for target, options in {
            "nonsense": {},
            "https://me:pw@h/v1": {},
            "http://ho st/v1": {},
            "http://\u2100/v1": {},
            "http://example.org/v1": {"token": TOKEN},
            "https://h/v1": {"aliases": {"a": "b"}},
            "https://h2/v1": {"poll_seconds": 1},
            "https://h3/v1": {"token": "two words"},
            "https://h4/v1": {"token": "li\nne"},
        }.items():
            with pytest.raises(UsageError) as caught:
                alcf.connect(target, **options)
            assert TOKEN not in str(caught.value)
            assert alcf.client() is client
        clean_environ["ALCF_JUPYTER_SERVICE"] = "nonsense"
        with pytest.raises(UsageError):
            alcf.connect(server.url)
        assert session.current().overridden is None


@pytest.mark.parametrize(
    "aliases", ["x", [("a", "sandbox/echo")], {1: "sandbox/echo"}, {" ": "sandbox/echo"}, {"a": 2}]
)
def test_aliases_of_the_sandbox_that_are_none(aliases):
    client = session.current().client
    with pytest.raises(UsageError, match="names, each with a model") as caught:
        alcf.connect("sandbox", aliases=aliases)
    assert "aliases={'my/model': 'sandbox/echo'}" in caught.value.message
    assert session.current().client is client


@pytest.mark.parametrize("aliases", [{"-a": "sandbox/nope"}, {"a=b": "sandbox/echo"}])
def test_an_alias_for_no_model_of_the_sandbox_is_named(aliases):
    with pytest.raises(UsageError, match=r"the alias '-?a' stands for '.*', which is no model\.\n"):
        alcf.connect("sandbox", aliases=aliases)


def test_the_environment_wins_and_says_so(clean_environ, fresh):
    with serving() as mine, serving() as theirs:
        clean_environ["ALCF_JUPYTER_SERVICE"] = f" {theirs.url} "
        with pytest.warns(UserWarning, match="in place of") as told:
            assert alcf.connect(mine.url).url == theirs.url
        assert told[0].filename == __file__
        assert str(told[0].message).endswith("%env ALCF_JUPYTER_SERVICE=  and run the cell again.")
        assert fresh.overridden == mine.url
        for target in (
            "http://me:canary@host.example/v1",
            "http://host.example/v1?key=canary",
            "me:canary@host.example/v1",
            "host.example/v1?key=canary",
        ):
            with pytest.warns(UserWarning, match=r"in place of '.*host.example/v1'") as told:
                alcf.connect(target)
            assert "canary" not in str(told[0].message)
        with pytest.warns(UserWarning, match=r"in place of '~/me@home/metis_\?.txt'"):
            alcf.connect("~/me@home/metis_?.txt")
        assert alcf.connect().url == theirs.url
        assert fresh.overridden is None
        assert alcf.connect(theirs.url).url == theirs.url
        assert fresh.overridden is None, "it is what was asked for"
        clean_environ.pop("ALCF_JUPYTER_SERVICE")
        assert alcf.connect(mine.url).url == mine.url
        assert fresh.overridden is None
        clean_environ["ALCF_JUPYTER_SERVICE"] = theirs.url
        fresh.client = None
        assert alcf.client().url == theirs.url


def test_code_that_has_no_name_is_warned_too(clean_environ):
    with serving() as theirs:
        clean_environ["ALCF_JUPYTER_SERVICE"] = theirs.url
        with pytest.warns(UserWarning, match="in place of 'alcf'"):
            exec("alcf.connect('alcf')", {"alcf": alcf})


def test_what_other_tools_read_is_said_not_to_be_used(clean_environ, recwarn):
    clean_environ["OPENAI_BASE_URL"] = "http://127.0.0.1:11434/v1"
    assert alcf.connect("alcf").profile.is_alcf
    assert not recwarn.list, "who names a service means that one"
    assert alcf.connect().profile.is_alcf
    [told] = recwarn.list
    assert told.filename == __file__
    assert str(told.message) == (
        "Connected to the ALCF Inference Endpoints. OPENAI_BASE_URL is not used here; to talk to "
        "that server:  alcf.connect('http://127.0.0.1:11434/v1')"
    )


def test_the_demo_is_what_is_usual_and_wins_over_nothing(clean_environ):
    with serving() as mine, serving() as demo:
        clean_environ["_ALCF_JUPYTER_DEMO"] = demo.url
        assert alcf.client().url == demo.url
        assert alcf.connect(mine.url, token=TOKEN).url == mine.url
        assert alcf.connect("alcf").profile.is_alcf
        assert alcf.connect().url == demo.url
        clean_environ["ALCF_JUPYTER_SERVICE"] = mine.url
        assert alcf.connect().url == mine.url


@pytest.mark.filterwarnings("ignore:Connected to")
def test_options_for_one_service_go_to_no_other(clean_environ):
    """Least of all a token: it was given for the address that stands beside it."""
    with serving() as mine, serving() as theirs:
        clean_environ["ALCF_JUPYTER_SERVICE"] = theirs.url
        for target in (mine.url, "alcf", None, "sandbox"):
            client = alcf.connect(target, token=TOKEN, proxy="http://h:1", poll_seconds=2)
            assert client.profile.poll_seconds == 60
            assert client.profile.proxy is None
            client.whoami()
        client = alcf.connect("sandbox", aliases={"a": "sandbox/echo"})
        assert client.url == theirs.url
        assert theirs.requests
        assert all("authorization" not in request.headers for request in theirs.requests)
        client = alcf.connect(theirs.url, token=TOKEN, poll_seconds=2)
        assert client.profile.poll_seconds == 2
        client.whoami()
        assert theirs.requests[-1].headers["authorization"] == f"Bearer {TOKEN}"
        assert mine.connections == 0


def test_another_host_is_sent_no_token_but_the_one_that_is_given(clean_environ):
    clean_environ.update(
        ALCF_AI_TOKEN="token-of-the-environment",
        OPENAI_API_KEY="key-of-openai",
        GLOBUS_SERVICE_ACCOUNT_CLIENT_ID="id",
        GLOBUS_SERVICE_ACCOUNT_CLIENT_SECRET="secret",
    )
    with serving() as server:
        alcf.connect(server.url)
        alcf.client().whoami()
        alcf.connect(server.url, token=f"  {TOKEN}\n")
        alcf.client().whoami()
        sent = [request.headers.get("authorization") for request in server.requests]
        assert sent == [None, f"Bearer {TOKEN}"]


def test_use_and_defaults(clean_environ):
    with serving(three()) as server:
        alcf.connect(server.url, token=TOKEN)
        assert alcf.defaults() == {"chat": None, "embed": None}
        assert alcf.use("M/CHAT-ONE") == {"chat": "m/chat-one", "embed": None}
        assert alcf.use(embed="m/embed") == {"chat": "m/chat-one", "embed": "m/embed"}
        with pytest.raises(UnknownModelError, match=r"m/chat-(one|two)"):
            alcf.use("m/chat-tow", embed="m/embed")
        assert alcf.defaults()["chat"] == "m/chat-one", "a mistake changes nothing"
        assert session.choose(None, "chat") == "m/chat-one"
        assert session.choose("m/chat-two", "chat") == "m/chat-two"
        clean_environ["ALCF_JUPYTER_MODEL"] = "from-the-environment"
        assert alcf.defaults()["chat"] == "m/chat-one", "what was chosen here goes first"


def test_the_environment_s_defaults(clean_environ):
    clean_environ.update(ALCF_JUPYTER_MODEL="a", ALCF_JUPYTER_EMBED_MODEL="b")
    assert alcf.defaults() == {"chat": "a", "embed": "b"}
    assert (session.choose(None, "chat"), session.choose(None, "embed")) == ("a", "b")
    clean_environ.update(ALCF_JUPYTER_MODEL="", ALCF_JUPYTER_EMBED_MODEL="")
    assert alcf.defaults() == {"chat": None, "embed": None}


def test_an_alias_stands_for_one_model():
    with serving(three()) as server:
        alcf.connect(server.url, token=TOKEN)
        before = alcf.defaults()
        for wrong in ({}, {"chat": "m/chat-one", "embed": "m/chat-two"}):
            with pytest.raises(UsageError, match="short name of one model"):
                alcf.use(**wrong, alias="quick")
        with pytest.raises(UsageError, match="not by a list"):
            alcf.use(["m/chat-one"], alias="quick")
        assert alcf.defaults() == before
        assert "quick" not in session.current().aliases


def test_aliases():
    with serving(three()) as server:
        alcf.connect(server.url, token=TOKEN)
        alcf.use("m/chat-two", alias="quick-one")
        assert session.choose("quick-one", "chat") == "m/chat-two"
        assert alcf.use("m/chat-one")["chat"] == "m/chat-one"
        assert alcf.use("quick-one")["chat"] == "m/chat-two"
        for bad in ("", "two words", "m/one", "1st", "a.b", "x\n", "\u202e"):
            with pytest.raises(UsageError, match="cannot be an alias"):
                alcf.use("m/chat-two", alias=bad)


def test_a_model_is_taken_as_it_is_where_the_service_cannot_be_asked():
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))  # taken, so that nobody else comes to listen there
        alcf.connect(f"http://127.0.0.1:{mute.getsockname()[1]}/resource_server", token=TOKEN)
        assert alcf.use("whatever") == {"chat": "whatever", "embed": None}


def test_without_a_model_three_lines_to_paste():
    with serving(three()) as server:
        alcf.connect(server.url, token=TOKEN)
        with pytest.raises(ModelNotChosenError) as caught:
            session.choose(None, "chat")
        lines = str(caught.value).splitlines()[2:]
        assert lines[0] == "  %alcf use m/chat-two    # Live on sophia"
        assert len(lines) == 3
        with pytest.raises(ModelNotChosenError) as caught:
            session.choose("", "embed")
        assert str(caught.value).splitlines()[2:] == [
            "  %alcf use --embed m/embed    # Live on sophia"
        ]


def test_what_was_chosen_before_is_proposed_first():
    names = ["m/chat-one", "m/chat-two"]
    with serving(Gateway(models={"sophia": names}, jobs={"sophia": jobs(running=names)})) as server:
        alcf.connect(server.url, token=TOKEN)
        assert "%alcf use m/chat-one" in str(_not_chosen()).splitlines()[2]
        alcf.use("m/chat-two")
        session.current().chat = None
        assert "%alcf use m/chat-two" in str(_not_chosen()).splitlines()[2]


def _not_chosen():
    with pytest.raises(ModelNotChosenError) as caught:
        session.choose(None, "chat")
    return caught.value


@pytest.mark.parametrize("model", [5, ["m"], object(), b"m"])
def test_a_model_is_named_by_a_text(model):
    with pytest.raises(UsageError, match="named by a text"):
        session.choose(model, "chat")


def test_every_thread_sees_the_same_session():
    with serving() as server:
        alcf.connect(server.url, token=TOKEN)
        seen = []
        thread = threading.Thread(target=lambda: seen.append(alcf.client()))
        thread.start()
        thread.join()
        assert seen == [alcf.client()]


def test_an_empty_token_is_said_to_be_the_one_that_was_given():
    with pytest.raises(UsageError, match=r"token from connect\(token=…\) is empty"):
        alcf.connect("https://example.org/v1", token=" ")
    with pytest.raises(UsageError, match=r"token from connect\(token=…\) is empty"):
        alcf.connect("https://example.org/v1", token="")
