"""Where to talk to: every form of an address, and which proxy stands in between."""

import pytest

from alcf_jupyter.connection import site_file
from alcf_jupyter.connection.profiles import ALCF_URL, Profile, is_loopback, place, resolve
from alcf_jupyter.errors import UsageError


@pytest.mark.parametrize(
    ("target", "name", "url"),
    [
        ("alcf", "alcf", ALCF_URL),
        (" alcf\n", "alcf", ALCF_URL),
        (ALCF_URL, "alcf", ALCF_URL),
        (ALCF_URL + "/", "alcf", ALCF_URL),
        ("HTTPS://Inference-API.alcf.anl.gov:443/resource_server", "alcf", ALCF_URL),
        ("sandbox", "sandbox", "http://127.0.0.1/resource_server"),
        ("https://h/resource_server", "gateway", "https://h/resource_server"),
        ("https://h/a/resource_server/", "gateway", "https://h/a/resource_server"),
        ("http://localhost:11434", "openai", "http://localhost:11434/v1"),
        ("http://localhost:11434/", "openai", "http://localhost:11434/v1"),
        ("http://127.0.0.1:8000/v1/", "openai", "http://127.0.0.1:8000/v1"),
        ("http://[::1]:8000", "openai", "http://[::1]:8000/v1"),
        ("http://[::1]:80/v1", "openai", "http://[::1]/v1"),
        ("http://[fe80::80]/v1", "openai", "http://[fe80::80]/v1"),
        ("https://h:8443/api/openai", "openai", "https://h:8443/api/openai"),
        ("https://h/v1?key=1#x", "openai", "https://h/v1"),
        ("https://h:443/v1", "openai", "https://h/v1"),
    ],
)
def test_addresses(target, name, url):
    profile = resolve(target)
    assert (profile.name, profile.url) == (name, url)
    assert profile.origin + profile.path == url
    assert profile.is_gateway is (name != "openai")


def test_what_depends_on_the_service():
    assert resolve("alcf").requests_per_second == 9.2
    assert resolve("https://h/resource_server").requests_per_second == 9.2
    assert resolve("https://h/v1").requests_per_second is None
    assert resolve("alcf").poll_seconds == 60
    assert str(resolve("alcf")) == "the ALCF Inference Endpoints"
    assert "not ALCF's service" in str(resolve("sandbox"))
    assert str(resolve("https://h/v1")) == "https://h/v1"


CANARY = "canary-password"


@pytest.mark.parametrize(
    "target",
    [
        f"https://me:{CANARY}@h/v1",
        f"https://{CANARY}@h/v1",
        f"https://:{CANARY}@h/resource_server",
        f"ftp://me:{CANARY}@h/v1",
        f"me:{CANARY}@h",
        "https://@h/v1",
        f"https://{CANARY}\\@h/v1",
    ],
)
def test_an_address_with_a_password_is_refused_and_not_repeated(target):
    with pytest.raises(UsageError) as caught:
        resolve(target)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    "target",
    [
        *("", " ", "alfc", "/etc", "h:80", "file:///x", "http:/h", "https://", "https:///v1"),
        *("http://[::1", "http://h:x/", "http://h:99999/", "http://h:-1/", "//h/v1", "x" * 9999),
        *("http://ho st/v1", "http://a..b/", "http://" + "x" * 64, "http://h%00/", "http://\u2100"),
    ],
)
def test_other_words_are_refused(target):
    with pytest.raises(UsageError, match="alcf") as caught:
        resolve(target)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "fast", "5"])
def test_no_polling_without_a_pause(seconds):
    with pytest.raises(UsageError, match="poll_seconds"):
        resolve("http://127.0.0.1/resource_server", poll_seconds=seconds)


def test_only_services_of_this_machine_are_polled_faster():
    assert resolve("http://127.0.0.1:1/resource_server", poll_seconds=2).poll_seconds == 2
    for target in ("alcf", "https://h/resource_server", "https://127.0.0.1.example.org/v1"):
        with pytest.raises(UsageError, match="poll_seconds"):
            resolve(target, poll_seconds=2)


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("a.localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("127.0.0.1.example.org", False),
        ("localhost.example.org", False),
        ("notlocalhost", False),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("2130706433", False),
        ("0x7f.1", False),
        ("::", False),
        ("", False),
    ],
)
def test_what_is_this_machine(host, here):
    assert is_loopback(host) is here


PROXY = "http://proxy.example.org:3128"


def https(host="inference-api.alcf.anl.gov", proxy=None):
    return Profile("openai", f"https://{host}/v1", proxy=proxy)


@pytest.fixture
def environ(clean_environ):
    for name in ("NO_PROXY", "no_proxy"):
        clean_environ.pop(name, None)
    return clean_environ


@pytest.mark.parametrize(
    ("variables", "proxy"),
    [
        ({}, None),
        ({"https_proxy": PROXY}, PROXY),
        ({"HTTPS_PROXY": PROXY}, PROXY),
        ({"https_proxy": ""}, None),
        ({"http_proxy": PROXY}, None),
        ({"all_proxy": PROXY}, PROXY),
        ({"ALL_PROXY": "socks5://h:1"}, "socks5://h:1"),
        ({"https_proxy": PROXY, "all_proxy": "http://other:1"}, PROXY),
        ({"https_proxy": PROXY, "HTTPS_PROXY": "http://other:1"}, PROXY),
        ({"https_proxy": "proxy.example.org:3128"}, PROXY),
    ],
)
def test_the_environment_s_proxy(environ, variables, proxy):
    environ.update(variables)
    assert https().proxy_now() == proxy


def test_http_has_a_proxy_of_its_own(environ):
    environ.update(http_proxy="http://a:1", https_proxy="http://b:2")
    assert Profile("openai", "http://h/v1").proxy_now() == "http://a:1"
    assert https("h").proxy_now() == "http://b:2"


def test_changes_of_the_environment_take_effect(environ):
    profile = https()
    assert profile.proxy_now() is None
    environ["https_proxy"] = PROXY
    assert profile.proxy_now() == PROXY
    environ["no_proxy"] = "anl.gov"
    assert profile.proxy_now() is None


def test_an_argument_goes_before_the_environment(environ):
    environ["https_proxy"] = PROXY
    assert https(proxy="").proxy_now() is None
    assert https(proxy="http://mine:1").proxy_now() == "http://mine:1"
    assert https(proxy="mine:1").proxy_now() == "http://mine:1"


@pytest.mark.parametrize(
    "host", ["127.0.0.1:1", "localhost:1", "[::1]:1", "127.9.9.9", "a.localhost"]
)
def test_this_machine_needs_no_proxy_whatever_is_set(environ, host):
    environ.update(http_proxy=PROXY, https_proxy=PROXY, all_proxy=PROXY)
    assert Profile("openai", f"http://{host}/v1", proxy=PROXY).proxy_now() is None
    assert https(host, proxy=PROXY).proxy_now() is None


BYPASS = [
    # no_proxy, the hosts it names, hosts it does not
    ("h.org", ["h.org", "a.h.org", "h.org:8443"], ["ah.org", "h.org.evil.com", "org"]),
    (".h.org", ["a.h.org", "h.org"], ["ah.org"]),
    ("*.h.org", ["a.h.org"], ["ah.org"]),
    ("H.ORG", ["h.org"], []),
    ("h.org.", ["h.org"], []),
    ("a,b , c", ["a", "b", "c"], ["d", "ab"]),
    ("a b", ["a", "b"], ["c"]),
    ("*", ["anything", "1.2.3.4"], []),
    ("", [], ["h.org"]),
    (",", [], ["h.org"]),
    (".", [], ["h.org"]),
    ("h.org:443", ["h.org"], ["h.org:8443"]),
    ("h.org:8443", ["h.org:8443"], ["h.org"]),
    ("1.2.3.4", ["1.2.3.4"], ["11.2.3.4", "1.2.3.40"]),
    ("10.0.0.0/8", ["10.1.2.3"], ["11.1.2.3", "h.org"]),
    ("1.2.3.4:8443", ["1.2.3.4:8443"], ["1.2.3.4"]),
    ("fe80::1", ["[fe80::1]", "[fe80::1]:8443"], ["[fe80::2]"]),
    ("[fe80::1]", ["[fe80::1]"], ["[fe80::2]"]),
    ("[fe80::1]:8443", ["[fe80::1]:8443"], ["[fe80::1]"]),
    ("fe80::/16", ["[fe80::5]"], ["[fe81::5]"]),
]


@pytest.mark.parametrize(("no_proxy", "named", "others"), BYPASS)
def test_every_form_of_no_proxy(environ, no_proxy, named, others):
    environ.update(https_proxy=PROXY, no_proxy=no_proxy)
    assert {host: https(host).proxy_now() for host in named} == dict.fromkeys(named)
    assert {host: https(host).proxy_now() for host in others} == dict.fromkeys(others, PROXY)


@pytest.mark.parametrize(
    ("proxy", "shown"),
    [
        ("http://proxy.example:3128", "proxy.example:3128"),
        ("http://proxy.example", "proxy.example"),
        ("proxy.example:3128", "proxy.example:3128"),
        ("http://me:canary@proxy.example:3128/path", "proxy.example:3128"),
        ("http://me:can@ary@[::1]:3128", "[::1]:3128"),
        ("http://[::1]", "[::1]"),
        ("http://me:can/ary@h:1", "h:1"),
        ("http://me:can#ary@h:1", "h:1"),
        ("http://me:canary", "me"),
        ("me:canary", "me"),
        ("", ""),
    ],
)
def test_of_a_proxy_its_place_alone_is_shown(proxy, shown):
    assert place(proxy) == shown


def test_no_listing_shows_a_proxy_s_password(clean_environ, tmp_path):
    proxy = "http://me:canary@h:1"
    (tmp_path / site_file.NAME).write_text(f'proxy = "{proxy}"')
    clean_environ["JUPYTER_CONFIG_PATH"] = str(tmp_path)
    profile = resolve("https://example.org/v1", proxy=proxy)
    assert profile.proxy_now() == site_file.read().proxy == proxy
    assert "canary" not in f"{profile!r}{profile}{site_file.read()!r}"
