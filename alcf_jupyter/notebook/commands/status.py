"""%alcf status: what you are connected to, as whom, how it is, and what you have used of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from alcf_jupyter.errors import AlcfError, NotSignedInError, UsageError
from alcf_jupyter.plain import brief
from alcf_jupyter.service import limits

if TYPE_CHECKING:
    from alcf_jupyter.connection.client import Client
    from alcf_jupyter.service.catalog import Catalog

WEB_INTERFACE = "https://inference.alcf.anl.gov"
STATUS_PAGE = "https://metis.alcf.anl.gov/status"


def status(line: str) -> str:
    """See the service, who you are and the models: ``%alcf status``."""
    from alcf_jupyter.connection import session
    from alcf_jupyter.connection.profiles import place

    if line:
        raise UsageError("%alcf status takes no options.", do="Type:  %alcf status")
    client = session.client()
    rows = [("Service", str(client.profile))]
    if client.profile.name in ("alcf", "gateway", "metis"):
        rows.append(("Address", client.url))
    proxy = client.profile.proxy_now()
    rows.append(("Proxy", place(proxy) if proxy else "none"))
    if client.profile.is_gateway:
        rows.append(("Signed in", _who(client)))
    rows += defaults()
    rows += _clusters(client)
    rows += _limits(client)
    if client.profile.name == "alcf":
        rows += [("Look at", WEB_INTERFACE), ("", STATUS_PAGE)]
    return lines(rows)


def lines(rows: list[tuple[str, str]]) -> str:
    """Return names and what they stand for, in two columns."""
    return "\n".join(f"{name:<11}{text}" for name, text in rows)


def defaults() -> list[tuple[str, str]]:
    """Return the models in use where none is named."""
    from alcf_jupyter.connection import session

    now = session.defaults()
    return [
        ("Chat", now["chat"] or "no model chosen"),
        ("Embed", now["embed"] or "no model chosen"),
    ]


def _who(client: Client) -> str:
    try:
        told = client.whoami(timeout="10s")
    except NotSignedInError:
        return "no; type:  %alcf login"
    except AlcfError as error:
        return error.what
    name, user = (brief(told.get(key) or "?", 60) for key in ("name", "username"))
    return f"{name} ({user}), by {client.signed_in_by}"


def _clusters(client: Client) -> list[tuple[str, str]]:
    try:
        known = client.models(timeout="20s")
    except NotSignedInError:
        return [("Models", "shown after signing in")]
    except AlcfError as error:
        return [("Models", error.what), ("", error.do)]
    if not client.profile.is_gateway:
        return [("Models", f"{len(known.models)}, of unknown state")]
    rows = [(brief(c.name, 10), _cluster(known, c.name, up=c.up)) for c in known.clusters]
    return rows + [("Note", brief(warning, 120)) for warning in known.warnings]


def _cluster(known: Catalog, name: str, *, up: bool | None) -> str:
    if up is False:
        return "under maintenance"
    states = Counter(model.state for model in known.models if model.cluster == name)
    counts = ", ".join(f"{states[state]} {state}" for state in sorted(states, key=str))
    return counts or "no models"


def _limits(client: Client) -> list[tuple[str, str]]:
    """Say what the service takes, beside what this kernel has used in the last minute."""
    if not client.profile.is_gateway:
        return []
    answers, tokens = client.meter.lately()
    budget = f"{limits.TOKENS_PER_MINUTE_USER:,} tokens a minute unless ALCF has set another limit"
    return [
        ("Limits", "10 requests a second; this kernel keeps below it by itself"),
        ("", f"{budget}; {answers:,} answers took {tokens:,} in the last one"),
        ("", f"{limits.MAX_BODY_BYTES:,} bytes and {limits.MAX_INPUTS:,} texts in one request"),
    ]
