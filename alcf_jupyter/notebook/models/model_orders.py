"""What somebody who looks at the models can do with one: make it the default, or start it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from alcf_jupyter.connection import session
from alcf_jupyter.errors import UsageError
from alcf_jupyter.notebook.models import model_facts
from alcf_jupyter.plain import brief
from alcf_jupyter.service.limits import COLD_START_MINUTES

if TYPE_CHECKING:
    from alcf_jupyter.connection.client import Client


def use(kind: Literal["chat", "embed"], name: str | None, client: Client) -> str:
    """Make a model the default of the notebook, or none; as `choose`, in one text."""
    return "  ".join(filter(None, choose(kind, name, client)))


def choose(kind: Literal["chat", "embed"], name: str | None, client: Client) -> tuple[str, str]:
    """Make a model the default of the notebook, or none; return this in words, and as a line.

    Parameters
    ----------
    kind
        Of the cells that are to use it.
    name
        The model's id; None for no model.
    client
        Whose models were shown. It is not asked: this is answered at once.

    Returns
    -------
    tuple of str
        What that means, and the line to type for the same; ``""`` for none.

    Raises
    ------
    UsageError
        The service shows no such model, or the notebook has turned to another.
    """
    if client is not session.current().client:
        raise UsageError(
            "The notebook is connected to another service now.",
            do="See its models:  %alcf models",
        )
    cells = "Chat cells" if kind == "chat" else "Embed cells"
    if name is None:
        setattr(session.current(), kind, None)
        return f"{cells} use no model unless one is named.", ""
    if name not in {model.id for model in client.known.models}:
        raise UsageError(
            f"There is no model {brief(name)} here any more.", do="See them all:  %alcf models"
        )
    setattr(session.current(), kind, name)
    flag = "" if kind == "chat" else "--embed "
    said = f"{cells} now use {brief(name)}. For your colleagues, in a cell:"
    return said, f"%alcf use {flag}{brief(name)}"


def warm_up(name: str, cluster: str, client: Client) -> str:
    """Ask the service to start a model; return what that means.

    Parameters
    ----------
    name, cluster
        The model's id, and where it runs.
    client
        Whose models were shown; its answer is not waited for.

    Raises
    ------
    UsageError
        There is no such model, or a request would not start it.
    """
    clusters = {one.name: one for one in client.known.clusters}
    found = [one for one in client.known.models if (one.id, one.cluster) == (name, cluster)]
    model = found[0] if found else None
    if model is None or not model_facts.starts(model, clusters.get(model.cluster)):
        raise UsageError(
            f"A request does not start {brief(name)} now.",
            why=f"It is {model.state}." if model else "The service does not show it any more.",
            do="See them all:  %alcf models",
        )
    first, last = COLD_START_MINUTES
    if client.warm_up(model):
        return f"Asked to start; that takes {first} to {last} minutes once it has a node."
    return "It was asked to start less than ten minutes ago."
