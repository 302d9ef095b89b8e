"""The model picker: every model with its state, kept up to date, and the choice of one."""

from __future__ import annotations

import contextvars
import threading
import time
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from alcf_jupyter.connection import session
from alcf_jupyter.errors import AlcfError
from alcf_jupyter.notebook.text import escape_line
from alcf_jupyter.notebook.widgets import facts
from alcf_jupyter.service.catalog import State
from alcf_jupyter.service.limits import COLD_START_MINUTES
from alcf_jupyter.service.selection import select

if TYPE_CHECKING:
    from collections.abc import Callable

    from alcf_jupyter.connection.client import Client
    from alcf_jupyter.service.catalog import Model

FILTERS = {
    "Live": "Ready",
    "Starting": "Loading",
    "Queued": "Waiting for a node",
    "Offline": "Starts on a request",
    "Stopped": "Not offered now",
    "All": "Everything",
}
"""Those of ALCF's web interface, in its order, and what each of them shows."""

FOLLOWED_SECONDS = 600.0
"""How long after the last use the states are still looked up."""

SHADOW_ROWS = 40
LINKS = (
    '<p><a href="https://inference.alcf.anl.gov" target="_blank" rel="noopener">web interface</a>'
    ' · <a href="https://metis.alcf.anl.gov/status" target="_blank" rel="noopener">Metis status</a>'
    "</p>"
)


class ModelPicker(widgets.VBox):  # type: ignore[misc]
    """A list of models with their states, filters, details, and buttons to choose and to start.

    Parameters
    ----------
    client
        The service whose models are shown.
    state, cluster, can
        What is shown at first; as `models` takes them.
    """

    def __init__(
        self,
        client: Client,
        *,
        state: str | None = None,
        cluster: str | None = None,
        can: str | None = None,
    ) -> None:
        self._client = client
        self._cluster, self._can = cluster, can
        self._shown: list[Model] = []
        self._message = ""
        self._used = time.monotonic()
        self._wake = threading.Event()
        self._following: threading.Thread | None = None
        shown = next((str(s) for s in State if s.casefold() == (state or "").casefold()), "All")
        # a state that is seldom met has a filter where it is asked for
        filters = {**FILTERS} if shown in FILTERS else {shown: "", **FILTERS}
        self._filter = widgets.ToggleButtons(
            options=list(filters),
            value=shown,
            description="State",
            tooltips=list(filters.values()),
            style={"button_width": "6em"},
        )
        # JupyterLab 4.6 takes the arrow keys away from a list that has the focus, but not from a
        # field: so the field offers the same models, and the keyboard alone is enough
        self._search = widgets.Combobox(
            description="Search", placeholder="part of a name", continuous_update=True
        )
        self._list = widgets.Select(
            options=[], rows=12, description="Models", layout=widgets.Layout(width="44em")
        )
        self._details = widgets.HTML(layout=widgets.Layout(width="40em", margin="0 0 0 1em"))
        self._told = widgets.HTML()
        buttons = [
            _button("Use for chat", "Make this the model of chat cells", self._use_for_chat),
            _button(
                "Use for embeddings", "Make this the model of embed cells", self._use_for_embed
            ),
            _button("Warm it up", "Ask the service to start this model", self._warm_up),
            _button("Refresh", "Look at the states again", self._refresh),
        ]
        self._warm = buttons[2]
        super().__init__(
            [
                widgets.HBox([self._filter]),
                widgets.HBox([self._search]),
                widgets.HBox([self._list, self._details]),
                widgets.HBox(buttons),
                self._told,
            ]
        )
        self._filter.observe(self._on_use, "value")
        self._search.observe(self._on_use, "value")
        self._list.observe(self._on_pick, "value")
        self._say("")
        self._redraw()
        self._follow()

    def __repr__(self) -> str:
        known = self._client.known.models
        live = sum(model.state is State.LIVE for model in known)
        return f"<model picker: {len(known)} models, {live} Live>"

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        """Add the plain HTML that is seen where widgets are not: on GitHub, in docs, in tests."""
        bundle: dict[str, Any] = super()._repr_mimebundle_(**options) or {}
        return {**bundle, "text/plain": repr(self), "text/html": self.shadow()}

    def shadow(self) -> str:
        """Return what the picker shows, as a table of plain HTML."""
        return facts.table(self._shown[:SHADOW_ROWS], len(self._shown) - SHADOW_ROWS)

    @property
    def chosen(self) -> Model | None:
        """The model that is selected in the list."""
        at = self._list.index
        return self._shown[at] if at is not None and at < len(self._shown) else None

    def close_all(self) -> None:
        """Stop following the states."""
        self._used = float("-inf")
        self._wake.set()

    def _on_use(self, _change: object) -> None:
        self._touch()
        self._redraw()

    def _on_pick(self, _change: object) -> None:
        self._touch()
        self._describe()

    def _use_for_chat(self, _button: object) -> None:
        self._use("chat", "%alcf use ")

    def _use_for_embed(self, _button: object) -> None:
        self._use("embed", "%alcf use --embed ")

    def _use(self, kind: str, line: str) -> None:
        self._touch()
        model = self.chosen
        if model is None:
            self._say("Select a model in the list first.")
            return
        setattr(session.current(), kind, model.id)
        cells = "Chat cells" if kind == "chat" else "Embed cells"
        self._say_html(
            f"{cells} now use {escape_line(model.id)}. So that a colleague gets the same, put this "
            f"line into the notebook: <code>{line}{escape_line(model.id)}</code>"
        )

    def _warm_up(self, _button: object) -> None:
        self._touch()
        model = self.chosen
        if model is None or model.state in (State.LIVE, State.STARTING, State.QUEUED):
            self._say("Select an offline model in the list first.")
            return
        if not self._starts(model):
            self._say(f"A request cannot start models on {model.cluster}.")
            return
        sent = self._client.warm_up(model)
        first, last = COLD_START_MINUTES
        self._say(
            f"{model.id} was asked to start; that takes {first} to {last} minutes once it has a "
            "node."
            if sent
            else f"{model.id} was asked to start less than ten minutes ago."
        )
        self._wake.set()

    def _refresh(self, _button: object) -> None:
        self._touch()
        self._say("")
        self._wake.set()

    def _starts(self, model: Model) -> bool:
        clusters = {cluster.name: cluster for cluster in self._client.known.clusters}
        return model.cluster in clusters and clusters[model.cluster].starts_on_request

    def _touch(self) -> None:
        self._used = time.monotonic()
        self._follow()

    def _follow(self) -> None:
        """Look the states up in the background, until ten minutes after the last use."""
        if self._following is not None and self._following.is_alive():
            return
        # started in the cell's own context, so that what a library prints there stays in the cell
        context = contextvars.copy_context()
        self._following = threading.Thread(
            target=context.run, args=(self._look,), name="alcf_jupyter picker", daemon=True
        )
        self._following.start()

    def _look(self) -> None:
        while time.monotonic() - self._used < FOLLOWED_SECONDS:
            self._wake.wait(self._client.profile.poll_seconds)
            self._wake.clear()
            if time.monotonic() - self._used >= FOLLOWED_SECONDS:
                break
            try:
                self._client.models()
            except AlcfError as error:
                self._say(error.what)
                continue
            self._redraw()
            self._tell()
        self._say("The states are no longer followed; Refresh looks again.")

    def _redraw(self) -> None:
        """Show the models as they are known; only what has changed is sent to the browser."""
        word = None if self._filter.value == "All" else self._filter.value
        before = self.chosen
        fits = select(self._client.known, state=word, cluster=self._cluster, can=self._can)
        text = self._search.value.strip()
        found = [m for m in fits if text.casefold() in facts.label(m).casefold()]
        labels = [facts.label(model) for model in found]
        offered = tuple(facts.name(model) for model in fits)
        if self._search.options != offered:
            self._search.options = offered
        self._shown = found
        if list(self._list.options) != labels:
            self._list.options = labels
            again = [i for i, m in enumerate(found) if before and _same(m, before)]
            self._list.index = again[0] if again else (0 if found else None)
        self._describe()
        if not found:
            self._say("No model fits.")

    def _describe(self) -> None:
        model = self.chosen
        text = ""
        if model is not None:
            clusters = {cluster.name: cluster for cluster in self._client.known.clusters}
            text = facts.details(model, clusters.get(model.cluster))
            text += LINKS if self._client.profile.name == "alcf" else ""
        if self._details.value != text:
            self._details.value = text
        self._warm.disabled = model is None or model.state in (State.LIVE, State.UNKNOWN)

    def _say(self, words: str) -> None:
        self._say_html(escape_line(words, 400))

    def _say_html(self, html: str) -> None:
        self._message = html
        self._tell()

    def _tell(self) -> None:
        """Show when the states were last looked at, and what was last said."""
        at = self._client.checked_at
        clock = time.strftime("%H:%M:%S", time.localtime(at)) if at else ""
        checked = f"<span style='opacity:.75'>Last checked {clock}.</span> " if clock else ""
        text = f"<div role='status'>{checked}{self._message}</div>"
        if self._told.value != text:
            self._told.value = text


def _button(label: str, hint: str, act: Callable[[object], None]) -> Any:
    button = widgets.Button(
        description=label, tooltip=hint, layout=widgets.Layout(width="auto", min_width="9em")
    )
    button.on_click(act)
    return button


def _same(one: Model, other: Model) -> bool:
    return (one.id, one.cluster) == (other.id, other.cluster)
