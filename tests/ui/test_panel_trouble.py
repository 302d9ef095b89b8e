"""The side panel when something is wrong: it says what happened, and recovers by itself."""

from __future__ import annotations

import json

import pytest

from tests.controlled import sandbox
from tests.ui.browser import scripts_run
from tests.ui.notebook import HELD

pytestmark = pytest.mark.browser

CURRENT = "window.jupyterapp.shell.currentWidget"
KERNEL = f"{CURRENT}.sessionContext.session.kernel.id"
# what a page has opened, from the kernel's side
COMMS = """import comm
opened = [
    one for one in comm.get_comm_manager().comms.values() if one.target_name == "alcf_jupyter.panel"
]
"""
WRONG = """
for wrong in ({"type": "models"}, {"type": "status", "service": 7}, {"kind": None}, {}):
    opened[-1].send(wrong)
"""
CLOSE = """
for one in opened:
    one.close()
"""
ANOTHER = """
def greet(opened, message):
    opened.send({"type": "hello", "protocol": %d, "package": "%s", "more": []})

import comm
comm.get_comm_manager().register_target("alcf_jupyter.panel", greet)
# %%alcf"""
HOSTILE = "<img src=x onerror='window.__pwned = 1'><script>window.__pwned = 1</script> $x$"


@pytest.fixture
def large(tmp_path):
    """A sandbox with 200 models, the jobs of some of which are hostile."""
    models = [
        {
            "id": f"someone/model-{n:03}-with-a-name-that-is-longer-than-the-panel-is-wide",
            "state": ("Live", "Queued", "Offline")[n % 3],
            "queue_seconds": 86_400.0,
            "job": {"Job Comments": f"{HOSTILE} {n}"},
        }
        for n in range(199)
    ]
    models.append({"id": f"someone/{HOSTILE}", "state": "Live"})
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"clusters": {"sophia": {"models": models}}}))
    with sandbox("--config", str(settings)) as running:
        yield running


def test_hostile_names_and_comments_are_text_and_many_models_paint_fast(
    side, large, record, pictures
):
    connect = f"alcf.connect({large.url!r}, token={large.secret!r}, poll_seconds=1)"
    side.notebook.open([f"%load_ext alcf_jupyter\nimport alcf_jupyter as alcf\n{connect}"])
    side.notebook.run(0)
    side.open()
    side.models.get_by_role("option").nth(199).wait_for(state="attached")
    side.node.get_by_role("searchbox").fill("model-001")
    side.models.get_by_role("option").click()
    side.details.get_by_text(HOSTILE).first.wait_for()
    side.node.get_by_role("searchbox").fill("onerror")
    side.models.get_by_role("option").click()
    side.click("Use for chat")
    side.told.locator(".alcf-what:not(:empty)").wait_for()
    side.details.get_by_role("button", name="Insert chat cell").click()
    inserted = side.sources()[-1]
    assert inserted.startswith("%%alcf_chat -m 'someone/<img src=x onerror=")
    assert side.node.locator("img, script, mjx-container").count() == 0
    side.node.get_by_role("searchbox").fill("")
    side.notebook.pictures(pictures, "panel-many", side.node)
    # what tells models apart is at the end of their names, and a note of a queued one is long
    texts = side.models.locator(".alcf-name, .alcf-rest")
    cut = "all => all.filter(one => one.scrollWidth > one.clientWidth).map(one => one.innerText)"
    assert texts.evaluate_all(cut) == []
    assert "estimated start" in str(side.model("model-001").get_attribute("title"))
    assert scripts_run(side.page) == 0
    assert record.quiet
    assert record.errors == []
    paints = sorted(paints_of(side.page))
    # the least: what the kernel and the browser do besides comes into some
    assert paints[0] < 0.050, paints


def paints_of(page):
    """Return the seconds of its own that the page takes, again and again, to show a change of all.

    From the message to the next frame drawn; what other processes take meanwhile is not counted.
    """
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent():
        told = session.send("Performance.getMetrics")["metrics"]
        return next(one["value"] for one in told if one["name"] == "TaskDuration")

    took = []
    for number in range(11):
        began = spent()
        page.evaluate(PAINT, number)
        took.append(spent() - began)
    session.detach()
    return took


# When every model has changed its state.
PAINT = """async round => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const comm = [...kernel._comms.values()].find(one => one.targetName === 'alcf_jupyter.panel');
  const rows = [...document.querySelectorAll('.alcf-model')];
  const shown = rows.map(row => JSON.parse(row.dataset.key));
  const drawn = () => new Promise(resolve => {
    const channel = new MessageChannel();
    channel.port1.onmessage = resolve;
    requestAnimationFrame(() => channel.port2.postMessage(null));
  });
  const models = shown.map(([id, cluster], at) => ({
    id, cluster, state: ['Live', 'Queued', 'Offline'][(at + round) % 3],
    note: `round ${round}`, starts: false, can_chat: true, can_embed: null,
    facts: [['Queue', `round ${round}`]]
  }));
  comm.onMsg({ content: { data: {
    type: 'models', checked: 1, followed: true, note: '', warnings: [], models } } });
  await drawn();
  if (document.querySelectorAll('.alcf-model').length !== 200) throw new Error('not 200 models');
}"""


def test_messages_that_neither_side_can_read_and_a_comm_that_is_closed(connected):
    side = connected(COMMS + WRONG, COMMS + CLOSE, "%unload_ext alcf_jupyter")
    side.notebook.run(1)
    side.told.get_by_text("A message of the kernel could not be read").wait_for()
    assert side.told.locator("code").inner_text() == "%alcf doctor"
    side.page.evaluate(
        f"""() => {{
          const comms = [...{CURRENT}.sessionContext.session.kernel._comms.values()];
          const comm = comms.find(one => one.targetName === 'alcf_jupyter.panel');
          comm.send({{ type: 'use', id: 1 }});
        }}"""
    )
    side.told.get_by_text("cannot be read").wait_for()
    side.model("sandbox/echo").click()
    side.click("Use for chat")
    side.told.get_by_text("%alcf use sandbox/echo").wait_for()
    side.page.wait_for_timeout(2000)
    side.listen()
    side.notebook.run(2)
    side.page.wait_for_function("window.__went.some(([way, data]) => data.type === 'models')")
    side.model("sandbox/echo").wait_for()
    side.notebook.run(3)
    side.wait("The kernel of this notebook has not loaded alcf_jupyter.")
    side.click("Run its cell")
    side.model("sandbox/echo").wait_for()


def test_an_older_and_a_newer_kernel_say_which_side_to_update(side, pictures):
    side.notebook.open([ANOTHER % (99, "9.9"), ANOTHER % (0, "0.0.1"), COMMS + CLOSE])
    side.notebook.run(0)
    side.open()
    side.wait("The extension in JupyterLab is older than alcf_jupyter in the kernel.")
    side.wait("%run -m alcf_jupyter.cli install-labextension --user")
    side.notebook.pictures(pictures, "panel-older", side.node)
    side.notebook.run(1)
    side.notebook.run(2)  # the kernel lets go of the page, which asks again
    side.wait("alcf_jupyter in the kernel is older than the extension in JupyterLab.")
    side.wait("%pip install --upgrade alcf-jupyter")


def test_restarted_kernels_and_reloaded_pages(connected):
    side = connected(HELD, COMMS + "print(len(opened), 'open')")
    side.page.evaluate(f"void {CURRENT}.sessionContext.session.kernel.restart()")
    side.wait("The kernel of this notebook has not loaded alcf_jupyter.")
    side.click("Run its cell")
    side.model("sandbox/echo").wait_for()
    # in the middle of a cell: the kernel tells what it can do when the cell has ended
    side.notebook.start(1)
    side.notebook.output(1).get_by_text("step 2").wait_for()
    side.notebook.save()
    address = side.page.url.split("?")[0]
    side.page.goto(address, wait_until="domcontentloaded")
    side.page.wait_for_function("window.jupyterapp?.shell?.currentWidget?.context?.isReady")
    side.open()
    side.wait("The kernel is busy.")
    side.notebook.release()
    side.model("sandbox/echo").wait_for()
    side.notebook.run(2)
    assert side.notebook.outputs(2)[0]["text"] == "1 open\n", "what is replaced was closed"


def test_two_notebooks_of_one_kernel_and_none(connected):
    side = connected()
    first, kernel = side.notebook.path, side.page.evaluate(KERNEL)
    side.notebook._server.write("second.ipynb", ["%alcf_chat hello"])
    side.page.evaluate(
        f"""() => {{
          const kernel = {CURRENT}.sessionContext.session.kernel.model;
          void window.jupyterapp.commands.execute('docmanager:open', {{
            path: 'second.ipynb', kernel: {{ id: kernel.id }} }});
        }}"""
    )
    side.page.wait_for_function(
        f"{CURRENT}?.context?.path === 'second.ipynb' && {CURRENT}.content.widgets.length === 1"
        f" && !!{CURRENT}.sessionContext.session?.kernel"
    )
    assert side.page.evaluate(KERNEL) == kernel
    side.model("sandbox/echo").click()
    side.click("Use for chat")
    side.told.get_by_text("%alcf use sandbox/echo").wait_for()
    side.details.get_by_role("button", name="Insert chat cell").click()
    assert side.sources() == ["%alcf_chat hello", "%%alcf_chat -m sandbox/echo -c sophia\n"]
    side.page.evaluate(f"{CURRENT}.dispose()")
    side.page.wait_for_function(f"path => {CURRENT}?.context?.path === path", arg=first)
    side.model("sandbox/echo").wait_for()
    side.page.evaluate(f"void {CURRENT}.sessionContext.shutdown()")
    side.wait("This notebook has no kernel.")
    assert side.item.is_hidden()
