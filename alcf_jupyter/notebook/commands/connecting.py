"""%alcf connect: choose the service, and say what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alcf_jupyter.errors import AlcfError, UsageError
from alcf_jupyter.notebook.line import options

if TYPE_CHECKING:
    from alcf_jupyter.connection.client import Client


def connect(line: str) -> str:
    """Choose the service: ``%alcf connect [alcf | sandbox | ADDRESS | FILE]``."""
    from alcf_jupyter.connection import other_tools, session

    chosen, rest = options.connect_parser().read(line)
    words = rest.split()
    if len(words) > 1:
        raise UsageError(
            f"%alcf connect takes one service, not {len(words)}.", do="Type:  %alcf connect sandbox"
        )
    client = session.choose_service(
        words[0] if words else None, proxy=chosen.proxy, poll_seconds=chosen.poll_seconds
    )
    lines = [f"Connected to {client.profile}."]
    if says := session.overruled():
        lines.append(says)
    if says := other_tools.hint():
        lines.append(says)
    return "\n".join([*lines, _summary(client)])


def _summary(client: Client) -> str:
    """Say what there is, or why it could not be asked for: connecting itself sends nothing."""
    try:
        known = client.models(timeout="20s")
    except AlcfError as error:
        return str(error)
    if not client.profile.is_gateway:
        return f"{len(known.models)} models." if known.models else "It does not list its models."
    if not known.models:
        return f"It shows you no models. {_other_identity(client)}".strip()
    names = ", ".join(cluster.name for cluster in known.clusters)
    live = sum(model.state == "Live" for model in known.models)
    return f"{len(known.models)} models on {names}; {live} are Live."


def _other_identity(client: Client) -> str:
    """Say who one is, where there is nothing to see for that reason perhaps."""
    who = client.who()
    return f"You are signed in as {who}; another of your identities may see them." if who else ""
