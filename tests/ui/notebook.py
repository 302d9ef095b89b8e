"""A notebook in a JupyterLab page, driven as a person would."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Locator, Page

    from tests.ui.server import Server

_RELEASED = "released"
HELD = f"""import itertools, pathlib, time
for n in itertools.count():
    print("step", n)
    time.sleep(0.1)
    if pathlib.Path("{_RELEASED}").exists():
        break"""
"""A cell that runs until it is released."""

_STATE = """from alcf_jupyter.connection import standin
told = {{"model": "sandbox/cold", "load_seconds": {}}}
_ = standin.control(standin.start(), "POST", "/state", told)"""
HOLD, LET_GO = _STATE.format(86_400), _STATE.format(0)
"""Cells that hold the sandbox's cold model once it starts, and that let it be Live."""

_PANEL = "window.jupyterapp.shell.currentWidget"
# The toolbar says idle too early; running then asks for a kernel and waits forever.
_READY = """path => {
  const panel = window.jupyterapp?.shell?.currentWidget;
  return panel?.context?.path === path && panel.context.isReady
    && panel.sessionContext.session?.kernel?.status === 'idle'
    && panel.content.widgets.length > 0;
}"""
_VIEW = {"width": 1280, "height": 900}
# tests share a page: what one left in it is never taken for another's
_names, _runs = itertools.count(1), itertools.count(1)


class NotebookPage:
    """One open notebook.

    Parameters
    ----------
    page
        A Playwright page.
    server
        Where the notebook is.
    """

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        self._server = server
        self.path = ""

    def open(self, cells: list[str | dict], name: str = "", timeout: float = 60) -> None:
        """Open a new notebook and wait until its kernel is idle.

        Parameters
        ----------
        cells
            The sources of its code cells, or whole cells with their outputs.
        name
            The file's name.
        timeout
            Seconds.
        """
        self.path = name or f"test-{next(_names)}.ipynb"
        self._held.unlink(missing_ok=True)
        self._server.write(self.path, cells)
        self.page.set_viewport_size(_VIEW)
        if not self.page.evaluate("!!window.jupyterapp"):
            self.reopen(timeout)
            return
        command = "path => void window.jupyterapp.commands.execute('docmanager:open', {path})"
        self.page.evaluate(command, self.path)
        self._ready(timeout)

    def close(self) -> None:
        """Close the notebook and stop its kernel; the page stays as it was found."""
        if not self.page.is_closed() and self.page.evaluate("!!window.jupyterapp"):
            self.theme("light")
            # not by a command, which would ask whether to save
            self.page.evaluate(f"{_PANEL}?.dispose()")
        self._server.close(self.path)

    def reopen(self, timeout: float = 60) -> None:
        """Load the page again from the file."""
        address = f"{self._server.url}/lab/tree/{self.path}?reset&token={self._server.token}"
        self.page.goto(address, wait_until="domcontentloaded")
        self._ready(timeout)

    def _ready(self, timeout: float) -> None:
        try:
            self.page.wait_for_function(_READY, arg=self.path, timeout=timeout * 1000)
        except Exception as error:
            error.add_note(f"The server's log ends:\n{self._server.log_end()}")
            raise

    def start(self, index: int) -> int:
        """Start a cell without waiting for it; return a number for `wait`."""
        run = next(_runs)
        # Without void, evaluate would wait for the cell, with no time limit.
        self.page.evaluate(
            f"""([index, run]) => {{
              const notebook = {_PANEL}.content;
              notebook.deselectAll();
              notebook.activeCellIndex = index;
              window.__done = window.__done || {{}};
              void window.jupyterapp.commands.execute('notebook:run-cell')
                .finally(() => {{ window.__done[run] = true; }});
            }}""",
            [index, run],
        )
        return run

    def wait(self, run: int, timeout: float = 60) -> None:
        """Wait until a started cell is done."""
        self.page.wait_for_function("run => window.__done[run]", arg=run, timeout=timeout * 1000)

    def runs(self, run: int) -> bool:
        """Whether a started cell still runs."""
        return not self.page.evaluate("run => !!window.__done[run]", run)

    def release(self, run: int | None = None) -> None:
        """Let a cell of `HELD` end, and wait until it is done if its number is given."""
        self._held.touch()
        if run is not None:
            self.wait(run)

    @property
    def _held(self) -> Path:
        return self._server.folder / _RELEASED

    def run(self, index: int = 0, timeout: float = 60) -> list[dict[str, Any]]:
        """Run a cell, wait until it is done, and return its outputs."""
        self.wait(self.start(index), timeout)
        return self.outputs(index)

    def outputs(self, index: int = 0) -> list[dict[str, Any]]:
        """Return a cell's outputs as they would be saved."""
        script = f"index => {_PANEL}.content.widgets[index].model.outputs.toJSON()"
        return self.page.evaluate(script, index)

    def wait_for_output(self, index: int, words: str) -> None:
        """Wait until these words are in a cell's outputs as they would be saved."""
        outputs = f"{_PANEL}.content.widgets[index].model.outputs.toJSON()"
        self.page.wait_for_function(
            f"([index, words]) => JSON.stringify({outputs}).includes(words)", arg=[index, words]
        )

    def cell(self, index: int = 0) -> Locator:
        """Return a cell's element."""
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell").nth(index)

    def output(self, index: int = 0) -> Locator:
        """Return the element of a cell's outputs."""
        return self.cell(index).locator(".jp-Cell-outputArea")

    def keep(self, index: int = 0) -> None:
        """Keep every text and bar that a cell's output shows from now on, however short."""
        self.cell(index).evaluate(
            """cell => {
              window.__kept = [];
              window.__bars = [];
              const look = () => {
                for (const bar of cell.querySelectorAll('[role=progressbar]'))
                  window.__bars.push([bar.ariaLabel, Number(bar.ariaValueNow)]);
                const text = cell.querySelector('.jp-Cell-outputArea')?.innerText ?? '';
                if (text !== window.__kept.at(-1)) window.__kept.push(text);
              };
              new MutationObserver(look).observe(
                cell, { subtree: true, childList: true, characterData: true, attributes: true });
            }"""
        )

    def wait_for_kept(self, words: str) -> str:
        """Wait until a text with these words was shown since `keep`; return it."""
        script = "words => window.__kept.find(text => text.includes(words))"
        return self.page.wait_for_function(script, arg=words).json_value()

    def bars(self) -> list[list[Any]]:
        """Return the label and the value of each bar that was shown since `keep`."""
        return self.page.evaluate("window.__bars")

    def typeset(self, index: int) -> None:
        """Wait until math is set in a cell's output, and so in all that was shown before it."""
        self.output(index).locator("mjx-container").first.wait_for(state="attached")

    def boxes(self, index: int, *texts: str) -> list[dict[str, float]]:
        """Return where the heads with these texts are, and their columns; last, the whole output.

        All are of one moment: asked for one after the other, the page may move in between.
        """
        return self.output(index).evaluate(
            """(output, texts) => {
              const heads = [...output.querySelectorAll('strong')];
              const place = (one, around) => {
                const { x, y } = one.getBoundingClientRect();
                const { left, right } = around.getBoundingClientRect();
                return { x, y, left, right };
              };
              const found = texts.map(text => heads.find(one => one.textContent === text));
              return [...found.map(one => place(one, one.parentElement)), place(output, output)];
            }""",
            texts,
        )

    def settle(self, seconds: float = 0.5) -> None:
        """Wait until fonts are there and, for so long, no math is being set."""
        self.page.evaluate("document.fonts.ready.then(() => null)")
        self.page.wait_for_timeout(seconds * 1000)

    def type(self, index: int, text: str) -> None:
        """Type into a cell, at its end."""
        self.cell(index).locator(".cm-content").click()
        self.page.keyboard.press("Control+End")
        self.page.keyboard.type(text)

    def click(self, label: str, index: int = 0) -> None:
        """Click the button with this label in a cell's output."""
        self.output(index).get_by_role("button", name=label).click()

    def save(self, timeout: float = 60) -> None:
        """Save the notebook to its file, and wait until it is there."""
        run = next(_runs)
        # a cell that runs makes it dirty again at once: that it is clean may never be seen
        self.page.evaluate(
            f"""run => {{
              window.__done = window.__done || {{}};
              void {_PANEL}.context.save().finally(() => {{ window.__done[run] = true; }});
            }}""",
            run,
        )
        self.wait(run, timeout)

    def theme(self, name: str) -> None:
        """Switch to the ``light`` or the ``dark`` theme, if it is not there."""
        light = "true" if name == "light" else "false"
        if self.page.evaluate("document.body.dataset.jpThemeLight") == light:
            return
        self.page.evaluate(
            "theme => void window.jupyterapp.commands.execute('apputils:change-theme', {theme})",
            "JupyterLab Dark" if name == "dark" else "JupyterLab Light",
        )
        script = "light => document.body.dataset.jpThemeLight === light"
        self.page.wait_for_function(script, arg=light)

    def picture(self, folder: Path | None, name: str, element: Locator | None = None) -> None:
        """Take a picture.

        Parameters
        ----------
        folder
            Where it goes; None takes none.
        name
            What it shows.
        element
            What is taken, if not the whole page.
        """
        if folder is not None:
            (element or self.page).screenshot(path=folder / f"{name}.png")

    def pictures(self, folder: Path | None, name: str, element: Locator | None = None) -> None:
        """Take a picture in the dark and one in the light theme; as `picture`."""
        if folder is None:
            return
        for theme in ("dark", "light"):
            self.theme(theme)
            self.settle(0.3)
            self.picture(folder, f"{name}-{theme}", element)
