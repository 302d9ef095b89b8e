"""Proxies: whose word counts, changes that take effect at once, and this machine always direct."""

import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from requests import Request
from requests.utils import resolve_proxies

import alcf_jupyter as alcf
from alcf_jupyter import errors
from alcf_jupyter.connection import session, site_file
from alcf_jupyter.connection.sign_in import globus
from alcf_jupyter.connection.sign_in.login import LoginFlow
from tests import globus_auth
from tests.controlled import sandbox
from tests.proxying import HOST, Proxy, tls_front


@pytest.fixture(scope="module")
def service():
    with sandbox("--no-rate-limit") as running:
        yield running


@pytest.fixture(scope="module")
def front(service, tmp_path_factory):
    listener, certificate = tls_front(urlsplit(service.url).port, tmp_path_factory.mktemp("tls"))
    yield listener.port, certificate
    listener.close()


@pytest.fixture
def address(front, clean_environ):
    clean_environ["SSL_CERT_FILE"] = str(front[1])
    return f"https://{HOST}/resource_server"


@pytest.fixture
def proxies(front):
    made = [Proxy(front[0]) for _ in range(3)]
    yield made
    for one in made:
        one.close()


@pytest.fixture
def site(clean_environ, tmp_path):
    """Write a site's file, and return where."""
    clean_environ["JUPYTER_CONFIG_PATH"] = str(tmp_path)

    def write(text, name="alcf_jupyter.toml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def ask(address, service, **options):
    alcf.connect(address, token=service.secret, **options)
    return alcf.chat("hello", model="sandbox/echo").text


TARGET = f"{HOST}:443"


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
def test_the_usual_variables(address, service, proxies, clean_environ, name):
    clean_environ[name] = proxies[0].url
    assert ask(address, service) == "hello"
    assert set(proxies[0].targets) == {TARGET}


def test_the_token_is_for_the_service_and_not_for_the_proxy(
    address, service, proxies, clean_environ
):
    clean_environ["https_proxy"] = proxies[0].url
    ask(address, service)
    assert not any(service.secret in head for head in proxies[0].asked)


def test_what_connect_is_told_wins_over_the_environment_and_that_over_the_site(
    address, service, proxies, clean_environ, site
):
    site(f'proxy = "{proxies[2].url}"')
    assert ask(address, service) == "hello"
    assert proxies[2].asked
    clean_environ["https_proxy"] = proxies[1].url
    assert ask(address, service) == "hello"
    assert proxies[1].asked
    seen = len(proxies[1].asked), len(proxies[2].asked)
    assert ask(address, service, proxy=proxies[0].url) == "hello"
    assert proxies[0].asked
    assert (len(proxies[1].asked), len(proxies[2].asked)) == seen


def test_a_change_in_the_kernel_takes_effect_without_connecting_again(
    address, service, proxies, clean_environ
):
    clean_environ["https_proxy"] = proxies[0].url
    ask(address, service)
    before = len(proxies[0].asked)
    clean_environ["https_proxy"] = proxies[1].url
    assert alcf.chat("again", model="sandbox/echo").text == "again"
    assert (len(proxies[0].asked), proxies[1].targets) == (before, [TARGET])


def test_no_proxy_and_an_empty_proxy_go_direct(address, service, proxies, clean_environ, site):
    site(f'proxy = "{proxies[1].url}"')
    clean_environ["https_proxy"] = proxies[0].url
    clean_environ["no_proxy"] = clean_environ["NO_PROXY"] = "example"
    with pytest.raises(errors.UnreachableError):
        ask(address, service)  # nobody but the proxy knows the way there
    del clean_environ["no_proxy"], clean_environ["NO_PROXY"]
    with pytest.raises(errors.UnreachableError):
        ask(address, service, proxy="")
    assert not proxies[0].asked
    assert not proxies[1].asked


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_always_asked_directly(service, proxies, clean_environ, site, host):
    site(f'proxy = "{proxies[2].url}"')
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        clean_environ[name] = proxies[0].url
    for name in ("no_proxy", "NO_PROXY"):
        clean_environ.pop(name, None)
    here = service.url.replace("127.0.0.1", host)
    assert ask(here, service, proxy=proxies[1].url) == "hello"
    assert not any(proxy.asked for proxy in proxies)


@pytest.fixture
def gates(clean_environ):
    """Three proxies that let nothing through, so that nothing reaches Globus itself."""
    for name in ("no_proxy", "NO_PROXY"):
        clean_environ.pop(name, None)
    made = [Proxy(0, b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") for _ in range(3)]
    yield made
    for one in made:
        one.close()


def knocked_at(gates):
    """Return which of the proxies were asked for the way to Globus, and forget it."""
    asked = [gate for gate in gates if gate.asked]
    assert all(set(gate.targets) == {"auth.globus.org:443"} for gate in asked)
    for gate in gates:
        gate.asked.clear()
    return asked


def test_a_token_is_refreshed_through_the_proxy_that_requests_take(gates, clean_environ, site):
    server = globus_auth.AuthServer(0)
    server.store(globus_auth.store_path(), expires_in=-10)

    def refresh(**options):
        client = alcf.connect("alcf", **options)
        with pytest.raises(errors.UnreachableError, match="the proxy"):
            client.whoami()
        assert client.profile.proxy_now() == gate.url
        return knocked_at(gates)

    site(f'proxy = "{gates[2].url}"')
    gate = gates[2]
    assert refresh() == [gate]
    clean_environ["https_proxy"] = gates[1].url.removeprefix("http://")
    gate = gates[1]
    assert refresh() == [gate]
    gate = gates[0]
    assert refresh(proxy=gate.url) == [gate]
    session.current().client = None


def test_a_sign_in_heeds_a_proxy_that_is_set_after_its_link_was_shown(gates, clean_environ, site):
    site(f'proxy = "{gates[2].url}"')
    flow = LoginFlow()
    clean_environ["https_proxy"] = gates[1].url
    with pytest.raises(errors.UnreachableError):
        flow.finish("code")
    assert knocked_at(gates) == [gates[1]]


@pytest.mark.parametrize(
    ("no_proxy", "given", "proxy"),
    [
        ("", None, "http://environment.example:2"),
        ("other.org", None, "http://environment.example:2"),
        ("globus.org", None, None),
        ("auth.globus.org:443", None, None),
        ("*", None, None),
        ("", "", None),
        ("globus.org", "given.example:3", "http://given.example:3"),
    ],
)
def test_globus_is_asked_past_the_proxy_where_that_is_wanted(
    clean_environ, site, no_proxy, given, proxy
):
    site('proxy = "http://site.example:1"')
    clean_environ.update(https_proxy="http://environment.example:2", no_proxy=no_proxy)
    clean_environ.pop("NO_PROXY", None)
    talk = globus.native_client(globus_auth.CURRENT, given)
    asked = Request("POST", f"{talk.base_url}v2/oauth2/token").prepare()
    way = talk.transport.session
    assert resolve_proxies(asked, way.proxies, way.trust_env).get("https") == proxy
    talk.close()


def test_a_proxy_that_refuses_or_is_not_there_is_named(address, service, front, clean_environ):
    refusing = Proxy(front[0], b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
    clean_environ["https_proxy"] = refusing.url.replace("//", "//me:canary@")
    with pytest.raises(errors.UnreachableError) as caught:
        ask(address, service)
    refusing.close()
    assert refusing.url.removeprefix("http://") in str(caught.value)
    assert "407" in str(caught.value)
    assert "canary" not in str(caught.value)
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))  # taken, so that nobody else comes to listen there
        gone = f"127.0.0.1:{mute.getsockname()[1]}"
        clean_environ["https_proxy"] = f"http://{gone}"
        with pytest.raises(errors.UnreachableError, match=gone):
            ask(address, service)


def test_a_certificate_that_nobody_trusts_is_an_error(address, service, proxies, clean_environ):
    clean_environ["https_proxy"] = proxies[0].url
    del clean_environ["SSL_CERT_FILE"]
    with pytest.raises(errors.UnreachableError, match=r"(?i)certificate"):
        ask(address, service)


def test_the_site_sets_default_models(service, site):
    service.connect()
    site('[models]\nchat = "sandbox/echo"\nembed = "sandbox/embed"')
    assert alcf.defaults() == {"chat": "sandbox/echo", "embed": "sandbox/embed"}
    assert alcf.chat("hello").text == "hello"


def test_a_users_own_file_wins_key_by_key(clean_environ, tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    second.mkdir()
    clean_environ["JUPYTER_CONFIG_PATH"] = f"{first}:{second}"
    (first / "alcf_jupyter.toml").write_text('[models]\nchat = "mine"')
    (second / "alcf_jupyter.toml").write_text('[models]\nchat = "site"\nembed = "site-e"')
    assert alcf.defaults() == {"chat": "mine", "embed": "site-e"}
    (first / "alcf_jupyter.toml").write_text('[models]\nchat = "changed"')
    assert alcf.defaults()["chat"] == "changed"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("proxy = \n[models]", ["line 1"]),
        ("proxy = 3", ["proxy is a text"]),
        ('prxy = "http://x"', ["no setting prxy", "there is proxy"]),
        ("models = 'a'", ["[models]"]),
        ("[models]\nchatt = 'a'", ["models.chatt", "models.chat"]),
        ("[contacts]\nsupport = ''", ["contacts.support"]),
        ("\x00", ["cannot be used"]),
    ],
)
def test_a_wrong_site_file_is_told_in_two_lines(site, text, words):
    path = site(text)
    with pytest.raises(errors.UsageError) as caught:
        alcf.defaults()
    shown = str(caught.value)
    assert len(shown.splitlines()) == 2
    for word in [*words, str(path)]:
        assert word in shown


def test_the_file_shown_in_the_docs_is_read(site, clean_environ):
    page = Path(__file__).resolve().parents[2] / "docs" / "connecting.md"
    shown = page.read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]
    site(shown)
    assert clean_environ["JUPYTER_CONFIG_PATH"]
    assert site_file.read().proxy == "http://proxy.alcf.anl.gov:3128"
    assert site_file.read().contacts["support"] == "support@alcf.anl.gov"
    assert alcf.defaults() == {"chat": "MODEL", "embed": "MODEL"}
