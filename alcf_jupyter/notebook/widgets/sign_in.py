"""The sign-in panel: a link to open, a field for the code that comes back, and how it went."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
from IPython.display import display

from alcf_jupyter.connection.sign_in import account
from alcf_jupyter.errors import AlcfError
from alcf_jupyter.notebook.sign_in import link_line
from alcf_jupyter.notebook.widgets.shadow import Shadowed
from alcf_jupyter.notebook.widgets.told import Told

if TYPE_CHECKING:
    from alcf_jupyter.connection.client import Client
    from alcf_jupyter.connection.sign_in.login import LoginFlow

_TITLE = "Sign in to the ALCF Inference Endpoints"
_DONE = "Signed in to the ALCF Inference Endpoints."
_HELP = "If no field appears below, type:  %alcf login --text"

_shown: SignInPanel | None = None


class SignInPanel(Shadowed):
    """Signs in with Globus.

    Parameters
    ----------
    flow
        The sign-in, whose link is shown.
    client
        Whose service is asked who signed in: only it knows what its policy wants.
    again
        Whether a cell waits to be run again.

    Attributes
    ----------
    handle
        Of the output it is shown in, whose plain form changes with it.
    """

    handle: Any = None

    def __init__(self, flow: LoginFlow, client: Client, *, again: bool = False) -> None:
        self._flow = flow
        self._client = client
        self._again = again
        self._entered = False
        self._field = widgets.Password(
            description="Code",
            style={"description_width": "auto"},
            placeholder="paste the code here",
            continuous_update=False,  # half a code need not travel, nor be saved
            layout=widgets.Layout(width="30em", max_width="100%"),
        )
        self._button = widgets.Button(
            description="Sign in",
            button_style="primary",
            tooltip="Exchange the code for a sign-in",
            layout=widgets.Layout(width="auto", min_width="7em"),
        )
        self._head = widgets.HTML(_instructions(flow))
        self._row = widgets.HBox(
            [self._field, self._button], layout=widgets.Layout(flex_flow="row wrap")
        )
        self._told = Told()
        super().__init__([self._head, self._row, self._told])
        self._button.on_click(lambda _button: self._submit())
        self._field.on_msg(self._on_message)
        self._field.observe(self._on_value, "value")

    def __repr__(self) -> str:
        return f"<{_DONE}>" if self._flow.done else f"<{_TITLE}: {self._flow.url}>"

    def shadow(self) -> str:
        """Return the same link, or that it is done."""
        return f"<p>{_DONE}</p>" if self._flow.done else _instructions(self._flow)

    def retire(self) -> None:
        """Give way to a newer panel of the same sign-in."""
        if not self._flow.done:
            self._row.layout.display = "none"
            self._told.say("A newer panel of this notebook has taken over; its link is the same.")

    def _on_message(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        """Take Enter; the value is sent only after it, unless the field was left before."""
        if content.get("event") == "submit":
            self._entered = not self._field.value
            if self._field.value:
                self._submit()

    def _on_value(self, _change: object) -> None:
        if self._entered and self._field.value:
            self._submit()

    def _submit(self) -> None:
        code, self._entered = self._field.value, False
        # before anything else: what stands in a field is saved with the notebook
        self._field.value = ""
        if self._flow.done:
            return
        self._disable(fields=True)
        self._told.say("Signing in…")
        try:
            self._flow.finish(code)
            self._client.credential.forget()
            self._succeed()
        except AlcfError as error:
            self._told.say(str(error))
        finally:
            del code
            self._disable(fields=False)

    def _succeed(self) -> None:
        self._head.value = f"<p style='margin:0'><strong>{_DONE}</strong></p>"
        self._row.layout.display = "none"
        try:
            told = str(account.of(self._client))
        except AlcfError as error:
            told = f"The service itself says:\n{error}"
        again = "Run the cell again." if self._again else ""
        self._told.say("\n".join([*self._notes(), told, again]))
        if self.handle is not None:
            self.handle.update(self)

    def _notes(self) -> list[str]:
        return [f"Note: {note}" for note in self._flow.notes]

    def _disable(self, *, fields: bool) -> None:
        self._field.disabled = self._button.disabled = fields


def show(flow: LoginFlow, client: Client, *, again: bool = False) -> SignInPanel:
    """Show the panel, and retire the one shown before.

    A line of text holds the same link, so that nothing depends on rendering: above the panel where
    it was asked for; at the end below a cell's error, which a line as long would bury.

    Parameters
    ----------
    flow, client
        As for `SignInPanel`.
    again
        Whether a cell waits to be run again.
    """
    global _shown  # noqa: PLW0603 - one sign-in at a time is what a person does
    if _shown is not None:
        _shown.retire()
    _shown = SignInPanel(flow, client, again=again)
    print(_HELP if again else f"{link_line(flow)}{_HELP}")  # noqa: T201
    _shown.handle = display(_shown, display_id=True)  # type: ignore[no-untyped-call]
    if again:
        print(f"The same link as text:\n{flow.url}")  # noqa: T201
    return _shown


def _instructions(flow: LoginFlow) -> str:
    return (
        f"<p style='margin:0'><strong>{_TITLE}</strong></p>"
        "<ol style='margin:.3em 0 .3em 1.5em;padding:0;line-height:1.5'>"
        f'<li><a href="{escape(flow.url)}" target="_blank" rel="noopener noreferrer" '
        'style="color:var(--jp-content-link-color,revert);text-decoration:underline">'
        "Open the Globus sign-in page</a> and sign in with your ALCF or Argonne account.</li>"
        "<li>Copy the code it shows, paste it below, and press Enter.</li></ol>"
    )
