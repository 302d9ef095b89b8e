"""Every model and its state as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from alcf_jupyter.connection.session import client
from alcf_jupyter.service.selection import SKILLS, select

if TYPE_CHECKING:
    from alcf_jupyter.service.catalog import Model

_WORDS = (
    "model",
    "cluster",
    "state",
    "framework",
    "host",
    "walltime",
    "estimated_start",
    "comment",
)
_FLAGS = (*SKILLS.values(), "always_hot")


def models(
    state: str | None = None, cluster: str | None = None, can: str | None = None
) -> pd.DataFrame:
    """Return every model of every cluster, and its state.

    Parameters
    ----------
    state
        Only models in this state: ``"Live"``, ``"Starting"``, ``"Queued"``, ``"Offline"``, ...
    cluster
        Only models of this cluster.
    can
        Only models not known to be unable to: ``"chat"``, ``"embed"``, ``"batch"``, ``"see"``,
        ``"tools"`` or ``"reason"``.

    Returns
    -------
    pandas.DataFrame
        One row a model, the most ready first: ``model``, ``cluster``, ``state``, ``framework``,
        ``host``, ``walltime``, ``estimated_start``, ``comment``, ``context`` (tokens), and
        ``can_…`` and ``always_hot`` as nullable booleans: what the service does not tell is
        missing, until an answer or a refusal teaches it. ``attrs["alcf"]`` holds the warnings
        about what could not be read.

    Raises
    ------
    UsageError
        There is no such state, cluster or skill; the message names the nearest.
    SignInError, NoConnectionError, ServiceError
        The list could not be had.
    """
    known = client().models()
    return table(select(known, state=state, cluster=cluster, can=can), known.warnings)


def table(found: list[Model], warnings: tuple[str, ...] = ()) -> pd.DataFrame:
    """Return models as `models` does."""
    columns = {
        name: pd.array(
            [str(getattr(m, "id" if name == "model" else name)) for m in found], dtype="str"
        )
        for name in _WORDS
    }
    frame = pd.DataFrame(
        {
            **columns,
            "context": pd.array([m.context for m in found], dtype="Int64"),
            **{
                flag: pd.array([getattr(m, flag, None) for m in found], dtype="boolean")
                for flag in _FLAGS
            },
        }
    )
    frame.attrs["alcf"] = {"warnings": list(warnings)}
    return frame
