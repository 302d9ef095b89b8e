"""%alcf connect: choose the service, and say what is there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from alcf_jupyter.errors import AlcfError, UsageError
from alcf_jupyter.notebook.line import options

if TYPE_CHECKING:
    from alcf_jupyter.connection.client import Client

OF_OTHERS: Final = ("OPENAI_BASE_URL", "MODEL_NAME")
"""What other tools are told where to talk to by."""

_METIS: Final = "metis.alcf.anl.gov"


def connect(line: str) -> str:
    """Choose the service: ``%alcf connect [alcf | sandbox | ADDRESS | FILE]``."""
    from alcf_jupyter.connection import session

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
    says, meant = unused()
    if says:
        lines.append(f"{says}; to talk to that server:  {meant}")
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


def unused() -> tuple[str, str]:
    """Name the variables of other tools that people expect to count here, and what is meant.

    Returns
    -------
    tuple of str
        That they are not used, ``""`` where none is set; and the line that talks to their server.
    """
    found = [name for name in OF_OTHERS if name in os.environ]
    says = f"{' and '.join(found)} {'is' if len(found) == 1 else 'are'} not used here"
    return says if found else "", _meant(os.environ.get("OPENAI_BASE_URL", "").strip())


def _meant(address: str) -> str:
    """Return the line for an address; one with a password in it, or none, is not repeated."""
    from alcf_jupyter.connection import profiles

    try:
        profile = profiles.resolve(address if "://" in address else "")
    except UsageError:
        return "alcf.connect(ADDRESS, token=…)"
    if urlsplit(profile.url).hostname == _METIS:  # the guide copies these from the files
        return "alcf.connect('~/metis_endpoint_*.txt')"
    return f"alcf.connect({profile.url!r}{'' if profile.is_loopback else ', token=…'})"
