"""What is done when somebody clicks in the panel; nothing here waits for the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames import live_runs
from alcf_jupyter.notebook.models import model_orders

if TYPE_CHECKING:
    from alcf_jupyter.connection.client import Client


def carry_out(order: dict[str, Any], client: Client) -> tuple[str, str]:
    """Do what a message asks for; return in words what that means, and a line to type, or none.

    Parameters
    ----------
    order
        A ``use``, ``warm`` or ``steer`` of `protocol.json`.
    client
        The service that the notebook is connected to.

    Raises
    ------
    UsageError
        What it is about is not there any more, or is not as it was shown.
    """
    if order["type"] == "use":
        return model_orders.choose(order["kind"], order["model"], client)
    if order["type"] == "warm":
        return model_orders.warm_up(order["model"], order["cluster"], client), ""
    return _steer(order["run"], order["action"])


def _steer(key: str, action: str) -> tuple[str, str]:
    if action == "hide":
        if not live_runs.hide(key):
            raise UsageError("This run goes on.", do="Press Stop first.")
        return "Hidden here; what it recorded stays:", "%alcf runs"
    run = live_runs.known().get(key)
    if run is None or not run.running:
        raise UsageError("This run has ended.", do="See what is recorded:  %alcf runs")
    getattr(run, action)()
    said = {"pause": "Paused: what is under way still comes in.", "resume": "It goes on."}
    return said.get(action, "Stopped: what is finished is kept."), ""
