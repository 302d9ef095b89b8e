"""Batches: find one again, list them all; submitting one is here, too, by its name."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from alcf_jupyter.connection.session import client
from alcf_jupyter.errors import AlcfError, UsageError
from alcf_jupyter.frames.batch import manifest, places
from alcf_jupyter.frames.batch import metrics as batch_metrics
from alcf_jupyter.frames.batch.campaign import Batch
from alcf_jupyter.frames.batch.manifest import Manifest, Part
from alcf_jupyter.frames.batch.metrics import Known
from alcf_jupyter.frames.batch.submission import WAITING
from alcf_jupyter.frames.batch.submit import submit_batch
from alcf_jupyter.names import nearest
from alcf_jupyter.plain import brief
from alcf_jupyter.service.batches import STATUSES, Listed, check_id, is_id
from alcf_jupyter.typed import typed
from alcf_jupyter.user_warning import warn

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from alcf_jupyter.connection.client import Client

_IN_OTHER_WORDS = {
    **dict.fromkeys(("done", "finished", "ended", "ok", "success", "succeeded"), "completed"),
    **dict.fromkeys(("error", "errors", "cancelled"), "failed"),
    **dict.fromkeys(("active", "started", "in_progress"), "running"),
    "queued": "pending",
}
"""What other services call a batch's status."""

__all__ = ["Batch", "batch", "batches", "submit_batch"]

latest: dict[str, str] = {}
"""The ids that were listed last, each with how its batch was."""


def batch(batch_id: str) -> Batch:
    """Return a batch that was submitted before, here or elsewhere.

    Parameters
    ----------
    batch_id
        Its id; or the name of a campaign, or the path of its manifest or input file.

    Returns
    -------
    Batch
        With its index and prompt where the manifest beside its input can be found; without it
        the results come by their custom ids, or are joined to a table: ``b.results(df)``.

    Raises
    ------
    UsageError
        This is no id, and no campaign that this machine knows; or it is one of another service
        than you are connected to.
    RestrictedError
        It is somebody else's; the message names what reads its results.
    RefusedError
        There is no such batch.
    """
    talk = client()
    given = os.fspath(batch_id).strip() if isinstance(batch_id, (str, os.PathLike)) else batch_id
    if not isinstance(given, str) or not is_id(given):
        found = _named(given) if isinstance(given, str) else None
        if found is not None:
            return Batch(*found, talk)
    wanted = check_id(given)
    pointed = manifest.pointed(wanted)
    if pointed is not None:
        there = manifest.read(pointed)
        if there is not None:
            return _seen(Batch(there, pointed.parent, talk))
    status = talk.batch_status(wanted)
    listed = next(
        (one for one in batch_metrics.listing(talk) or [] if one.id == wanted),
        Listed(wanted, status),
    )
    return _seen(_from_list(listed, talk))


def _seen(made: Batch) -> Batch:
    made.refresh()
    return made


def _named(given: str) -> tuple[Manifest, Path] | None:
    """Return the campaign of a name or a path."""
    path = Path(given).expanduser()
    name = manifest.stem_of(path.name.removesuffix(manifest.SUFFIX))
    folders = [path.parent] if path.parent != Path() else [Path.cwd()]
    profile = client().profile
    if profile.mount and given.startswith("/"):
        local = places.local_of(given, profile)
        folders += [local.parent] if local else []
    known = manifest.pointed(name)
    folders += [known.parent] if known else []
    for folder in dict.fromkeys(folders):
        found = manifest.read(manifest.path_of(folder, name))
        if found is not None:
            return found, folder
    return None


def _from_list(listed: Listed, talk: Client) -> Batch:
    """Return a batch from what the service says; its manifest may lie beside the input."""
    path = PurePosixPath(listed.input_file)
    if listed.input_file:
        local = places.local_of(listed.input_file, talk.profile)
        name = manifest.stem_of(path.name)
        there = None
        if local is not None:
            there = manifest.read(manifest.path_of(local.parent, name))
        # another service may have been given the same file
        if local is not None and there is not None and there.service == talk.profile.name:
            return Batch(there, local.parent, talk)
    part = Part(
        brief(path.name) or listed.id,
        0,
        "",
        0.0,
        listed.id,
        listed.status,
        "",
        listed.created or 0.0,
        listed.ended or 0.0,
    )
    model, cluster = listed.model, listed.cluster
    folder = str(path.parent) if listed.input_file else ""
    return Batch(
        Manifest(listed.id, "", model, cluster, talk.profile.name, folder, "", [part]), None, talk
    )


def batches(status: str | None = None, *, metrics: bool = True) -> pd.DataFrame:
    """Return your batches, the newest first.

    Parameters
    ----------
    status
        ``"waiting"``, ``"pending"``, ``"running"``, ``"completed"`` or ``"failed"``; all by
        default.
    metrics
        Ask what completed ones did, once for each; False for the list alone.

    Returns
    -------
    pandas.DataFrame
        As `batch_metrics` does. What is not submitted yet, since the quota is reached, has the
        status ``"waiting"`` and in place of an id its name, which `batch` takes as well.

    Raises
    ------
    UsageError
        There is no such status.
    SignInError, NoConnectionError, ServiceError
        The list could not be had.
    """
    statuses = (WAITING, *STATUSES)
    if status is not None and status not in statuses:
        meant = _IN_OTHER_WORDS.get(str(status).casefold()) or next(
            iter(nearest(str(status), statuses, 1)), ""
        )
        raise UsageError(
            f"There is no status {brief(status, 40)!r}.",
            why=f"There are: {', '.join(statuses)}.",
            do=f"Did you mean:  {typed(status=meant)}" if meant else "See them all:  %alcf batches",
        )
    talk = client()
    found = _waiting(talk) if status in (None, WAITING) else []
    if status != WAITING:
        listed = _listed(talk, status)
        found += batch_metrics.known(listed, talk) if metrics else [Known(one) for one in listed]
    order = sorted(found, key=lambda one: (one.batch.created or 0.0, one.batch.id), reverse=True)
    global latest  # noqa: PLW0603 - read by other threads, so not changed in place
    latest = {one.batch.id: f"{one.batch.status} on {one.batch.cluster}" for one in order}
    return batch_metrics.table(order)


def _listed(talk: Client, status: str | None) -> list[Listed]:
    listed = batch_metrics.listing(talk, status)
    if listed is None:
        listed = [one for one in _remembered(talk) if status in (None, one.status)]
        warn(
            "The service cannot list your batches: the model of one was withdrawn. These are the "
            "ones that this machine knows."
        )
    return listed


def _manifests(talk: Client) -> Iterator[Manifest]:
    """Yield the manifests of this service that this machine knows and can read."""
    for path in manifest.all_pointed():
        with contextlib.suppress(UsageError):
            there = manifest.read(path)
            if there is not None and there.service == talk.profile.name:
                yield there


def _waiting(talk: Client) -> list[Known]:
    """Return the campaigns of which nothing is submitted yet, since the quota is reached."""
    found = []
    for there in _manifests(talk):
        first = there.parts[0]
        if first.status == WAITING:
            input_file = f"{there.folder}/{first.name}"
            told = Listed(
                there.name, WAITING, there.cluster, "", there.model, input_file, there.created
            )
            found.append(Known(told, reason=first.reason))
    return found


def _remembered(talk: Client) -> list[Listed]:
    """Return the batches whose manifests this machine knows, with their status asked for."""
    found = {}
    for there in _manifests(talk):
        for part in there.parts:
            if part.batch_id:
                status = part.status
                with contextlib.suppress(AlcfError):  # the one whose model is gone cannot be asked
                    status = talk.batch_status(part.batch_id)
                found[part.batch_id] = Listed(
                    part.batch_id,
                    status,
                    there.cluster,
                    "",
                    there.model,
                    f"{there.folder}/{part.name}",
                    part.created or None,
                    part.ended or None,
                )
    return list(found.values())
