"""The model that a notebook uses where none is named, as the service shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alcf_jupyter.connection import session
from alcf_jupyter.service.catalog import READINESS

if TYPE_CHECKING:
    from alcf_jupyter.connection.client import Client
    from alcf_jupyter.service.catalog import Model


def model_id(kind: str) -> str | None:
    """Return the id of the default for ``"chat"`` or ``"embed"``, or None; shown or not."""
    name = session.defaults()[kind]
    return session.current().aliases.get(name, name) if name else None


def model(kind: str, client: Client) -> Model | None:
    """Return this model as it was seen last, where it is readiest; None if it is not shown."""
    name = (model_id(kind) or "").casefold()
    found = [one for one in client.known.models if one.id.casefold() == name]
    return min(found, key=lambda one: READINESS[one.state], default=None)
