"""The store of tokens: shared with ALCF's own tools, and in every bad state it can be in."""

import errno
import fcntl
import json
import os
import pickle
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import alcf_jupyter
from alcf_jupyter.connection.sign_in import globus, sources, store
from alcf_jupyter.connection.sign_in.login import LoginFlow
from alcf_jupyter.connection.sign_in.store import TokenFile
from alcf_jupyter.errors import IdentityChangedError, NotSignedInError, TokenStoreError
from tests.connection.stopwatch import stopwatch
from tests.globus_auth import ALICE, BOB, GATEWAY, OLDER, SCOPE, store_path

pytestmark = pytest.mark.usefixtures("client")


def sign_in(auth):
    flow = LoginFlow()
    flow.finish(auth.sign_in(flow.url))
    return flow


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_the_path_and_ids_are_those_of_alcf_tokens(clean_environ):
    from alcf_tokens import auth as theirs

    application = globus.current()
    assert (application.client_id, application.name) == (theirs.AUTH_CLIENT_ID, theirs.APP_NAME)
    service = theirs.SERVICES["inference"]
    assert (
        service.resource_server,
        service.scope,
        service.session_policy,
    ) == (globus.RESOURCE_SERVER, globus.SCOPE, globus.POLICY)
    app = theirs.build_user_app("inference")
    try:
        assert str(application.path) == app.token_storage.token_storage.filepath
    finally:
        app.close()
    clean_environ["ALCF_JUPYTER_GLOBUS_CLIENT"] = OLDER
    assert OLDER in str(globus.current().path)


THEIRS = """
from alcf_tokens.auth import get_access_token
print(get_access_token("inference"))
"""
# what inference_auth_token.py does, with its own client and application
OLD_SCRIPT = f"""
import globus_sdk
app = globus_sdk.UserApp("inference_app", client_id="{OLDER}",
    scope_requirements={{"{GATEWAY}": ["{SCOPE}"]}},
    config=globus_sdk.GlobusAppConfig(request_refresh_tokens=True,
        token_validation_error_handler=None))
found = app.get_authorizer("{GATEWAY}")
found.ensure_valid_token()
print(found.access_token)
app.close()
"""


def run(program):
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True
    ).stdout.strip()


def test_a_sign_in_made_here_counts_in_alcf_tokens_and_the_other_way_round(auth, client):
    sign_in(auth)
    assert run(THEIRS) == sources.obtain().secret.reveal()
    # they refresh, we read
    path = store_path()
    document = json.loads(path.read_text())
    document["data"]["DEFAULT"][GATEWAY]["expires_at_seconds"] = 1
    path.write_text(json.dumps(document))
    theirs = run(THEIRS)
    client.credential.forget()
    assert client.whoami()["name"] == "Alice Example"
    assert sources.obtain().secret.reveal() == theirs
    # we refresh, they read
    document = json.loads(path.read_text())
    document["data"]["DEFAULT"][GATEWAY]["expires_at_seconds"] = 1
    path.write_text(json.dumps(document))
    ours = sources.obtain().secret.reveal()
    assert ours != theirs
    assert run(THEIRS) == ours


def test_a_login_of_alcf_tokens_is_never_asked_again(auth):
    from alcf_tokens import auth as theirs

    app = theirs.build_user_app("inference")
    manager = app._login_flow_manager
    manager.print_authorize_url = lambda url: setattr(manager, "url", url)
    manager.prompt_for_code = lambda: auth.sign_in(manager.url)
    app.login(auth_params=theirs._make_auth_params("inference"), force=True)
    app._login_client.close()
    app.close()
    assert alcf_jupyter.login().name == "Alice Example"
    assert auth.grants == ["authorization_code"]


def test_the_command_of_alcf_tokens_clears_what_was_made_here(auth, client):
    sign_in(auth)
    command = [str(Path(sys.executable).with_name("alcf-tokens")), "clear-tokens"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    with pytest.raises(NotSignedInError):
        client.whoami()


def test_the_old_script_reads_what_is_refreshed_here(auth, client):
    path = store_path(OLDER, "inference_app")
    auth.store(path, expires_in=-10)
    client.whoami()
    assert run(OLD_SCRIPT) == sources.obtain().secret.reveal()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "{",
        '{"data": {"DEFAULT": {"x": {"access_token": "abc',
        "[]",
        "null",
        '{"data": []}',
        "\x00" * 50,
        "[" * 100_000,
    ],
    ids=["empty", "blank", "brace", "torn", "list", "null", "formless", "zeros", "deep"],
)
def test_a_damaged_store_is_kept_aside_and_signing_in_works(auth, client, text):
    path = store_path()
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(NotSignedInError, match=r"damaged[\s\S]*alcf login"):
        client.whoami()
    (aside,) = path.parent.glob("tokens.json.damaged-*")
    assert aside.read_text() == text
    assert not path.exists()
    sign_in(auth)
    assert client.whoami()["name"] == "Alice Example"


def test_a_write_of_another_tool_in_progress_is_waited_for(auth, monkeypatch):
    token = auth.store(store_path())
    whole = store_path().read_text()
    store_path().write_text(whole[:100])
    pauses = []

    def meanwhile(seconds):
        pauses.append(seconds)
        if len(pauses) == 2:
            store_path().write_text(whole)

    monkeypatch.setattr(store, "time", SimpleNamespace(sleep=meanwhile))
    assert sources.obtain().secret.reveal() == token
    assert len(pauses) == 2
    assert min(pauses) > 0.01
    assert not list(store_path().parent.glob("*damaged*"))


def test_a_store_that_others_can_read_is_closed_to_them_and_told(auth):
    path = store_path()
    auth.store(path)
    path.chmod(0o644)
    path.parent.chmod(0o755)
    who = alcf_jupyter.whoami()
    assert mode(path) == 0o600
    assert mode(path.parent) == 0o700
    assert "could be read by others (mode 644)" in who.notes[0]
    assert "%alcf logout" in str(who)


def test_a_store_of_another_user_is_not_used(auth, client, monkeypatch):
    auth.store(store_path())
    before = store_path().read_bytes()
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    with pytest.raises(NotSignedInError, match="belongs to another user"):
        client.whoami()
    with pytest.raises(TokenStoreError, match=r"mv .*tokens\.json"):
        alcf_jupyter.logout()
    assert store_path().read_bytes() == before


def test_a_link_of_ones_own_is_followed_and_stays_a_link(auth, client, tmp_path):
    real = tmp_path / "elsewhere.json"
    auth.store(real, expires_in=-10)
    store_path().parent.mkdir(parents=True)
    store_path().symlink_to(real)
    assert client.whoami()["name"] == "Alice Example"
    assert store_path().is_symlink()
    assert json.loads(real.read_text())["data"]["DEFAULT"][GATEWAY]["expires_at_seconds"] > 1e9
    assert mode(real) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_link_to_anothers_file_is_refused(auth, client, tmp_path):
    real = tmp_path / "theirs.json"
    auth.store(real)
    os.chown(real, 12345, 12345)
    store_path().parent.mkdir(parents=True)
    store_path().symlink_to(real)
    with pytest.raises(NotSignedInError, match="belongs to another user"):
        client.whoami()


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_is_told_at_once(client, kind):
    store_path().parent.mkdir(parents=True)
    if kind == "folder":
        store_path().mkdir()
    else:
        os.mkfifo(store_path())
    with stopwatch() as seconds:
        with pytest.raises(NotSignedInError, match=r"no file|cannot be read"):
            client.whoami()
        assert seconds() < 2


def test_a_newer_format_is_neither_read_nor_overwritten(auth, client):
    path = store_path()
    auth.store(path)
    path.write_text(path.read_text().replace('"2.0"', '"9.0"'))
    before = path.read_text()
    with pytest.raises(NotSignedInError, match=r"unknown format '9\.0'"):
        client.whoami()
    flow = LoginFlow()
    code = auth.sign_in(flow.url)
    with pytest.raises(TokenStoreError, match="pip install --upgrade"):
        flow.finish(code)
    assert path.read_text() == before


def test_the_first_format_of_the_sdk_is_read_and_kept_up(auth, client):
    path = store_path()
    auth.store(path, expires_in=-10)
    entries = json.loads(path.read_text())["data"]["DEFAULT"]
    old = {"by_rs": entries, "format_version": "1.0", "globus-sdk.version": "3.20.0"}
    path.write_text(json.dumps(old))
    assert client.whoami()["name"] == "Alice Example"
    assert run(THEIRS) == sources.obtain().secret.reveal()


def test_a_store_of_another_identity_is_kept(auth, client):
    auth.store(store_path(), identity=BOB)
    before = store_path().read_bytes()
    with pytest.raises(IdentityChangedError, match=rf"{ALICE[:8]}[\s\S]*{BOB[:8]}"):
        sign_in(auth)
    assert store_path().read_bytes() == before
    assert client.whoami()["name"] == "Bob Example"


def test_a_token_for_another_service_alone_does_not_count(auth, client):
    auth.store(store_path(), scope="https://auth.globus.org/scopes/other/all")
    with pytest.raises(NotSignedInError, match="not for this service"):
        client.whoami()


@pytest.mark.parametrize("token", ["", "with space", "line\nbreak", 5, None, "ü"])
def test_an_entry_without_a_token_does_not_count(auth, client, token):
    path = store_path()
    auth.store(path)
    document = json.loads(path.read_text())
    document["data"]["DEFAULT"][GATEWAY]["access_token"] = token
    path.write_text(json.dumps(document))
    with pytest.raises(NotSignedInError):
        client.whoami()
    sign_in(auth)
    assert client.whoami()["name"] == "Alice Example"


def test_what_other_tools_keep_in_the_file_stays(auth):
    path = store_path()
    auth.store(path)
    document = json.loads(path.read_text())
    document["data"]["DEFAULT"]["other"] = {"access_token": "x", "kept": [1, {"deep": None}]}
    document["data"]["another namespace"] = {"y": {"z": 1}}
    document["unknown key"] = "kept"
    path.write_text(json.dumps(document))
    sign_in(auth)
    after = json.loads(path.read_text())
    assert after["data"]["DEFAULT"]["other"] == document["data"]["DEFAULT"]["other"]
    assert after["data"]["another namespace"] == {"y": {"z": 1}}
    assert after["unknown key"] == "kept"


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_home_without_file_locks_works(auth, client, monkeypatch, number):
    def no_locks(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    sign_in(auth)
    auth.store(store_path(), expires_in=-10)
    client.credential.forget()
    assert client.whoami()["name"] == "Alice Example"


def test_a_disk_that_takes_nothing_loses_nothing(auth, monkeypatch):
    auth.store(store_path(), expires_in=-10)
    before = store_path().read_bytes()
    monkeypatch.setattr(os, "fsync", _full)
    who = alcf_jupyter.whoami()
    assert who.name == "Alice Example"
    assert "not kept" in who.notes[0]
    assert store_path().read_bytes() == before
    assert [p.name for p in store_path().parent.iterdir() if p.suffix == ".new"] == []
    flow = LoginFlow()
    code = auth.sign_in(flow.url)
    with pytest.raises(TokenStoreError, match="No space left"):
        flow.finish(code)
    assert store_path().read_bytes() == before


def _full(_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


WRITER = """
import sys
from pathlib import Path
from alcf_jupyter.connection.sign_in import lockfile
from alcf_jupyter.connection.sign_in.store import TokenFile
lockfile.SECONDS = 300  # on a busy machine a turn may be long in coming
file = TokenFile(Path(sys.argv[1]))
for n in range(50):
    with file.locked():
        file.save({f"{sys.argv[2]}-{n}": {"access_token": "t" * 500, "scope": "s"}})
"""


def test_four_writers_lose_nothing_and_readers_see_whole_files(auth):
    path = store_path()
    auth.store(path)
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(number)])
        for number in range(4)
    ]
    while any(writer.poll() is None for writer in writers):
        assert GATEWAY in json.loads(path.read_text())["data"]["DEFAULT"]
    assert [writer.returncode for writer in writers] == [0] * 4
    assert len(TokenFile(path).read()) == 1 + 4 * 50
    assert not list(path.parent.glob("*.new"))
    assert mode(path) == 0o600


def test_a_lock_of_a_process_that_hangs_is_not_waited_for_forever(auth, client, monkeypatch):
    auth.store(store_path(), expires_in=-10)
    monkeypatch.setattr("alcf_jupyter.connection.sign_in.lockfile.SECONDS", 0.2)
    with (store_path().parent / "tokens.json.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert client.whoami()["name"] == "Alice Example"


def test_nothing_of_a_token_is_printed_or_pickled(auth, client):
    auth.store(store_path())
    client.whoami()
    token = client.credential.token
    grants = TokenFile(store_path()).read()
    for thing in (client, client.credential, token, token.secret, grants, grants[GATEWAY]):
        assert "canary" not in repr(thing) + str(thing)
        for attribute in dir(thing):
            if not attribute.startswith("__"):
                assert "canary" not in repr(getattr(thing, attribute, ""))
    for thing in (client.credential, token, token.secret, grants[GATEWAY]):
        with pytest.raises(TypeError):
            pickle.dumps(thing)
    assert not [name for name in os.environ if "canary" in os.environ[name]]
