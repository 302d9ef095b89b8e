"""Signing in with the real globus-sdk against a local authorization server, and staying so."""

import json
import os
import stat
import subprocess
import sys
import time
import warnings
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

import alcf_jupyter
from alcf_jupyter.connection.sign_in.login import LoginFlow
from alcf_jupyter.errors import (
    CodeRefusedError,
    IdentityChangedError,
    IdentityCheckError,
    LoginRequiredError,
    NotSignedInError,
    RestrictedError,
    TokenRefusedError,
    TokenStoreError,
    UnknownModelError,
    UnreachableError,
)
from alcf_jupyter.service import advice
from tests import globus_auth
from tests.connection.stopwatch import stopwatch
from tests.globus_auth import ALICE, BOB, CURRENT, GATEWAY, OLDER, POLICY, SCOPE, store_path

pytestmark = pytest.mark.usefixtures("client")


def sign_in(auth, **options):
    flow = LoginFlow(**options)
    flow.finish(auth.sign_in(flow.url))
    return flow


def stored(path=None):
    return json.loads((path or store_path()).read_text())["data"]["DEFAULT"]


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_the_full_cycle(auth, alcf, client):
    with pytest.raises(NotSignedInError):
        client.models()
    flow = sign_in(auth)
    assert flow.done
    who = alcf_jupyter.whoami()
    assert (who.name, who.username, who.id) == ("Alice Example", "alice@anl.gov", ALICE)
    assert who.source == "alcf-tokens store"
    assert abs(who.since - time.time()) < 60
    assert 171_000 < who.expires - time.time() <= 172_800
    assert client.models().models
    assert mode(store_path()) == 0o600
    assert mode(store_path().parent) == 0o700
    first = stored()[GATEWAY]
    # the token ends: the next request refreshes it, and keeps when the sign-in was
    alcf.take(first["access_token"], "expired")
    assert client.whoami()["name"] == "Alice Example"
    second = stored()[GATEWAY]
    assert second["access_token"] != first["access_token"]
    assert second["refresh_token"] == first["refresh_token"]
    assert second["alcf_jupyter.signed_in_at"] == first["alcf_jupyter.signed_in_at"]
    assert auth.grants == ["authorization_code", "refresh_token"]
    told = alcf_jupyter.logout()
    assert told == "Signed out; the tokens are deleted here and revoked at Globus."
    assert {second["access_token"], second["refresh_token"]} <= auth.revoked
    assert stored() == {}
    with pytest.raises(NotSignedInError):
        client.models(fresh=True)
    assert alcf_jupyter.logout() == "You were not signed in here."


def test_the_link_carries_policy_pkce_and_prompt():
    asked = {k: v[0] for k, v in parse_qs(urlsplit(LoginFlow(force=True).url).query).items()}
    assert asked["session_required_policies"] == POLICY
    assert asked["prompt"] == "login"
    assert asked["access_type"] == "offline"
    assert asked["code_challenge_method"] == "S256"
    assert set(asked["scope"].split()) == {SCOPE, "openid"}
    assert asked["client_id"] == CURRENT
    again = parse_qs(urlsplit(LoginFlow().url).query)
    assert "prompt" not in again
    assert again["code_challenge"][0] != asked["code_challenge"]


@pytest.mark.parametrize(
    "around", ["  {}  ", "\t{}\r\n", '"{}"', "\u200b{}\u00a0", "{0[0]} {0[1]}"]
)
def test_a_code_is_taken_with_what_it_was_copied_with(auth, around):
    flow = LoginFlow()
    code = auth.sign_in(flow.url)
    pasted = around.format((code[:5], code[5:])) if "[" in around else around.format(code)
    flow.finish(pasted)
    assert flow.done


@pytest.mark.parametrize("code", ["", "  \n", "wrong", "ä", "x" * 10_000, "<script>"])
def test_a_wrong_code_says_so_and_the_link_goes_on_working(auth, code):
    flow = LoginFlow()
    right = auth.sign_in(flow.url)
    with pytest.raises(CodeRefusedError) as caught:
        flow.finish(code)
    assert "link" in str(caught.value)
    assert not store_path().exists()
    flow.finish(right)
    assert flow.done


def test_a_code_works_once_and_only_with_its_own_link(auth):
    flow, other = LoginFlow(), LoginFlow()
    code = auth.sign_in(flow.url)
    with pytest.raises(CodeRefusedError, match="does not take"):
        other.finish(code)
    code = auth.sign_in(flow.url)
    flow.finish(code)
    with pytest.raises(CodeRefusedError):
        LoginFlow().finish(code)


def test_another_identity_is_refused_revoked_and_changes_nothing(auth):
    sign_in(auth)
    before = store_path().read_bytes()
    auth.identity = BOB
    since = len(auth.issued)
    with pytest.raises(IdentityChangedError, match="logout --all"):
        sign_in(auth)
    assert store_path().read_bytes() == before
    assert set(auth.issued[since:]) <= auth.revoked
    alcf_jupyter.logout(everything=True)
    sign_in(auth)
    assert alcf_jupyter.whoami().name == "Bob Example"


@pytest.mark.parametrize("seconds", [3600, -3600, 172_800, -172_800])
def test_a_clock_that_is_off_is_told_and_signs_in(auth, client, seconds):
    auth.clock = seconds
    flow = sign_in(auth)
    if seconds > 0:  # a token from the future; one from the past is fine for as long as it lasts
        assert "clock is" in flow.notes[0]
        assert f"{abs(seconds) // 60} minutes behind" in flow.notes[0]
    assert client.whoami()["name"] == "Alice Example"


def test_a_forged_id_token_is_refused(auth):
    flow = LoginFlow()
    code = auth.sign_in(flow.url)
    auth.codes[code].client = flow._client.client_id
    grant = auth.grant
    auth.grant = lambda *a, **k: grant(*a, **k) | {"id_token": grant("x" * 36, *a[1:])["id_token"]}
    try:
        with pytest.raises(IdentityCheckError, match="does not hold"):
            flow.finish(code)
    finally:
        del auth.grant
    assert not store_path().exists()


def test_tokens_of_somebody_who_is_not_named_are_ended_again(auth):
    """Whatever keeps tokens from being stored: at Globus they stay alive for months."""
    flow = LoginFlow()
    code = auth.sign_in(flow.url)
    grant = auth.grant

    def nameless(*given):
        told = grant(*given)
        claims = jwt.decode(told["id_token"], options={"verify_signature": False})
        del claims["sub"]
        return told | {"id_token": jwt.encode(claims, globus_auth._key(), algorithm="RS512")}

    auth.grant = nameless
    since = len(auth.issued)
    try:
        with pytest.raises(IdentityCheckError, match="does not speak its language"):
            flow.finish(code)
    finally:
        del auth.grant
    assert not store_path().exists()
    assert len(auth.issued) > since
    assert set(auth.issued[since:]) <= auth.revoked


def test_a_refused_authorization_server_is_told_within_two_seconds(auth, client, clean_environ):
    flow = LoginFlow()
    code = auth.sign_in(flow.url)
    flow._client.base_url = "http://127.0.0.1:9/"
    with stopwatch() as seconds:
        with pytest.raises(UnreachableError, match=r"refused[\s\S]*https_proxy=http://proxy\.alcf"):
            flow.finish(code)
        assert seconds() < 2
    auth.store(store_path(), expires_in=-5)
    clean_environ["GLOBUS_SDK_SERVICE_URL_AUTH"] = "http://127.0.0.1:9/"
    with stopwatch() as seconds:
        with pytest.raises(UnreachableError, match="Globus"):
            client.whoami()
        assert seconds() < 2


def test_while_a_token_still_holds_an_unreachable_globus_does_no_harm(auth, client, clean_environ):
    auth.store(store_path(), expires_in=120)
    clean_environ["GLOBUS_SDK_SERVICE_URL_AUTH"] = "http://127.0.0.1:9/"
    assert client.whoami()["name"] == "Alice Example"


def test_a_token_is_refreshed_before_it_ends(auth, client):
    old = auth.store(store_path(), expires_in=200)
    client.whoami()
    assert stored()[GATEWAY]["access_token"] != old
    assert auth.grants == ["refresh_token"]


def test_a_short_lived_token_is_not_refreshed_for_each_request(auth, client):
    auth.lifetime = 90
    auth.store(store_path(), expires_in=1)
    for _ in range(5):
        client.whoami()
    assert auth.grants == ["refresh_token"]


def test_a_dead_refresh_token_asks_for_a_sign_in(auth, client):
    auth.store(store_path(), expires_in=-10)
    auth.refresh.clear()
    with pytest.raises(NotSignedInError, match="has ended") as caught:
        client.whoami()
    assert "%alcf login" in str(caught.value)
    assert GATEWAY in stored()


def test_an_answer_of_globus_that_is_none_is_told(auth, client):
    auth.store(store_path(), expires_in=-10)
    auth.failing = 503
    with pytest.raises(IdentityCheckError, match="503"):
        client.whoami()


def test_the_older_store_counts_and_is_refreshed_under_its_own_name(auth, client):
    path = store_path(OLDER, "inference_app")
    auth.store(path, expires_in=-10)
    assert client.whoami()["name"] == "Alice Example"
    assert alcf_jupyter.whoami().source == "inference_auth_token.py store"
    assert not store_path().exists()
    assert stored(path)[GATEWAY]["expires_at_seconds"] > time.time()


def test_the_order_of_the_sources(auth, alcf, client, clean_environ):
    auth.store(store_path(OLDER, "inference_app"))
    assert alcf_jupyter.whoami().source == "inference_auth_token.py store"
    sign_in(auth)
    client.credential.forget()
    assert alcf_jupyter.whoami().source == "alcf-tokens store"
    clean_environ["GLOBUS_SERVICE_ACCOUNT_CLIENT_ID"] = "0ddba11-service-account"
    clean_environ["GLOBUS_SERVICE_ACCOUNT_CLIENT_SECRET"] = "canary-service-secret"
    assert alcf_jupyter.whoami().source == "service account 0ddba11-…"
    alcf.take("ready-token", "bob")
    clean_environ["ALCF_AI_TOKEN"] = " ready-token "
    assert alcf_jupyter.whoami().source == "ALCF_AI_TOKEN"
    assert alcf_jupyter.whoami().name == "Bob Example"
    alcf.take("given", "premium")
    alcf_jupyter.connect(client.url, token="given")
    assert alcf_jupyter.whoami().name == "Petra Example"


def test_an_older_sign_in_helps_where_the_current_one_has_ended(auth):
    auth.store(store_path(), expires_in=-10, refresh=False)
    auth.store(store_path(OLDER, "inference_app"))
    assert alcf_jupyter.whoami().source == "inference_auth_token.py store"


@pytest.mark.parametrize("half", ["CLIENT_ID", "CLIENT_SECRET"])
def test_half_a_service_account_is_an_error(auth, client, clean_environ, half):
    sign_in(auth)
    clean_environ[f"GLOBUS_SERVICE_ACCOUNT_{half}"] = "x"
    with pytest.raises(alcf_jupyter.AlcfError, match="needs both") as caught:
        client.whoami()
    assert "GLOBUS_SERVICE_ACCOUNT_CLIENT_SECRET" in str(caught.value)
    assert "GLOBUS_SERVICE_ACCOUNT_CLIENT_ID" in str(caught.value)


def test_a_wrong_service_account_is_an_error(client, clean_environ):
    clean_environ["GLOBUS_SERVICE_ACCOUNT_CLIENT_ID"] = "nobody"
    clean_environ["GLOBUS_SERVICE_ACCOUNT_CLIENT_SECRET"] = "nothing"
    with pytest.raises(NotSignedInError, match="service account") as caught:
        client.whoami()
    assert caught.value.remedy == ""


@pytest.mark.parametrize(
    ("role", "kind", "words", "refreshes"),
    [
        ("expired", TokenRefusedError, ["token", "%alcf login --force"], 1),
        ("unknown", TokenRefusedError, ["token", "%alcf login --force"], 1),
        ("policy", LoginRequiredError, ["%alcf login --force", "high-assurance"], 0),
        ("baddomain", LoginRequiredError, ["anl.gov", "app.globus.org/logout"], 0),
        ("nogroup", alcf_jupyter.AlcfError, ["group", "gil@anl.gov"], 0),
    ],
)
def test_each_401_is_told_in_its_own_words(auth, alcf, client, role, kind, words, refreshes):
    auth.tell, tell = (lambda token, _: alcf.take(token, role)), auth.tell
    try:
        auth.store(store_path())
        with pytest.raises(kind) as caught:
            client.whoami()
    finally:
        auth.tell = tell
    for word in words:
        assert word.casefold() in str(caught.value).casefold()
    assert 2 <= len(str(caught.value).splitlines()) <= 4
    assert auth.grants == ["refresh_token"] * refreshes
    with pytest.raises(kind):
        client.whoami()
    # a service that refuses every token is not asked for new ones again and again
    assert auth.grants == ["refresh_token"] * refreshes


def test_a_refused_ready_token_names_its_variable_and_stops(auth, alcf, client, clean_environ):
    sign_in(auth)
    auth.grants.clear()
    alcf.take("ended", "expired")
    clean_environ["ALCF_AI_TOKEN"] = "ended"
    with pytest.raises(TokenRefusedError, match="ALCF_AI_TOKEN") as caught:
        client.whoami()
    assert caught.value.remedy == ""
    assert auth.grants == []


def test_a_new_login_of_another_kernel_is_picked_up(auth, alcf, client):
    old = auth.store(store_path())
    client.whoami()
    alcf.take(old, "policy")
    with pytest.raises(LoginRequiredError):
        client.whoami()
    sign_in(auth, force=True)
    assert client.whoami()["name"] == "Alice Example"


def test_a_stream_is_sent_again_before_anything_was_read(auth, alcf, client):
    old = auth.store(store_path())
    client.models()
    alcf.take(old, "expired")
    assert "".join(alcf_jupyter.stream("one two", model="sandbox/echo")).strip() == "one two"
    assert auth.grants == ["refresh_token"]


def test_many_requests_at_once_refresh_once(auth, alcf, client):
    old = auth.store(store_path())
    client.models()
    alcf.take(old, "expired")
    auth.delay = 0.2
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda _: client.whoami()["name"], range(8)))
    assert names == ["Alice Example"] * 8
    assert auth.grants == ["refresh_token"]


PROGRAM = """
import sys
import alcf_jupyter as alcf
alcf.connect(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print(alcf.whoami().name)
"""


def test_four_processes_refresh_once(auth, alcf):
    auth.store(store_path(), expires_in=-10)
    auth.delay = 0.2
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, alcf.url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    assert [p.stdout.readline() for p in processes] == ["ready\n"] * 4
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    said = [p.communicate(timeout=120)[0].strip() for p in processes]
    assert said == ["Alice Example"] * 4
    assert auth.grants == ["refresh_token"]
    assert stored()[GATEWAY]["access_token"] == auth.issued[-1]


def test_a_fresh_token_adds_less_than_a_millisecond(auth, client):
    import asyncio

    import httpx

    sign_in(auth)
    client.whoami()

    async def once():
        request = httpx.Request("GET", client.url)
        await client.credential.sign(request)
        return request

    async def measured():
        times = []
        for _ in range(200):
            began = time.perf_counter()
            await once()
            times.append(time.perf_counter() - began)
        return sorted(times)[100]

    assert asyncio.run(measured()) < 0.001


def test_a_token_goes_to_alcf_alone(auth, alcf, client, clean_environ):
    sign_in(auth)
    clean_environ["ALCF_AI_TOKEN"] = "canary"
    talk = client
    # the sign-in is no longer one of this machine: its gateway gets no token from now on
    del clean_environ["GLOBUS_SDK_SERVICE_URL_AUTH"]
    before = len(alcf.requests())
    with pytest.raises(alcf_jupyter.AlcfError, match="is not sent to"):
        talk.whoami()
    assert len(alcf.requests()) == before
    assert alcf_jupyter.connect(alcf.url).credential.sends is False
    assert alcf_jupyter.connect("https://example.org/v1").credential.sends is False
    assert alcf_jupyter.connect("https://example.org/resource_server").credential.sends is False


def test_refresh_tokens_go_to_globus_alone(auth, clean_environ):
    auth.store(store_path(), expires_in=-10)
    clean_environ["GLOBUS_SDK_SERVICE_URL_AUTH"] = "https://example.org/"
    from alcf_jupyter.connection.sign_in import sources

    with pytest.raises(alcf_jupyter.AlcfError, match="not Globus"):
        sources.obtain()


def test_logout_deletes_here_even_when_globus_is_gone(auth, clean_environ):
    sign_in(auth)
    clean_environ["GLOBUS_SDK_SERVICE_URL_AUTH"] = "http://127.0.0.1:9/"
    with stopwatch() as seconds:
        told = alcf_jupyter.logout()
        assert seconds() < 2
    assert "could not be told" in told
    assert stored() == {}


def test_logout_deletes_here_even_where_the_settings_name_another_than_globus(auth, clean_environ):
    sign_in(auth)
    older = store_path(OLDER, "inference_app")
    auth.store(older)
    clean_environ["GLOBUS_SDK_SERVICE_URL_AUTH"] = "https://example.org/"
    assert "could not be told" in alcf_jupyter.logout()
    assert stored() == stored(older) == {}


def test_logout_leaves_other_services_unless_everything_is_asked_for(auth):
    sign_in(auth)
    document = json.loads(store_path().read_text())
    document["data"]["DEFAULT"]["transfer.api.globus.org"] = dict(
        document["data"]["DEFAULT"][GATEWAY], access_token="other", refresh_token="another"
    )
    store_path().write_text(json.dumps(document))
    alcf_jupyter.logout()
    assert set(stored()) == {"auth.globus.org", "transfer.api.globus.org"}
    assert "another" not in auth.revoked
    alcf_jupyter.logout(everything=True)
    assert stored() == {}
    assert "another" in auth.revoked


def test_who_changes_identity_finds_the_way_in_the_error_and_in_the_pages(auth):
    sign_in(auth)
    document = json.loads(store_path().read_text())
    entries = document["data"]["DEFAULT"]
    entries["other"] = dict(entries[GATEWAY], access_token="other", refresh_token=None)
    store_path().write_text(json.dumps(document))
    auth.identity = BOB
    alcf_jupyter.logout()  # other tools would fail at two people's tokens in one file
    with pytest.raises(IdentityChangedError, match=r"%alcf logout --all .* %alcf login --force"):
        sign_in(auth)
    alcf_jupyter.logout(everything=True)
    sign_in(auth)
    assert alcf_jupyter.whoami().name == "Bob Example"
    way = "`%alcf logout --all`, then `%alcf login --force`"
    docs = Path(__file__).resolve().parents[2] / "docs"
    assert advice.NEXT[IdentityChangedError].endswith(f"{way}.")
    assert way in advice.GUIDE["IdentityMismatchError"][1]
    assert way in " ".join((docs / "sign-in.md").read_text(encoding="utf-8").split())


def test_logout_signs_out_of_the_older_store_too(auth, client):
    path = store_path(OLDER, "inference_app")
    auth.store(path)
    assert client.whoami()["name"] == "Alice Example"
    alcf_jupyter.logout()
    assert stored(path) == {}
    with pytest.raises(NotSignedInError):
        client.whoami()


def test_logout_says_what_is_used_all_the_same(auth, clean_environ):
    sign_in(auth)
    clean_environ["ALCF_AI_TOKEN"] = "ready"
    assert "ALCF_AI_TOKEN is still set" in alcf_jupyter.logout()


def test_a_child_of_a_fork_finds_its_token_afresh(auth, client):
    sign_in(auth)
    client.whoami()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from 3.12 on: there are threads
        child = os.fork()
    if child == 0:
        try:
            os._exit(0 if client.whoami()["name"] == "Alice Example" else 1)
        finally:  # an error must not go on with the tests in a second process
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0


def test_login_does_not_write_into_a_store_that_is_not_ours(auth, monkeypatch):
    auth.store(store_path())
    before = store_path().read_bytes()
    flow = LoginFlow()
    code = auth.sign_in(flow.url)
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    since = len(auth.issued)
    with pytest.raises(TokenStoreError, match="belongs to another user"):
        flow.finish(code)
    assert store_path().read_bytes() == before
    assert set(auth.issued[since:]) <= auth.revoked


def test_a_refusal_says_who_one_is_signed_in_as(auth, client):
    sign_in(auth)
    with pytest.raises(UnknownModelError) as caught:
        client.embed(_call("sandbox/no-such-model"))
    assert "You are signed in as Alice Example (alice@anl.gov)." in str(caught.value)
    with pytest.raises(UnknownModelError, match=r"signed in as Alice Example"):
        alcf_jupyter.use("sandbox/no-such-model")
    auth.identity = BOB
    alcf_jupyter.logout(everything=True)
    sign_in(auth)
    with pytest.raises(UnknownModelError, match=r"signed in as Bob Example"):
        client.chat(_call("sandbox/no-such-model"))


def test_a_model_of_another_group_says_who_one_is_signed_in_as(auth, alcf, client):
    sign_in(auth)
    only = {"match": {"route": "/chat/"}, "times": 1}
    alcf.control("POST", "/faults", {"fault": "group-restricted", **only})
    with pytest.raises(RestrictedError, match=r"(?is)group.*signed in as Alice Example") as caught:
        client.chat(_call("sandbox/echo"))
    assert caught.value.remedy == ""


def _call(model):
    from alcf_jupyter.connection.call import Call
    from alcf_jupyter.connection.deadline import Deadline

    body = {"messages": [{"role": "user", "content": "hi"}], "input": ["hi"]}
    return Call("chat/completions", model, None, body, Deadline.after(60))


def test_an_openai_client_stays_signed_in_too(auth, alcf, client):
    old = auth.store(store_path())
    with client.openai("sophia") as sdk:
        ask = {"model": "sandbox/echo", "messages": [{"role": "user", "content": "one two"}]}
        sdk.chat.completions.create(**ask)
        alcf.take(old, "expired")
        answer = sdk.chat.completions.create(**ask)
        assert answer.choices[0].message.content.strip() == "one two"
        assert "canary" not in sdk.api_key
    assert auth.grants == ["refresh_token"]
