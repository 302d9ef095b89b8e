"""The models that are proposed to somebody who needs one: those that serve what is asked."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from alcf_jupyter.service.catalog import READINESS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alcf_jupyter.service.catalog import Catalog, Model

_NOT_FOR_USE: Final = re.compile(r"\b(fails?|for tests?|on purpose|deprecated)\b", re.IGNORECASE)
"""What a description says of a model that is not to be proposed."""

_INSTRUCT: Final = re.compile(r"instruct|chat|-it\b|gpt-oss", re.IGNORECASE)
"""What models that follow instructions are called: for ordering, never a rule."""


def proposals(
    known: Catalog,
    *,
    embedding: bool = False,
    favoured: Sequence[str] = (),
    near: str = "",
    most: int = 3,
) -> list[Model]:
    """Return up to `most` models to propose, the one most likely wanted first.

    Live ones come first; among those what was chosen, what has answered before, then one of each
    cluster rather than several of one. Models that follow instructions and those that take the
    longest texts are each cluster's first. What is known to be unable, or says of itself that it
    fails, is left out.

    Parameters
    ----------
    known
        Every model.
    embedding
        Whether it is to embed, and not to chat.
    favoured
        Names that are preferred, the most preferred first.
    near
        The cluster that is preferred.
    most
        How many to return.
    """
    able = [model for model in known.models if _able(model, embedding) is not False]
    useful = [model for model in able if not _NOT_FOR_USE.search(model.description)] or able
    kind = [model for model in useful if _is_of_kind(model, embedding)]
    liked = {name: at for at, name in reversed([*enumerate(favoured)])}

    def worth(model: Model) -> tuple[object, ...]:
        return (
            READINESS[model.state],
            liked.get(model.id, len(liked)),
            not _able(model, embedding),  # it has answered: nobody tells that beforehand
            model.cluster != near,
            not embedding and not _INSTRUCT.search(model.id),
            -(model.context or 0),
            model.cluster,
            model.id,
        )

    ranked: dict[str, Model] = {}
    for model in sorted(kind or useful, key=worth):
        ranked.setdefault(model.id, model)  # of two clusters' one name, the readier
    turns: Counter[str] = Counter()
    turn: dict[str, int] = {}
    for model in ranked.values():
        turn[model.id] = turns[model.cluster]
        turns[model.cluster] += 1
    in_turn = sorted(ranked.values(), key=lambda m: (*worth(m)[:3], turn[m.id]))  # stable
    return in_turn[:most]


def _able(model: Model, embedding: bool) -> bool | None:  # noqa: FBT001 - as it is asked
    return model.can_embed if embedding else model.can_chat


def _is_of_kind(model: Model, embedding: bool) -> bool:  # noqa: FBT001 - as it is asked
    return bool(_able(model, embedding)) or model.looks_like_embedding == embedding
