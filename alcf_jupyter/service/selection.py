"""The models that fit: by state, cluster, what they can do, and a part of their name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alcf_jupyter.errors import UsageError
from alcf_jupyter.names import nearest
from alcf_jupyter.service.catalog import READINESS, State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alcf_jupyter.service.catalog import Catalog, Model

SKILLS = {
    "chat": "can_chat",
    "embed": "can_embed",
    "batch": "can_batch",
    "see": "can_see",
    "tools": "can_call_tools",
    "reason": "can_reason",
}
"""What a model can do, and the attribute that tells."""


def select(
    known: Catalog,
    *,
    state: str | None = None,
    cluster: str | None = None,
    can: str | None = None,
    text: str = "",
) -> list[Model]:
    """Return the models that fit, the most ready first.

    Parameters
    ----------
    known
        Every model.
    state
        A state's word, in any case.
    cluster
        A cluster's name.
    can
        A key of `SKILLS`; a model fits unless it is known to be unable.
    text
        Looked for in the names of model and cluster, in any case.

    Raises
    ------
    UsageError
        There is no such state, cluster or skill; the message names the nearest.
    """
    _check(state, [str(s) for s in State], "state")
    _check(can, SKILLS, "can")
    where = known.cluster(cluster).name if cluster else None
    found = [
        model
        for model in known.models
        if where in (None, model.cluster)
        and (state is None or model.state.casefold() == state.casefold())
        and (can is None or getattr(model, SKILLS[can.casefold()]) is not False)
        and text.casefold() in f"{model.id} {model.cluster}".casefold()
    ]
    return sorted(found, key=lambda model: (READINESS[model.state], model.cluster, model.id))


def _check(word: str | None, known: Iterable[str], name: str) -> None:
    words = list(known)
    if word is not None and str(word).casefold() not in [one.casefold() for one in words]:
        near = nearest(str(word), words)
        raise UsageError(
            f"There is no {name} {word!r}; there are {', '.join(words)}.",
            do=f"Did you mean:  {near[0]}" if near else f"Leave {name} out.",
        )
