"""The side panel in a real JupyterLab: models and their states, chosen, started, put into cells."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.ui.notebook import HELD, HOLD, LET_GO
from tests.ui.side import CONNECT

pytestmark = pytest.mark.browser

# about four rows a second
RUN = """import alcf_jupyter as alcf, pandas as pd
texts = pd.DataFrame({"text": [f"text {n}" for n in range(400)]})
prompt = "{{text}} " + 8 * "word "
run = alcf.map(texts, prompt, model="sandbox/slow", concurrency=2, background=True)"""


BATCH = """import alcf_jupyter as alcf, pandas as pd
texts = pd.DataFrame({"text": [f"text {n}" for n in range(30)]})
batch = alcf.submit_batch(texts, "{{text}}", model="sandbox/echo")"""

CHAT = """%%alcf_chat
Explain **synchrotron light** in {{3 - 1}} sentences.

A synchrotron light source is a machine that makes very bright X-rays for experiments. Electrons
are accelerated to almost the speed of light, and kept on a closed path by strong magnets."""


def test_a_kernel_without_the_package_loaded_is_told_the_line_that_loads_it(side, pictures):
    side.notebook.open(["1 + 1"])
    side.open()
    side.wait("The kernel of this notebook has not loaded alcf_jupyter.")
    assert side.item.is_hidden()
    side.click("Insert and run it")
    side.wait("You are not signed in")
    assert side.sources() == ["%load_ext alcf_jupyter", "1 + 1"]
    side.item.get_by_text("ALCF: no model chosen · signed out").wait_for()
    side.wait("Sign in to see them.")
    side.notebook.pictures(pictures, "panel-signed-out")
    assert side.node.get_by_text("You are not signed in").count() == 1
    side.click("Use the sandbox")
    side.model("sandbox/echo").wait_for()
    assert side.sources()[1] == "%alcf connect sandbox"
    assert side.node.get_by_role("button", name="Use the sandbox").is_hidden()


def test_states_change_on_the_screen_and_a_model_is_started(connected, record):
    side = connected(HOLD, LET_GO)
    side.notebook.run(1)
    side.wait_for_state("sandbox/cold", "Offline")
    assert side.node.get_by_role("button", name="Live 17").get_attribute("aria-pressed") == "false"
    side.model("sandbox/cold").click()
    assert side.details.get_by_role("heading").inner_text() == "sandbox/cold"
    side.details.get_by_text("minutes after a request").wait_for()
    side.click("Warm it up")
    side.told.get_by_text("Asked to start").wait_for()
    side.wait_for_state("sandbox/cold", "Starting")
    side.notebook.run(2)
    side.wait_for_state("sandbox/cold", "Live")
    assert side.details.get_by_role("button", name="Warm it up").is_disabled()
    assert record.quiet
    assert record.errors == []


def test_filters_search_and_the_keyboard_alone(connected):
    side = connected()
    rows = side.models.get_by_role("option")
    everything = rows.count()
    side.node.get_by_role("button", name="Queued").click()
    assert 0 < rows.count() < everything
    assert rows.locator("[data-state=Queued]").count() == rows.count()
    side.node.get_by_role("button", name="All").click()
    search = side.node.get_by_role("searchbox")
    search.fill("cold embed soph")
    assert rows.count() == 1
    assert "sandbox/embed-cold" in rows.inner_text()
    search.fill("nothing is called so")
    side.wait("No model fits.")
    search.fill("")
    assert rows.count() == everything
    side.node.get_by_role("searchbox").focus()
    side.page.keyboard.press("Tab")
    assert side.models.evaluate("node => node === document.activeElement")
    for key in ("Home", "ArrowDown", "ArrowDown", "ArrowUp"):
        side.page.keyboard.press(key)
    second = side.models.get_by_role("option").nth(1)
    assert second.get_attribute("aria-selected") == "true"
    assert side.models.get_attribute("aria-activedescendant") == second.get_attribute("id")
    side.page.keyboard.press("End")
    assert side.models.get_by_role("option").last.get_attribute("aria-selected") == "true"
    side.page.keyboard.press("Home")
    for _ in range(2):  # past Refresh, to the first button of the details
        side.page.keyboard.press("Tab")
    side.page.keyboard.press("Enter")
    side.told.get_by_text("%alcf use").wait_for()


def test_a_chosen_model_answers_the_next_cell(connected, pictures):
    side = connected("%%alcf_chat\nWhat is a light year?", "%alcf_embed ['one']")
    side.model("sandbox/summary").click()
    side.page.set_viewport_size({"width": 1280, "height": 720})
    side.click("Use for chat")
    line = side.told.get_by_role("code").get_by_text("%alcf use sandbox/summary", exact=True)
    line.wait_for()
    buttons = side.details.locator(".alcf-buttons").bounding_box()
    assert buttons["y"] + buttons["height"] <= side.told.bounding_box()["y"], "they are not covered"
    side.notebook.pictures(pictures, "panel-told")
    side.item.get_by_text("ALCF: sandbox/summary · Live").wait_for()
    assert side.model("sandbox/summary").get_by_text("chat", exact=True).is_visible()
    side.model("sandbox/embed").first.click()
    assert side.told.is_hidden(), "it was about another model"
    side.click("Use for embeddings")
    side.told.get_by_text("%alcf use --embed sandbox/embed").wait_for()
    side.notebook.run(1)
    assert "sandbox/summary @" in side.notebook.output(1).inner_text()
    side.notebook.run(2)
    assert "ok" in side.notebook.output(2).inner_text()


def test_the_doctor_finds_nothing_missing_in_this_page(connected):
    told = """import json
from alcf_jupyter.notebook.doctor import browser
print(json.dumps([(finding.level, finding.says) for finding in browser.check()]))"""
    side = connected(told)
    found = json.loads(side.notebook.run(1)[0]["text"])
    assert len(found) == 2, "JupyterLab, and the widgets"
    assert [says for level, says in found if level != "ok"] == []


def test_it_answers_while_a_cell_sleeps_and_the_cell_keeps_its_output(connected):
    side = connected(HELD)
    cell = side.notebook.start(1)
    side.notebook.output(1).get_by_text("step 2").wait_for()
    side.model("sandbox/code").click()
    side.click("Use for chat")
    side.told.get_by_text("%alcf use sandbox/code").wait_for()
    side.item.get_by_text("sandbox/code").wait_for()
    assert side.notebook.runs(cell)
    assert side.node.get_by_text("The kernel is busy.").is_hidden()
    side.notebook.release(cell)
    steps = "".join(output["text"] for output in side.notebook.outputs(1)).splitlines()
    assert steps == [f"step {n}" for n in range(len(steps))]


def test_a_chat_cell_is_inserted_and_marked(connected):
    side = connected("1 + 1", "2 + 2")
    side.notebook.run(1)
    side.model("sandbox/echo").click()
    side.details.get_by_role("button", name="Insert chat cell").click()
    expected = "%%alcf_chat -m sandbox/echo -c sophia\n"
    assert side.sources() == [CONNECT, "1 + 1", expected, "2 + 2"]
    # the cursor is where the prompt goes, once the cell has its editor
    cell = side.notebook.cell(2)
    inside = "cell => cell.querySelector('.cm-content') === document.activeElement"
    side.page.wait_for_function(inside, arg=cell.element_handle())
    side.page.wait_for_timeout(600)  # JupyterLab moves the focus late
    side.page.keyboard.type("dd ")  # as a command it deletes the cell
    side.page.keyboard.insert_text("Say {{1 + 1}} **twice**, not \\{{this}}")
    cell.locator(".alcf-expression").wait_for()
    assert cell.locator(".alcf-magic").inner_text() == expected.strip()
    assert cell.locator(".alcf-expression").all_inner_texts() == ["{{1 + 1}}"]
    bold = "node => [...node.querySelectorAll('span')].some(one => one.textContent === 'twice' && "
    bold += "getComputedStyle(one).fontWeight >= 700)"
    # read as Markdown, as soon as the editor comes to it
    side.page.wait_for_function(bold, arg=cell.element_handle())
    assert side.notebook.cell(0).locator(".alcf-magic").count() == 0
    # prose is read whole
    side.page.keyboard.insert_text(" and so on" * 40)
    wide = "node => node.scrollWidth > node.clientWidth"
    assert not cell.locator(".cm-scroller").evaluate(wide)
    side.notebook.run(2)
    assert "dd Say 2 **twice**" in str(side.notebook.outputs(2))


def test_only_what_is_on_the_screen_is_watched(connected):
    side = connected(BATCH)
    side.notebook.run(1)
    # what it tells is watched, too, from the moment it is on the screen
    side.item.get_by_text("ALCF: ").wait_for()
    side.listen()
    batches = side.node.locator("summary", has_text="Batches")
    batches.click()
    job = side.node.locator(".alcf-job").first  # the newest: other tests have batches, too
    job.get_by_text("completed", exact=True).wait_for()
    assert "sandbox/echo @ sophia" in job.inner_text()
    assert job.get_by_role("progressbar").get_attribute("aria-label").endswith("30 of 30 rows")
    assert batches.inner_text().startswith("Batches (")
    assert job.get_by_role("button").count() == 0, "the service cannot stop one"
    batches.click()
    side.page.wait_for_function("window.__went.filter(([, { parts }]) => parts).length === 2")
    side.close()
    side.page.wait_for_function("window.__went.some(([, { parts }]) => parts?.length === 1)")
    watched = [data["parts"] for data in side.went("send") if data["type"] == "watch"]
    assert watched == [
        ["status", "models", "runs", "batches"],
        ["status", "models", "runs"],
        ["status"],
    ]
    hide = """away => {
      Object.defineProperty(document, 'visibilityState', {
        configurable: true, get: () => away ? 'hidden' : 'visible' });
      document.dispatchEvent(new Event('visibilitychange'));
    }"""
    side.page.evaluate(hide, 1)
    assert side.went("send")[-1] == {"type": "watch", "parts": []}
    came = len(side.went("recv"))
    side.page.wait_for_timeout(1500)
    assert len(side.went("recv")) == came
    side.page.evaluate(hide, 0)
    assert side.went("send")[-1] == {"type": "watch", "parts": ["status"]}


def test_a_run_is_followed_paused_resumed_and_stopped(connected, pictures):
    side = connected("%alcf use sandbox/summary", CHAT, RUN)
    for cell in (1, 2, 3):
        side.notebook.run(cell)
    job = side.node.locator(".alcf-job").first
    job.get_by_text("running", exact=True).wait_for()
    done = "() => document.querySelector('.alcf-job progress').value"
    side.page.wait_for_function(f"({done})() > 2")
    assert job.get_by_role("progressbar").get_attribute("max") == "400"
    side.model("sandbox/cold").click()
    side.notebook.pictures(pictures, "panel")
    job.get_by_role("button", name="Pause").click()
    job.get_by_text("paused", exact=True).wait_for()
    focused = "document.activeElement.textContent"
    assert side.page.evaluate(focused) == "Resume", "who works with keys goes on from there"
    before = side.page.evaluate(done)
    assert job.get_by_role("button", name="Pause").is_hidden()
    side.page.wait_for_timeout(3000)
    # of two that were under way, and two that followed them before the word was passed on
    assert side.page.evaluate(done) <= before + 4
    before = side.page.evaluate(done)
    job.get_by_role("button", name="Resume").click()
    side.page.wait_for_function(f"before => ({done})() > before", arg=before)
    job.get_by_role("button", name="Stop").click()
    job.get_by_text("stopped", exact=True).wait_for()
    assert side.page.evaluate(focused) == "Hide"
    [hide] = job.get_by_role("button").all()
    side.notebook.pictures(pictures, "panel-stopped")
    hide.press("Enter")
    job.wait_for(state="detached")
    assert side.page.evaluate(focused) == "Runs"


def test_what_is_chosen_done_and_marked_is_seen_in_forced_colors(connected, pictures):
    side = connected(RUN, CHAT)
    side.notebook.run(1)
    side.page.wait_for_function("document.querySelector('.alcf-job progress')?.value > 8")
    side.node.get_by_role("button", name="Live").click()
    side.model("sandbox/code").click()
    side.node.get_by_role("button", name="Stop").click()
    side.wait("run it again to go on")
    side.notebook.cell(2).locator(".alcf-expression").wait_for()
    side.page.emulate_media(forced_colors="active")
    try:
        side.notebook.pictures(pictures, "panel-forced")
        styles = """([pressed, plain]) => ['backgroundColor', 'color'].map(name =>
          [pressed, plain].map(one => getComputedStyle(document.querySelector(one))[name]))"""
        for what, mark in ((".alcf-model", "aria-selected"), (".alcf-bar button", "aria-pressed")):
            pair = [f".alcf-panel {what}[{mark}={value}]" for value in ("true", "false")]
            for chosen, other in side.page.evaluate(styles, pair):
                assert chosen != other, what
        shown = side.node.get_by_role("progressbar").screenshot()
        side.page.evaluate("document.querySelector('.alcf-job progress').value = 400")
        assert side.node.get_by_role("progressbar").screenshot() != shown
        outline = "node => getComputedStyle(node).outlineStyle"
        assert side.notebook.cell(2).locator(".alcf-expression").evaluate(outline) == "solid"
    finally:
        side.page.emulate_media(forced_colors="none")
        side.node.get_by_role("button", name="All").click()


def test_the_commands_put_their_cells_below_the_active_one(connected):
    side = connected("1 + 1")
    folder = side.notebook._server.folder / "alcf-tutorials"
    shutil.rmtree(folder, ignore_errors=True)
    side.page.evaluate(
        """() => {
          const { content } = window.jupyterapp.shell.currentWidget;
          content.notebookConfig = { ...content.notebookConfig, defaultCell: 'markdown' };
        }"""
    )
    side.execute("sign-in")
    side.notebook.output(1).get_by_text("Open the Globus sign-in page").wait_for()
    assert side.sources() == [CONNECT, "%alcf login", "1 + 1"]
    side.execute("insert-chat")
    side.notebook.cell(2).locator(".alcf-magic").wait_for()
    assert side.sources()[2] == "%%alcf_chat\n"
    side.execute("tutorials")
    side.page.locator(".jp-DirListing-itemText", has_text="01_first_prompt.ipynb").wait_for()
    assert (folder / "01_first_prompt.ipynb").is_file()
    assert side.sources()[3] == "%run -m alcf_jupyter.cli tutorials alcf-tutorials"
    # a second time they are there, and only shown
    cells = side.sources()
    side.open()
    side.execute("tutorials")
    side.page.locator(".jp-DirListing-itemText", has_text="01_first_prompt.ipynb").wait_for()
    assert side.sources() == cells
