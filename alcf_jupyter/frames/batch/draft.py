"""A table as a batch before it is written: its requests, and its manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alcf_jupyter.connection.session import choose, client
from alcf_jupyter.frames import answer_form
from alcf_jupyter.frames.batch import manifest as batch_manifest
from alcf_jupyter.frames.batch import places
from alcf_jupyter.frames.batch.manifest import Manifest
from alcf_jupyter.frames.batch.requests import KINDS, requests
from alcf_jupyter.prompt.schema import of as schema_of

if TYPE_CHECKING:
    import os

    import pandas as pd

    from alcf_jupyter.frames.batch.places import Place
    from alcf_jupyter.frames.batch.requests import Requests

_BOOKKEEPING: Final = (
    *("reasoning", "status", "reason", "finish_reason"),
    *("prompt_tokens", "completion_tokens", "total_tokens"),
)
"""The columns beside the answer."""


def draft(  # noqa: PLR0913 - all that can be said, each by its name
    table: pd.DataFrame,
    template: str | None,
    place: Place,
    output_folder: str | os.PathLike[str] | None,
    *,
    name: str,
    model: str | None,
    cluster: str | None,
    kind: str,
    system: str | None,
    schema: Any,
    prefix: str,
    params: dict[str, Any],
) -> tuple[Requests, Manifest]:
    """Return the requests of a table, and what is known of them; the parts are still missing.

    Parameters
    ----------
    table, template, output_folder, model, cluster, kind, system, schema, prefix, params
        As for `submit_batch`.
    place
        The folder for the input.
    name
        What the files begin with.

    Raises
    ------
    UsageError, TemplateError, ModelNotChosenError
        Something cannot be sent, or the service could not read or write there.
    """
    talk = client()
    form = None if schema is None else schema_of(schema)
    if form is not None:
        answer_form.check_names(form, prefix, _BOOKKEEPING)
    found = talk.batch_model(choose(model, kind if kind in KINDS else "chat"), cluster)
    asked = requests(
        table,
        template,
        kind=kind,
        model=found.id,
        system=system,
        schema=form,
        params=params,
    )
    kept = {one: value for one, value in params.items() if value is not None}
    manifest = Manifest(
        name,
        kind,
        found.id,
        found.cluster,
        talk.profile.name,
        place.remote,
        output(output_folder, place),
        [],
        len(table),
        template or "",
        system or "",
        kept if form is None else {**kept, "response_format": form.response_format},
        batch_manifest.now(),
        place.local is not None,
        schema={} if form is None else form.schema,
        prefix=prefix,
    )
    return asked, manifest


def output(given: str | os.PathLike[str] | None, place: Place) -> str:
    """Return the folder for the results, checked, and `place` for the input with it."""
    out = place if given is None else places.find(given, client().profile)
    for one in {place.remote: place, out.remote: out}.values():
        places.make_folder(one)
    places.check_readable(place)
    places.check_writable(out)
    return out.remote
