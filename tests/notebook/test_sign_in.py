"""Signing in from a real kernel: with a panel, with a prompt, and where nobody can be asked."""

import json
import os
from pathlib import Path

import pytest

from tests.globus_auth import POLICY, store_path
from tests.notebook.test_magics import Notebook

LOAD = "%load_ext alcf_jupyter\nimport alcf_jupyter as alcf"
CHAT = "%%alcf_chat -m sandbox/echo\nHello"
WIDGET = "application/vnd.jupyter.widget-view+json"
# what the browser sends when a code was typed and Enter was pressed
TYPED = """
from alcf_jupyter.notebook.widgets import sign_in as _module
_panel = _module._shown
_panel._field.value = {code!r}
_panel._button.click()
"""


@pytest.fixture
def notebook(alcf):
    """A kernel that starts signed out, connected to the gateway."""
    book = Notebook()
    book.run(LOAD)
    book.run(f"client = alcf.connect({alcf.url!r})")
    yield book
    book.close()


def panels(done):
    return [m["data"] for m in done.of("display_data") if WIDGET in m["data"]]


def link(done):
    """The link of the panel, which a line of text repeats: nothing depends on what is rendered."""
    (panel,) = panels(done)
    url = panel["text/plain"].rpartition(" ")[2].removesuffix(">")
    told = "".join(m["text"] for m in done.of("stream")).splitlines()
    assert [line for line in told if line.startswith("http")] == [url]
    return url


def test_connecting_needs_no_sign_in(notebook, alcf):
    done = notebook.run(f"%alcf connect {alcf.url}")
    assert not done.failed
    assert "You are not signed in" in done.only("stream")["text"]
    assert panels(done) == []


def test_a_chat_cell_ends_with_an_error_and_one_panel_below_it(notebook, auth):
    done = notebook.run(CHAT)
    assert "You are not signed in" in done.error
    (panel,) = panels(done)
    kinds = [name for name, _ in done.messages if name in ("error", "display_data", "stream")]
    # the link, long as it is, comes last, so that it does not bury the error
    assert kinds == ["error", "stream", "display_data", "stream"]
    url = link(done)
    assert panel["text/plain"] == f"<Sign in to the ALCF Inference Endpoints: {url}>"
    assert 'target="_blank" rel="noopener noreferrer"' in panel["text/html"]
    assert POLICY in url
    # run again, the cell shows a panel again: of the same sign-in, as the link may be open already
    assert link(notebook.run(CHAT)) == url
    typed = notebook.run(TYPED.format(code=f"  {auth.sign_in(url)} "))
    assert not typed.failed
    told = notebook.value("_panel._told.value")
    assert "Alice Example (alice@anl.gov)" in told
    assert "role=" in told
    assert notebook.value("_panel._field.value") == "''"
    assert notebook.value("repr(_panel)") == "'<Signed in to the ALCF Inference Endpoints.>'"
    done = notebook.run(CHAT)
    assert not done.failed
    assert "<p>Hello</p>" in done.last["text/html"]


def test_a_plain_function_and_an_embed_cell_get_the_panel_too(notebook):
    done = notebook.run("alcf.chat('hi', model='sandbox/echo')")
    assert len(panels(done)) == 1
    done = notebook.run("%%alcf_embed -m sandbox/embed\none text")
    assert len(panels(done)) == 1


def test_a_wrong_code_is_told_in_the_panel_and_the_right_one_works(notebook, auth):
    done = notebook.run("%alcf login")
    assert not done.failed
    url = link(done)
    notebook.run(TYPED.format(code="wrong"))
    assert "does not take this code" in notebook.value("_panel._told.value")
    notebook.run(TYPED.format(code=""))
    assert "No code was given" in notebook.value("_panel._told.value")
    notebook.run(TYPED.format(code=auth.sign_in(url)))
    assert "Signed in as Alice Example" in notebook.value("_panel._told.value")
    assert "since 2" in notebook.run("%alcf whoami").only("stream")["text"]


def test_who_is_signed_in_is_shown_one_line_and_no_panel(notebook, auth):
    auth.store(store_path())
    done = notebook.run("%alcf login")
    assert panels(done) == []
    told = done.only("stream")["text"]
    assert told.startswith("Signed in as Alice Example (alice@anl.gov) through Argonne LCF")
    assert "the token holds 27h" in told
    assert len(told.splitlines()) == 1
    assert notebook.value("alcf.login()") == (
        "Signed in as Alice Example (alice@anl.gov) through Argonne LCF"
    )


def test_signing_in_beside_the_sandbox_says_whom_cells_go_on_asking(notebook):
    notebook.run("%alcf connect sandbox")
    done = notebook.run("%alcf login")
    assert not done.failed
    told = "".join(m["text"] for m in done.of("stream"))
    assert "Cells here go on asking the sandbox" in told
    assert told.rstrip().endswith("To ask ALCF:  %alcf connect alcf")


def test_a_policy_gets_a_forced_panel(notebook, auth, alcf):
    token = auth.store(store_path())
    alcf.take(token, "policy")
    done = notebook.run(CHAT)
    assert "too old for its policy" in done.error
    assert "prompt=login" in link(done)
    notebook.run(TYPED.format(code=auth.sign_in(link(done))))
    assert not notebook.run(CHAT).failed


def test_a_run_in_the_background_goes_on_when_the_panel_has_signed_in(notebook, auth, alcf):
    token = auth.store(store_path())
    run = "run = alcf.map([f'row {n}' for n in range(24)], '{{text}}', model='sandbox/echo', "
    notebook.run(f"{run}background=True)\nwhile not run.progress.ok: run.wait(0.02)")
    alcf.take(token, "policy")
    notebook.run("while run.progress.state != 'paused': run.wait(0.02)")
    notebook.run(TYPED.format(code=auth.sign_in(link(notebook.run("%alcf login")))))
    assert notebook.value("set(run.result(60)['status'])") == "{'ok'}"


@pytest.mark.parametrize("role", ["nogroup"])
def test_where_a_login_does_not_help_none_is_offered(notebook, auth, alcf, role):
    alcf.take(auth.store(store_path()), role)
    done = notebook.run(CHAT)
    assert done.failed
    assert panels(done) == []


def test_force_and_logout_and_whoami(notebook, auth):
    auth.store(store_path())
    assert "prompt=login" in link(notebook.run("%alcf login --force"))
    assert "Signed out" in notebook.run("%alcf logout").only("stream")["text"]
    assert "You are not signed in" in notebook.run("%alcf whoami").error
    assert "not signed in" in notebook.run("%alcf logout --all").only("stream")["text"]


@pytest.mark.parametrize("line", ["login abc", "logout abc", "whoami abc", "login --forse"])
def test_a_code_is_never_taken_from_a_line(notebook, line):
    shown = notebook.run(f"%alcf {line}").error
    assert "abc" not in shown
    assert "%alcf" in shown


def test_a_variable_that_comes_first_is_named(notebook, alcf):
    alcf.take("ended", "expired")
    notebook.run("%env ALCF_AI_TOKEN=ended")
    done = notebook.run(CHAT)
    assert "ALCF_AI_TOKEN" in done.error
    assert panels(done) == []
    assert "%env ALCF_AI_TOKEN=" in notebook.run("%alcf login --force").error
    notebook.run("%env ALCF_AI_TOKEN=")
    assert len(panels(notebook.run(CHAT))) == 1


def test_headless_names_the_three_ways_at_once_and_shows_no_panel(notebook, auth, alcf):
    asked = len(alcf.requests())
    for cell in (CHAT, "%alcf login", "alcf.login()", "alcf.whoami()"):
        done = notebook.run(cell, watched=False)
        assert (len(alcf.requests()), auth.grants) == (asked, []), "nobody is waited for"
        assert done.of("display_data") == []
        for way in ("alcf-jupyter login", "ALCF_AI_TOKEN", "GLOBUS_SERVICE_ACCOUNT_CLIENT_ID"):
            assert way in done.error


@pytest.mark.parametrize(
    "cell", ["%alcf login --text", "import sys; sys.modules['ipywidgets'] = None; alcf.login()"]
)
def test_without_widgets_the_code_is_asked_for(auth, notebook, cell):
    client, shown = notebook.client, []

    def asked():
        message = client.get_stdin_msg(timeout=30)
        assert message["msg_type"] == "input_request"
        assert message["content"]["password"] is True

    def read_until(found):
        # What is shown and what is asked come on two channels, in no order between them.
        while not found():
            shown.append(client.get_iopub_msg(timeout=30))

    def words():
        return "".join(m["content"]["text"] for m in shown if m["msg_type"] == "stream").split()

    def ended():
        last = shown[-1]
        state = last["content"].get("execution_state")
        return state == "idle" and last["parent_header"]["msg_id"] == sent

    sent = client.execute(cell, allow_stdin=True)
    asked()
    client.input("wrong")
    asked()
    read_until(lambda: any(word.startswith("http") for word in words()[:-1]))
    client.input(auth.sign_in(next(word for word in words() if word.startswith("http"))))
    read_until(ended)
    text = json.dumps([m["content"] for m in shown])
    assert "does not take this code" in text
    assert "Signed in as Alice Example" in text
    assert not [m for m in shown if m["msg_type"] == "display_data"]


def test_a_panel_that_cannot_be_made_does_not_hide_the_error(notebook, auth, alcf):
    alcf.take(auth.store(store_path()), "policy")
    notebook.run("%env ALCF_JUPYTER_GLOBUS_CLIENT=nonsense")
    done = notebook.run("client.credential.forget(); client.whoami()")
    assert "ALCF_JUPYTER_GLOBUS_CLIENT" in done.error
    notebook.run("%env ALCF_JUPYTER_GLOBUS_CLIENT=")
    notebook.run("import alcf_jupyter.connection.sign_in.login as login")
    notebook.run("login.LoginFlow = lambda **_: (_ for _ in ()).throw(alcf.AlcfError('no link'))")
    done = notebook.run(CHAT)
    assert "too old for its policy" in done.error
    assert done.only("stream")["text"] == "no link\n"
    assert panels(done) == []


def test_help_names_the_commands(notebook):
    shown = notebook.run("%alcf help").only("stream")["text"]
    for line in ("%alcf login [--force]", "%alcf logout [--all]", "%alcf whoami"):
        assert line in shown
    assert "--force" in notebook.run("%alcf help login").only("stream")["text"]


SEARCH = """
import gc, io, json, logging, pickle, sys
log = io.StringIO()
logging.basicConfig(stream=log, level=1, force=True)
"""


def files(folder):
    # folders come and go, too
    for place, _, names in os.walk(folder):
        yield from (Path(place, name) for name in names)


def holds(path, what):
    try:
        return path.is_file() and what in path.read_bytes()
    except FileNotFoundError:  # SQLite's journal comes and goes
        return False


def test_no_canary_in_outputs_tracebacks_history_logs_widgets_or_pickles(notebook, auth, alcf):
    everything = []

    def run(code, **options):
        done = notebook.run(code, **options)
        everything.append(json.dumps(done.messages, default=str))
        return done

    run("%xmode Verbose")
    run(SEARCH)
    url = link(run(CHAT))
    code = auth.sign_in(url)
    # as the browser does it, so that the code is in no cell
    notebook.client.execute(
        TYPED.format(code=code), silent=True, store_history=False, allow_stdin=False
    )
    assert "Alice Example" in run("alcf.whoami()").only("execute_result")["data"]["text/plain"]
    run("client = alcf.client(); credential = client.credential; token = credential.token")
    run("[client, credential, token, vars(client), dir(credential), _panel, _panel.get_state()]")
    run("{k: repr(v) for k, v in globals().items() if not k.startswith('_i')}")
    run("%%alcf_chat -m sandbox/echo -o reply\nHello")
    run("reply.provenance, vars(reply) if hasattr(reply, '__dict__') else reply")
    run("pickle.dumps(token)")
    run("pickle.dumps(credential)")
    run("import copy; copy.deepcopy(credential)")
    # errors of every kind on the way of a token, each with a verbose traceback
    alcf.take(auth.issued[-2], "expired")
    alcf.take(auth.issued[-1], "expired")
    auth.failing = 503
    run("client.whoami()")
    run("alcf.chat('x', model='sandbox/echo')")
    auth.failing = None
    run("from alcf_jupyter.connection import worker")
    run("from alcf_jupyter.connection.sign_in import sources, store, globus, login")
    run("import os; real = os.fsync; os.fsync = lambda *_: 1 / 0")
    run("credential.forget(); client.whoami()")
    run("flow = login.LoginFlow(); flow")
    run("sources.obtain = lambda *_: 1 / 0; credential.forget(); client.whoami()")
    run("os.fsync = real")
    run("print(log.getvalue())")
    run("import traceback; traceback.print_exception(sys.last_value)")
    run("alcf.logout(everything=True)")
    run("%history -n")
    run("from ipywidgets import Widget; print(json.dumps(Widget.get_manager_state()))")
    run("dict(os.environ)")
    # a token in an output would be found
    assert notebook.value("token.secret.reveal()").strip("'") in auth.secrets
    found = "\n".join(everything)
    assert "ZeroDivisionError" in found
    assert "Deprecated" not in found
    hits = [secret for secret in [*auth.secrets, code] if secret in found]
    assert hits == []
    assert "canary-access" not in found
    assert [path for path in files(os.environ["HOME"]) if holds(path, b"canary")] == []
