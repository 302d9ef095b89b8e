"""The newest batches and how far each is, at a glance: nothing is submitted, nothing written to."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.batch import files as batch_files
from alcf_jupyter.frames.batch import manifest as batch_manifest
from alcf_jupyter.frames.batch import metrics, places
from alcf_jupyter.frames.batch.progress import Progress, read_batch_progress

if TYPE_CHECKING:
    from alcf_jupyter.connection.client import Client
    from alcf_jupyter.frames.batch.manifest import Manifest
    from alcf_jupyter.frames.batch.metrics import Known
    from alcf_jupyter.service.batches import Listed


def newest(talk: Client, most: int) -> list[tuple[Known, Progress]]:
    """Return the newest batches of this account, each with how far it is.

    Parameters
    ----------
    talk
        The service. It is asked for the list, and once for what each batch did.
    most
        How many.

    Raises
    ------
    AlcfError
        The list could not be had.
    """
    listed = metrics.listing(talk)
    if listed is None:
        raise UsageError(
            "The service cannot list your batches: the model of one was withdrawn.",
            do="See the ones this machine knows:  %alcf batches",
        )
    order = sorted(listed, key=lambda one: (one.created or 0.0, one.id), reverse=True)
    return [(one, _progress(one, talk)) for one in metrics.known(order[:most], talk)]


def _progress(one: Known, talk: Client) -> Progress:
    """Return how far a batch is; while it runs its files tell, where they can be read here."""
    if one.tasks:
        lines = sum(task.lines or 0 for task in one.tasks)
        failed = sum(task.failed or 0 for task in one.tasks)
        return Progress(lines, lines, lines - failed, done=True)
    with contextlib.suppress(UsageError):  # a file is half written, or not to be read
        manifest = _manifest(one.batch, talk)
        if manifest is not None:
            return _written(manifest, one.batch.id, talk)
    return Progress()


def _written(manifest: Manifest, batch_id: str, talk: Client) -> Progress:
    part = next((part for part in manifest.parts if part.batch_id == batch_id), None)
    if part is None:
        return Progress()
    files = batch_files.written(manifest, part, talk.profile, batch_files.PROGRESS)
    told = read_batch_progress(files[-1]) if files else Progress()
    return replace(told, total=part.lines or None)


def _manifest(batch: Listed, talk: Client) -> Manifest | None:
    """Return the manifest of a batch: this machine knows it, or it lies beside the input."""
    path = batch_manifest.pointed(batch.id)
    if path is None and batch.input_file:
        local = places.local_of(batch.input_file, talk.profile)
        name = batch_manifest.stem_of(batch.input_file)
        path = batch_manifest.path_of(local.parent, name) if local else None
    return batch_manifest.read(path) if path else None
