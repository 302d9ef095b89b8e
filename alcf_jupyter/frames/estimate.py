"""What a run over many rows will take, before it starts: ``alcf.estimate``."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames import column, embeddings
from alcf_jupyter.names import nearest
from alcf_jupyter.plain import brief

if TYPE_CHECKING:
    from alcf_jupyter.frames.cost import Estimate

_UNUSED = ("background", "observer", "via", "folder")
"""Options of a call that an estimate looks at in no way, or only to refuse what is none."""


def estimate(
    data: Any,
    template: str | None = None,
    *,
    model: str | None = None,
    cluster: str | None = None,
    **options: Any,
) -> Estimate:
    """Return what `map` over a table, or `embed` of a column, will take; nothing is sent.

    It takes what these take, so that a call is estimated by putting ``estimate`` in place of their
    name. Rows that are recorded already are not sent again, and do not count.

    Parameters
    ----------
    data, template
        As for `map`; without a template, texts as for `embed`.
    model, cluster
        As for `map` and `embed`.
    **options
        Whatever else the one or the other takes, such as ``system``, ``max_tokens`` or
        ``checkpoint``. What would be refused there is refused here.

    Returns
    -------
    Estimate
        Its text is one line.

    Raises
    ------
    UsageError, TemplateError, ModelNotChosenError, JournalError
        As `map` and `embed` do before anything is sent.
    """
    kept = {name: value for name, value in options.items() if name not in _UNUSED}
    if template is None:
        _check_for_embed(options)
        return embeddings.plan(data, model=model, cluster=cluster, **kept).estimate()
    if column.for_batches(**options):
        kept["fresh"] = True  # what batches have done is not in the record of a run
    return column.plan(data, template, model=model, cluster=cluster, **kept).estimate()


def _check_for_embed(options: dict[str, Any]) -> None:
    """Raise where an option is none of `embed`."""
    known = inspect.signature(embeddings.embed).parameters
    strange = next((name for name in options if name not in known), None)
    if strange is not None:
        near = nearest(strange, known)
        raise UsageError(
            f"Without a prompt this is for embeddings, which have no {brief(strange, 60)!r}.",
            do=f"Did you mean:  {'  or  '.join(f'{one}=' for one in near)}"
            if near
            else "For prompts over rows:  alcf.estimate(df, 'Classify: {{title}}')",
        )
