"""What a run over many rows will take, before it starts: ``alcf.estimate``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alcf_jupyter.connection.call import Call
from alcf_jupyter.connection.deadline import Deadline
from alcf_jupyter.connection.session import choose, client
from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.embeddings import values_of
from alcf_jupyter.frames.launch import TIMEOUT
from alcf_jupyter.frames.prompt_column import Asking, PromptColumn
from alcf_jupyter.frames.prompts import prompts_of
from alcf_jupyter.frames.tables import as_frame
from alcf_jupyter.frames.text_column import Embedding, TextColumn

if TYPE_CHECKING:
    from alcf_jupyter.frames.cost import Estimate


def estimate(
    data: Any,
    template: str | None = None,
    *,
    model: str | None = None,
    cluster: str | None = None,
    system: str | None = None,
    max_tokens: int | None = None,
) -> Estimate:
    """Return what `map` over a table, or `embed` of a column, will take; nothing is sent.

    Parameters
    ----------
    data, template
        As for `map`; without a template, texts as for `embed`.
    model, cluster, system, max_tokens
        As for `map`.

    Returns
    -------
    Estimate
        Its text is one line.

    Raises
    ------
    UsageError, ModelNotChosenError
        As `map` and `embed` do.
    """
    if template is None and (system is not None or max_tokens is not None):
        raise UsageError(
            "Embeddings have no system prompt and no answer's length.",
            do="For prompts over rows:  alcf.estimate(df, 'Classify: {{title}}')",
        )
    talk = client()
    job: TextColumn | PromptColumn
    if template is None:
        job = TextColumn(Embedding(), *values_of(data), "", talk.profile)
    else:
        table = as_frame(data)
        settings = {} if max_tokens is None else {"max_tokens": max_tokens}
        asking = Asking(template, system, settings)
        rows = prompts_of(table, template)
        job = PromptColumn(asking, rows, table.index, "", talk.profile)
    chosen = choose(model, "embed" if template is None else "chat")
    call = Call(job.route, chosen, cluster, {}, Deadline.after(TIMEOUT))
    talk.models().find(call.model, cluster)
    return job.estimate(range(len(job.keys)), call)
