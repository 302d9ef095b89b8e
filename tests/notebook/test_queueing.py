"""%alcf models and %alcf wait in a real kernel, and what the picker sends to the browser."""

import contextlib
import json
import os
import re
import subprocess
import sys

import pytest

from alcf_jupyter.notebook.models import model_facts, model_table
from alcf_jupyter.service.catalog import Cluster, Model, State
from tests.controlled import sandbox
from tests.notebook.test_magics import Notebook

HOSTILE = "<img src=x onerror=alert(1)> $\\href{javascript:alert(1)}{x}$ \u202e\x1b[31m"


@pytest.fixture(scope="module")
def notebook():
    book = Notebook()
    with contextlib.closing(book):
        book.run("%load_ext alcf_jupyter\nimport alcf_jupyter as alcf")
        book.run("%alcf connect sandbox")
        yield book


def test_headless_models_is_a_table(notebook):
    done = notebook.run("%alcf models --state offline", watched=False)
    shown = done.only("execute_result")["data"]
    assert shown["text/plain"].splitlines()[1].split() == ["sandbox/cold", "sophia", "Offline"]
    assert "<td>sandbox/cold</td>" in shown["text/html"]
    assert "sandbox/echo" not in str(shown)
    assert "application/vnd.jupyter.widget-view+json" not in shown


def test_watched_models_is_a_picker_with_its_shadow(notebook):
    done = notebook.run("%alcf models")
    shown = done.only("execute_result")["data"]
    assert "application/vnd.jupyter.widget-view+json" in shown
    assert re.search(r"\n\d+ models in the local sandbox, \d+ Live$", shown["text/plain"])
    assert "These models are the local sandbox's" in shown["text/html"]
    assert "<td>sandbox/echo</td>" in shown["text/html"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("%alcf models --state Lve", "Live"),
        ("%alcf models -c sofia", "-c sophia"),
        ("%alcf models --can embedd", "embed"),
        ("%alcf models all", "options only"),
        ("%alcf wait", "one model"),
        ("%alcf wait sandbox/cld", "sandbox/cold"),
        ("%alcf wait sandbox-stopped", "asking does not start it"),
        ("%alcf wait sandbox/queued --timeout 3s", "Queued"),
    ],
)
def test_bad_input(notebook, line, words):
    for watched in (True, False):
        assert words in notebook.run(line, watched=watched).error


def test_where_nothing_can_be_clicked_the_picker_is_the_table_of_what_it_shows(notebook):
    shown = notebook.run("%alcf models --state Stopped").only("execute_result")["data"]
    head, *rows, count = shown["text/plain"].splitlines()
    assert head.split() == ["Model", "Cluster", "State"]
    assert [row.split() for row in rows] == [["sandbox-stopped", "metis", "Stopped"]]
    assert re.fullmatch(r"1 of (\d+) models in the local sandbox; 17 of the \1 are Live", count)
    repr_ = "repr(alcf_jupyter.notebook.widgets.picker.picker(alcf_jupyter.client(), state='Live'))"
    notebook.run("import alcf_jupyter, alcf_jupyter.notebook.widgets.picker")
    assert "17 of 22 models in the local sandbox; 17 of the 22 are Live" in notebook.value(repr_)


def test_in_a_terminal_no_name_of_a_model_is_cut():
    code = "%load_ext alcf_jupyter\n%alcf connect sandbox\n%alcf models\n"
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--quick", "--colors=nocolor", "--simple-prompt"],
        input=f"{code}import alcf_jupyter as alcf; print(alcf.models().model.to_list())\n",
        env=os.environ | {"COLUMNS": "80"},
        capture_output=True,
        text=True,
        timeout=120,  # two processes start one after the other, and pandas is imported
        check=True,
    )
    names = re.findall(r"'([^']+)'", done.stdout.splitlines()[-3])
    assert len(names) > 10, done.stdout
    lines = done.stdout.splitlines()
    for name in names:
        assert any(line.startswith(f"{name} ") for line in lines)
    queued = next(line for line in lines if line.startswith("sandbox/queued "))
    assert "estimated" in queued
    assert len(queued) <= 80


def test_the_plain_table_of_models_cuts_what_the_queue_says_and_nothing_else():
    name = "organisation/" + "A-Model-With-A-Long-Name-" * 2 + "Instruct"
    long = Model(
        id=name, cluster="sophia", framework="vllm", comment="Insufficient nodes " * 9,
        state=State.OFFLINE,
    )  # fmt: skip
    hostile = Model(
        id=HOSTILE, cluster=HOSTILE, framework=HOSTILE, comment=HOSTILE, state=State.QUEUED
    )
    for width in (80, 120):
        table = model_table.lines([long], width)
        assert [line.startswith(name) for line in table] == [False, True]
        assert all(len(line) <= max(width, len(name) + 20) for line in table)
        assert ("Insufficient" in table[1]) == (width == 120)
    shown = "\n".join(model_table.lines([long, hostile], 200))
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def held(service, model):
    """Hold a model that starts; return what lets it be Live once that is on the screen."""
    told = {"model": model}
    service.control("POST", "/state", told | {"load_seconds": 86_400})

    def let_go(message=None):
        if message is None or "Starting" in str(message["content"]):
            service.control("POST", "/state", told | {"load_seconds": 0})

    return let_go


def test_wait_shows_the_states_in_one_output(notebook):
    seen = held(notebook.sandbox(), "sandbox/embed-cold")
    done = notebook.run("%alcf wait sandbox/embed-cold", on_message=seen)
    shown = [content["data"]["text/plain"] for content in done.of("update_display_data")]
    assert any("Starting" in line for line in shown)
    assert done.last["text/plain"] == "sandbox/embed-cold @ sophia is Live"


@pytest.mark.parametrize(
    ("state", "rows"),
    [("Stopped", ["sandbox-stopped"]), ("live", ["sandbox/echo"]), ("Maintenance", [])],
)
def test_the_picker_shows_the_state_that_was_asked_for(notebook, state, rows):
    shown = notebook.run(f"%alcf models --state {state}").only("execute_result")["data"]
    for model in ("sandbox/echo", "sandbox-stopped", "sandbox/cold"):
        assert (model in shown["text/html"]) == (model in rows)


JOIN = """\
import threading
for thread in threading.enumerate():
    if thread.name == 'alcf_jupyter wait': thread.join(50)"""


def test_wait_behind_other_cells(notebook):
    let_go = held(notebook.sandbox(), "sandbox/cold")
    done = notebook.run("%alcf wait sandbox/cold --bg")
    assert not done.failed
    assert "is Live" not in done.last["text/plain"], "it is held, and the cell has ended"
    assert notebook.value("1 + 1") == "2"
    let_go()
    done = notebook.run(f"{JOIN}\nalcf.models(state='Live')")
    assert "sandbox/cold" in done.only("execute_result")["data"]["text/plain"]
    # what the thread shows belongs to the cell that started it
    assert [kind for kind, _ in done.messages] == ["execute_result"]


def test_a_wait_behind_other_cells_asks_the_service_of_its_cell(notebook):
    one = notebook.sandbox()
    one.fail("slow", match={"route": "/list-endpoints"})
    one.sent()
    try:
        with sandbox("--no-rate-limit") as other:
            notebook.run(
                "here = alcf.connect('sandbox')\n"
                "%alcf wait sandbox/echo --bg\n"
                f"_ = alcf.connect({other.url!r}, token={other.secret!r})\n{JOIN}"
            )
            assert other.sent("/chat/") == []
            assert len(one.sent("/chat/")) == 1
    finally:
        one.heal()
        notebook.run("%alcf connect sandbox")


@pytest.mark.parametrize("line", ["%alcf wait sandbox/queued", "%alcf wait sandbox/queued --bg"])
def test_where_nobody_watches_a_wait_takes_five_minutes(notebook, line):
    notebook.run("from alcf_jupyter.notebook import surface")
    assert notebook.value("surface.HEADLESS_TIMEOUT") == "'5m'"
    notebook.run("surface.HEADLESS_TIMEOUT = '2s'")
    try:
        assert "Queued" in notebook.run(line, watched=False).error
    finally:
        notebook.run("surface.HEADLESS_TIMEOUT = '5m'")


STILL = """\
import time
def soon(true):
    until = time.monotonic() + 50
    while not true() and time.monotonic() < until: time.sleep(0.02)
    return true()
def still():
    "End the following; a look under way would bring the sandbox's models again."
    picker._look.end(); picker._wake.set()
    while picker._following: time.sleep(0.01)
    picker._look.now().result()
"""


def test_a_refresh_of_200_models_is_small(notebook):
    """Everything that 200 changed models send to the browser, in bytes."""
    notebook.run(
        f"{STILL}from dataclasses import replace\n"
        "from alcf_jupyter.notebook.widgets.picker import ModelPicker\n"
        "from alcf_jupyter.service.catalog import Catalog, State\n"
        "talk = alcf.connect('sandbox')\n"
        "known = talk.models()\n"
        "some = next(m for m in known.models if m.cluster == 'sophia')\n"
        "many = tuple(replace(some, id=f'organisation-{i % 7}/Model-{i}-Instruct-v0.{i}')"
        " for i in range(200))\n"
        "picker = ModelPicker(talk)\n"
        "still()\n"
        "talk._directory.known = Catalog(known.clusters, many)\n"
        "picker._redraw()"
    )
    done = notebook.run(
        "starting = tuple(replace(m, state=State.STARTING) for m in many)\n"
        "talk._directory.known = Catalog(known.clusters, starting)\n"
        "picker._redraw()"
    )
    sent = sum(len(json.dumps(content)) for content in done.of("comm_msg"))
    assert 200 < sent < 20_000
    notebook.run("picker.close()\nalcf.connect('sandbox')")


PICKER = f"""\
{STILL}
from dataclasses import replace
from alcf_jupyter.service.catalog import State
talk = alcf.connect('sandbox'); known = talk.models()
picker = get_ipython().run_line_magic('alcf', 'models')
picker._list.index = 3
def change(state):
    models = tuple(replace(m, state=state) for m in known.models)
    talk._directory.known = replace(known, models=models)
    picker._redraw()
"""


def test_states_that_change_are_no_use_of_the_picker(notebook):
    notebook.run(PICKER + "used = picker._look._used; chosen = picker.chosen.id")
    notebook.run("change(State.QUEUED); change(State.OFFLINE)")
    assert notebook.value("picker._look._used == used, picker.chosen.id == chosen") == (
        "(True, True)"
    )
    notebook.run("picker._list.index = 2")  # as the browser sets it
    assert notebook.value("picker._look._used > used") == "True"
    notebook.run("picker.close()")


def test_a_cluster_that_is_gone_is_told_and_may_come_back(notebook):
    notebook.run(PICKER + "picker._cluster = 'metis'; still()")
    notebook.run("talk._directory.known = replace(known, clusters=(), models=()); picker._redraw()")
    assert "no cluster" in notebook.value("picker._told.value")
    notebook.run("talk._directory.known = known; picker._redraw()")
    assert notebook.value("{m.cluster for m in picker._shown}") == "{'metis'}"
    assert "no cluster" not in notebook.value("picker._told.value")
    notebook.run("picker.close()")


def test_that_no_model_fits_is_told_until_one_does(notebook):
    notebook.run(PICKER + "still()\npicker._search.value = 'nothing is called so'")
    assert "No model fits." in notebook.value("picker._told.value")
    assert notebook.value("[b.disabled for b in (picker._chat, picker._warm)]") == "[True, True]"
    notebook.run("picker._search.value = ''")
    assert "No model fits." not in notebook.value("picker._told.value")
    notebook.run("picker.close()")


def test_its_buttons_do_what_the_model_can(notebook):
    notebook.run(PICKER + "still()")
    notebook.run(
        "some = known.models[0]\n"
        "def able(cluster, can_chat, can_embed):\n"
        "    one = replace(some, cluster=cluster, state=State.OFFLINE)\n"
        "    one = replace(one, can_chat=can_chat, can_embed=can_embed)\n"
        "    talk._directory.known = replace(known, models=(one,)); picker._redraw()\n"
        "    return [not b.disabled for b in (picker._chat, picker._embed, picker._warm)]"
    )
    assert notebook.value("able('sophia', True, False)") == "[True, False, True]"
    assert notebook.value("able('sophia', False, None)") == "[False, True, True]"
    # on Metis no request starts a model
    assert notebook.value("able('metis', None, None)") == "[True, True, False]"
    notebook.run("picker.close()")


def test_a_model_that_is_picked_while_states_are_shown_is_described(notebook):
    notebook.run(PICKER + "still()\nimport threading\nheld = threading.Event()")
    notebook.run(
        "def redraw():\n"
        "    with picker._guard:\n"
        "        picker._redrawing = True; held.set(); time.sleep(0.2); picker._redrawing = False\n"
        "threading.Thread(target=redraw).start(); held.wait(); picker._list.index = 2"
    )
    assert notebook.value("f'<b>{picker.chosen.id}</b>' in picker._details.value") == "True"
    notebook.run("picker.close()")


def test_a_look_that_fails_is_told_until_the_next_one(notebook):
    notebook.run(PICKER + "real = talk.look")
    notebook.run("def fails(**_): raise alcf.AlcfError('Nobody answers.')\ntalk.look = fails")
    # a look that is under way is joined, and the next one fails
    notebook.run("picker._refresh(None)")
    assert notebook.value("soon(lambda: 'Nobody answers.' in picker._told.value)") == "True"
    notebook.run("talk.look = real; picker._refresh(None)")
    assert notebook.value("soon(lambda: not picker._look.trouble)") == "True"
    assert notebook.value("soon(lambda: 'Nobody answers.' not in picker._told.value)") == "True"
    notebook.run("picker.close()")


def test_what_a_server_says_is_shown_as_text():
    model = Model(
        id=HOSTILE, cluster=HOSTILE, framework=HOSTILE, comment=HOSTILE, state=State.QUEUED
    )
    cluster = Cluster(name=HOSTILE, free_nodes=3, starts_on_request=True)
    for html in (model_facts.details(model, cluster), model_facts.table([model])):
        assert "<img" not in html
        assert "\x1b" not in html
        assert "\u202e" not in html
        assert "$\\href" not in html
    assert "\n" not in model_facts.label(model)
