"""What is done when somebody clicks in the panel; nothing here waits for the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alcf_jupyter.connection import session
from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames import live_runs
from alcf_jupyter.notebook.panel import parts
from alcf_jupyter.notebook.text import one_line
from alcf_jupyter.service.limits import COLD_START_MINUTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from alcf_jupyter.connection.client import Client


def use(order: dict[str, Any], client: Client) -> str:
    """Make a model the default of the notebook, or none; return what to type for the same.

    Raises
    ------
    UsageError
        The service shows no such model.
    """
    kind, name = order["kind"], order["model"]
    cells = "Chat cells" if kind == "chat" else "Embed cells"
    if name is None:
        setattr(session.current(), kind, None)
        return f"{cells} use no model unless one is named."
    if name not in {model.id for model in client.known.models}:
        raise UsageError(
            f"There is no model {one_line(name)} here any more.", do="See them all:  %alcf models"
        )
    setattr(session.current(), kind, name)
    flag = "" if kind == "chat" else "--embed "
    return f"{cells} now use it. For your colleagues, in a cell:  %alcf use {flag}{one_line(name)}"


def warm(order: dict[str, Any], client: Client) -> str:
    """Ask the service to start a model; return what that means.

    Raises
    ------
    UsageError
        There is no such model, or a request would not start it.
    """
    clusters = {one.name: one for one in client.known.clusters}
    wanted = (order["model"], order["cluster"])
    model = next((one for one in client.known.models if (one.id, one.cluster) == wanted), None)
    if model is None or not parts.starts(model, clusters.get(model.cluster)):
        raise UsageError(
            f"A request does not start {one_line(order['model'])} now.",
            why=f"It is {model.state}." if model else "The service does not show it any more.",
            do="See them all:  %alcf models",
        )
    first, last = COLD_START_MINUTES
    if client.warm_up(model):
        return f"Asked to start; that takes {first} to {last} minutes once it has a node."
    return "It was asked to start less than ten minutes ago."


def steer(order: dict[str, Any], _client: Client) -> str:
    """Pause, resume or stop a run.

    Raises
    ------
    UsageError
        It has ended, or is not held any more.
    """
    run = live_runs.known().get(order["run"])
    if run is None or not run.running:
        raise UsageError("This run has ended.", do="See what is recorded:  %alcf runs")
    getattr(run, order["action"])()
    said = {"pause": "Paused: what is under way still comes in.", "resume": "It goes on."}
    return said.get(order["action"], "Stopped: what is finished is kept.")


ORDERS: dict[str, Callable[[dict[str, Any], Client], str]] = {
    "use": use,
    "warm": warm,
    "steer": steer,
}
