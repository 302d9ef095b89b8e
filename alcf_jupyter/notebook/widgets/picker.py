"""The model picker: every model with its state, kept up to date, and the choice of one."""

from __future__ import annotations

import contextvars
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Literal

import ipywidgets as widgets

from alcf_jupyter.errors import AlcfError
from alcf_jupyter.notebook.models import in_use, model_facts, model_orders, model_table
from alcf_jupyter.notebook.models.look import Look
from alcf_jupyter.notebook.widgets.clicks import at_once
from alcf_jupyter.notebook.widgets.shadow import Shadowed
from alcf_jupyter.notebook.widgets.told import Told
from alcf_jupyter.service.catalog import State
from alcf_jupyter.service.selection import select

if TYPE_CHECKING:
    from collections.abc import Callable

    from alcf_jupyter.connection.client import Client
    from alcf_jupyter.service.catalog import Catalog, Model

FILTERS = {
    "Live": "Ready",
    "Starting": "Loading",
    "Queued": "Waiting for a node",
    "Offline": "Starts on a request",
    "Stopped": "Not offered now",
    "All": "Everything",
}
"""Those of ALCF's web interface, in its order, and what each of them shows."""

_TICK_SECONDS: Final = 0.5
"""How soon what is known anew is shown; the service is asked at its own pace."""

SHADOW_ROWS = 40
LINKS = (
    '<p><a href="https://inference.alcf.anl.gov" target="_blank" rel="noopener">web interface</a>'
    ' · <a href="https://metis.alcf.anl.gov/status" target="_blank" rel="noopener">Metis status</a>'
    "</p>"
)
# where the system forces its own colors, JupyterLab shows of a button no more than its words, and
# a browser shows the model under the pointer in the color of the selected one
_STYLE = """<style>
@media (forced-colors: active) {
  .alcf-picker button { border: 1px solid; }
  .alcf-picker button.mod-active {
    forced-color-adjust: none;
    background: Highlight;
    color: HighlightText;
  }
  .alcf-picker option:checked { font-weight: bold; text-decoration: underline; }
}
</style>"""
SANDBOX = "<p>These models are the local sandbox's, whatever they are called.</p>"


class ModelPicker(Shadowed):
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
        self._lacking = self._message = ""
        self._look = Look(
            lambda fresh: client.look(fresh=fresh), lambda: client.profile.poll_seconds
        )
        self._guard = threading.RLock()
        self._redrawing = False
        self._news: tuple[Catalog, float | None, str] | None = None
        self._context = contextvars.copy_context()
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
            options=[], rows=12, description="Models", layout=_half("26em", "44em")
        )
        # beside the list where it is wide enough, else below it
        self._details = widgets.HTML(layout=_half("22em", "40em"))
        self._told = Told()
        self._chat = _button(
            "Use for chat", "Make this the model of chat cells", self._use_for_chat
        )
        self._embed = _button(
            "Use for embeddings", "Make this the model of embed cells", self._use_for_embed
        )
        self._warm = _button("Warm it up", "Ask the service to start this model", self._warm_up)
        refresh = _button("Refresh", "Look at the states again", self._refresh)
        super().__init__(
            [
                widgets.HBox([self._filter]),
                widgets.HBox([self._search]),
                _row(self._list, self._details),
                _row(self._chat, self._embed, self._warm, refresh),
                self._told,
                widgets.HTML(_STYLE, layout=widgets.Layout(display="none")),
            ]
        )
        self.add_class("alcf-picker")
        self._filter.observe(self._on_use, "value")
        self._search.observe(self._on_use, "value")
        self._list.observe(self._on_pick, "value")
        self._follow()
        self._redraw()

    def __repr__(self) -> str:
        return f"<model picker: {model_table.count(self._client, self._shown)}>"

    def plain(self) -> str:
        """Return the models that are shown, as a table of plain text."""
        return repr(model_table.ModelTable(self._client, self._shown))

    def shadow(self) -> str:
        """Return the models that are shown, as a table of plain HTML."""
        table = model_facts.table(self._shown[:SHADOW_ROWS], len(self._shown) - SHADOW_ROWS)
        return table + self._foot

    @property
    def _foot(self) -> str:
        return {"alcf": LINKS, "sandbox": SANDBOX}.get(self._client.profile.name, "")

    @property
    def chosen(self) -> Model | None:
        """The model that is selected in the list."""
        with self._guard:  # the list and what it stands for change together
            at = self._list.index
            return self._shown[at] if at is not None and at < len(self._shown) else None

    def close(self) -> None:
        """Take the picker away; its states are followed no longer."""
        self._look.end()
        self._wake.set()
        super().close()

    def _on_use(self, _change: object) -> None:
        self._touch()
        self._redraw()

    def _on_pick(self, _change: object) -> None:
        with self._guard:
            if not self._redrawing:  # then nobody has picked anything
                self._touch()
                self._describe()

    def _use_for_chat(self, _button: object) -> None:
        self._use("chat")

    def _use_for_embed(self, _button: object) -> None:
        self._use("embed")

    def _use(self, kind: Literal["chat", "embed"]) -> None:
        self._order(lambda model: model_orders.use(kind, model.id, self._client))

    def _warm_up(self, _button: object) -> None:
        self._order(lambda model: model_orders.warm_up(model.id, model.cluster, self._client))

    def _order(self, carry_out: Callable[[Model], str]) -> None:
        """Do something with the model that is chosen, and say what that means."""
        self._touch()
        model = self.chosen
        if model is None:
            self._say("Select a model in the list first.")
            return
        try:
            self._say(carry_out(model))
        except AlcfError as error:
            self._say(str(error))

    def _refresh(self, _button: object) -> None:
        self._touch()
        self._say("")
        self._look.now(fresh=True).add_done_callback(self._forget_news)

    def _forget_news(self, _look: object) -> None:
        self._news = None
        self._wake.set()

    def _touch(self) -> None:
        self._look.touch()
        self._follow()

    def _follow(self) -> None:
        """Show what is known anew from the background, until ten minutes after the last use."""
        with self._guard:
            if self._following is None:
                self._say("")
                self._following = threading.Thread(
                    target=self._context.copy().run,
                    args=(self._show_news,),
                    name="alcf_jupyter picker",
                    daemon=True,
                )
                self._following.start()

    def _show_news(self) -> None:
        while self._goes_on():
            self._wake.clear()
            self._look.go_on()
            before = self._news
            self._news = (self._client.known, self._client.checked_at, self._look.trouble)
            if self._news != before:
                self._redraw()
                if self._look.trouble or (before and before[2]):
                    self._say(self._look.trouble)
                self._tell()
            self._wake.wait(_TICK_SECONDS)
        self._say("The states are no longer followed; Refresh looks again.")

    def _goes_on(self) -> bool:
        with self._guard:
            if not self._look.followed:
                self._following = None
            return self._look.followed

    def _redraw(self) -> None:
        """Show the models as they are known; only what has changed is sent to the browser."""
        with self._guard:
            self._redrawing = True
            try:
                self._show_fitting()
                self._lacking = "" if self._shown else "No model fits."
            except AlcfError as error:  # the cluster that was asked for is gone
                self._lacking = str(error)
            finally:
                self._redrawing = False
            self._tell()

    def _show_fitting(self) -> None:
        word = None if self._filter.value == "All" else self._filter.value
        marked = [self.chosen, *(in_use.model(kind, self._client) for kind in ("chat", "embed"))]
        fits = select(self._client.known, state=word, cluster=self._cluster, can=self._can)
        text = self._search.value.strip()
        found = [m for m in fits if text.casefold() in model_facts.label(m).casefold()]
        labels = [model_facts.label(model) for model in found]
        offered = tuple(model_facts.name(model) for model in fits)
        if self._search.options != offered:
            self._search.options = offered
        self._shown = found
        if list(self._list.options) != labels:
            self._list.options = labels
            places = [i for one in marked if one for i, m in enumerate(found) if _same(m, one)]
            self._list.index = places[0] if places else (0 if found else None)
        self._describe()

    def _describe(self) -> None:
        model = self.chosen
        clusters = {cluster.name: cluster for cluster in self._client.known.clusters}
        cluster = clusters.get(model.cluster) if model else None
        text = ""
        if model is not None:
            text = model_facts.details(model, cluster)
            text += self._foot
        if self._details.value != text:
            self._details.value = text
        self._chat.disabled = model is None or model.can_chat is False
        self._embed.disabled = model is None or model.can_embed is False
        self._warm.disabled = model is None or not model_facts.starts(model, cluster)

    def _say(self, words: str) -> None:
        self._message = words
        self._tell()

    def _tell(self) -> None:
        """Show when the states were last looked at, what is lacking, and what was last said."""
        with self._guard:
            at = self._client.checked_at
            clock = time.strftime("%H:%M:%S", time.localtime(at)) if at else ""
            checked = f"Last checked {clock}." if clock else ""
            words = [part for part in (self._lacking, self._message) if part]
            self._told.say("\n".join(words), checked)


def picker(client: Client, **shown: Any) -> ModelPicker:
    """Return a picker whose buttons work while a cell runs, too; as `ModelPicker`."""
    return at_once().run(ModelPicker, client, **shown)


def _row(*parts: Any) -> Any:
    return widgets.HBox(parts, layout=widgets.Layout(flex_flow="row wrap"))


def _half(least: str, most: str) -> Any:
    return widgets.Layout(
        flex=f"1 1 {least}", width="auto", min_width="0", max_width=most, margin="2px 1em 2px 2px"
    )


def _button(label: str, hint: str, act: Callable[[object], None]) -> Any:
    button = widgets.Button(
        description=label,
        tooltip=hint,
        layout=widgets.Layout(width="auto", min_width="9em", flex="0 0 auto"),
    )
    button.on_click(act)
    return button


def _same(one: Model, other: Model) -> bool:
    return (one.id, one.cluster) == (other.id, other.cluster)
