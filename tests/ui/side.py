"""The side panel of the extension in a JupyterLab page, driven as a person would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tests.ui.notebook import NotebookPage

CONNECT = "%load_ext alcf_jupyter\n%alcf connect sandbox"
_KERNEL = "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"


class Side:
    """The panel beside a notebook.

    Parameters
    ----------
    notebook
        The open notebook.
    """

    def __init__(self, notebook: NotebookPage) -> None:
        self.notebook, self.page = notebook, notebook.page
        self.node = self.page.locator(".alcf-panel")
        self.item = self.page.locator(".alcf-item")
        self.told = self.node.locator(".alcf-told")
        self.details = self.node.get_by_role("region", name="Selected model")
        self.models = self.node.get_by_role("listbox", name="Models")

    def execute(self, command: str) -> None:
        """Start a command of JupyterLab's, and do not wait for it."""
        self.page.evaluate(
            "id => void window.jupyterapp.commands.execute(id)", f"alcf-jupyter:{command}"
        )

    def open(self) -> Side:
        """Open the panel by its command."""
        self.execute("open")
        self.node.wait_for()
        return self

    def close(self) -> None:
        """Fold the side of the page away."""
        if not self.page.is_closed():
            self.page.evaluate("window.jupyterapp.shell.collapseLeft()")

    def model(self, name: str) -> Locator:
        """Return the row of a model."""
        return self.models.get_by_role("option").filter(has_text=name)

    def click(self, label: str) -> None:
        """Click a button of the panel."""
        self.node.get_by_role("button", name=label, exact=True).click()

    def wait(self, words: str, seconds: float = 30) -> None:
        """Wait until the panel shows these words."""
        self.node.get_by_text(words).first.wait_for(timeout=seconds * 1000)

    def wait_for_state(self, name: str, state: str, seconds: float = 30) -> None:
        """Wait until a model is shown in a state."""
        self.model(name).locator(f"[data-state={state}]").wait_for(timeout=seconds * 1000)

    def sources(self) -> list[str]:
        """Return the sources of the notebook's cells."""
        return self.page.evaluate(
            "window.jupyterapp.shell.currentWidget.content.widgets"
            ".map(cell => cell.model.sharedModel.getSource())"
        )

    def listen(self) -> None:
        """Keep what goes over comms of this kernel from now on."""
        self.page.evaluate(
            f"""() => {{
              window.__went = [];
              {_KERNEL}.anyMessage.connect((_, {{ msg, direction }}) => {{
                if (msg.header.msg_type === 'comm_msg') {{
                  window.__went.push([direction, msg.content.data]);
                }}
              }});
            }}"""
        )

    def went(self, direction: str) -> list[dict[str, Any]]:
        """Return what went one way, ``send`` or ``recv``, since `listen`."""
        went = self.page.evaluate("window.__went")
        return [data for way, data in went if way == direction]
