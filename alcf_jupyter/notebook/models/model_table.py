"""Models as a table where nothing can be clicked: in a terminal, in a notebook nobody watches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alcf_jupyter.notebook.models import model_facts
from alcf_jupyter.plain import brief, counted
from alcf_jupyter.service.catalog import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alcf_jupyter.connection.client import Client
    from alcf_jupyter.service.catalog import Model

WIDTH: Final = 80
"""What a line has room for where nobody tells."""

_LEAST: Final = 12
"""Of what the queue says, so much at least is shown, or nothing."""

_HEAD: Final = ("Model", "Cluster", "State", "Queue")
_GAP: Final = "  "


class ModelTable:
    """Models with their states, to read.

    Parameters
    ----------
    client
        The service they are of.
    models
        What is shown.
    width
        How many characters a line has room for. A name is never cut; what the queue says is.
    """

    def __init__(self, client: Client, models: Sequence[Model], width: int = WIDTH) -> None:
        self._client = client
        self._models = models
        self._width = width

    def __repr__(self) -> str:
        return "\n".join([*lines(self._models, self._width), count(self._client, self._models)])

    def _repr_html_(self) -> str:
        return f"{model_facts.table(self._models)}<p>{count(self._client, self._models)}</p>"


def lines(models: Sequence[Model], width: int = WIDTH) -> list[str]:
    """Return models as the lines of a table; the names are whole, the rest is what has room."""
    rows = [
        (brief(m.id), brief(m.cluster, 30), str(m.state), model_facts.queue_note(m)) for m in models
    ]
    if not rows:
        return []
    widths = [max(len(row[at]) for row in (_HEAD, *rows)) for at in range(3)]
    room = width - sum(widths) - len(_GAP) * len(widths)
    noted = room >= _LEAST and any(note for *_, note in rows)
    return [_line(row, widths, room if noted else 0) for row in (_HEAD, *rows)]


def _line(row: tuple[str, str, str, str], widths: list[int], room: int) -> str:
    words = [f"{word:<{width}}" for word, width in zip(row, widths, strict=False)]
    return _GAP.join([*words, brief(row[3], room) if room else ""]).rstrip()


def count(client: Client, models: Sequence[Model]) -> str:
    """Say how many models are shown, of how many, how many of all are Live, and whose they are."""
    known = client.known.models
    live = sum(model.state is State.LIVE for model in known)
    where = " in the local sandbox" if client.profile.name == "sandbox" else ""
    told = f"{counted(len(known), 'model')}{where}"
    if len(models) < len(known):
        return f"{len(models)} of {told}; {live} of the {len(known)} are Live"
    return f"{told}, {live} Live"
