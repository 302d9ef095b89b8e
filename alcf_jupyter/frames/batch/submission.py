"""From input files to batches: each is submitted once, as soon as the quota lets it.

An answer to a submission can be lost, and then nobody knows whether there is a batch. File names
hold a hash of what is in them, so the list of batches tells: a batch of this input is this one.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from alcf_jupyter.errors import (
    AlcfError,
    AnswerError,
    NoConnectionError,
    RefusedError,
    ServerFailureError,
    ServiceTimeoutError,
    UnknownModelError,
    UsageError,
)
from alcf_jupyter.frames.batch import manifest as batch_manifest
from alcf_jupyter.frames.batch import shared
from alcf_jupyter.plain import brief
from alcf_jupyter.service.batches import ENDED, POLL_SECONDS, ongoing_id
from alcf_jupyter.service.limits import JOBS_CACHE_SECONDS
from alcf_jupyter.typed import typed

if TYPE_CHECKING:
    from pathlib import Path

    from alcf_jupyter.connection.client import Client
    from alcf_jupyter.frames.batch.manifest import Manifest, Part
    from alcf_jupyter.service.batches import Listed

WAITING: Final = "waiting"
"""Of a part that is not submitted yet: the quota of active batches is reached."""

UNSEEN: Final = "transfer"
"""Of a campaign whose input is not on the cluster's file system yet."""

_UNCERTAIN: Final = (NoConnectionError, ServerFailureError, ServiceTimeoutError, AnswerError)


def pause(talk: Client, seconds: float = POLL_SECONDS) -> float:
    """Return how long to wait between two looks; of a service at another pace its own seconds.

    Parameters
    ----------
    talk
        The service.
    seconds
        For how long ALCF's tells nothing new.
    """
    return talk.profile.poll_seconds * seconds / JOBS_CACHE_SECONDS


def advance(manifest: Manifest, folder: Path, talk: Client) -> None:
    """Look how the batches are, and submit what the quota lets through.

    Parameters
    ----------
    manifest
        Brought up to date, and written where anything changed.
    folder
        Where it is kept.
    talk
        The service.

    Raises
    ------
    AlcfError
        A look failed, or a submission was refused for another reason than the quota.
    """
    before = batch_manifest.state_of(manifest)
    try:
        listed = _listed(talk)
        for part in manifest.parts:
            _look(part, _input(manifest, part), listed, talk)
        if manifest.transferred:
            _submit_all(manifest, folder, talk, listed)
    finally:
        if batch_manifest.state_of(manifest) != before:
            shared.save(manifest, folder)


def _listed(talk: Client) -> list[Listed] | None:
    """Return the list, None where it cannot be had; asking also makes the service look itself."""
    try:
        return talk.list_batches()
    except UnknownModelError:
        # one batch whose model was withdrawn makes the gateway refuse the whole list
        return None


def _look(part: Part, input_file: str, listed: list[Listed] | None, talk: Client) -> None:
    """Bring a part up to date."""
    if part.status in ENDED:
        return
    found = _of(input_file, part, listed)
    if found is not None:
        _take(part, found)
    elif part.batch_id:
        part.status = talk.batch_status(part.batch_id)
        if part.status in ENDED:
            part.ended = batch_manifest.now()
    if part.status == "failed" and not part.reason:
        part.reason = reason_of(part.batch_id, talk)


def reason_of(batch_id: str, talk: Client) -> str:
    """Return why a batch failed, as its log ends."""
    try:
        talk.batch_result(batch_id)
    except RefusedError as error:
        return error.why or error.what
    except AlcfError:
        return ""
    return ""


def _of(input_file: str, part: Part, listed: list[Listed] | None) -> Listed | None:
    """Return the batch of an input file; of several the newest."""
    own = [one for one in listed or [] if one.id == part.batch_id]
    if own or part.batch_id:
        return own[0] if own else None
    same = [one for one in listed or [] if one.input_file == input_file]
    return max(same, key=lambda one: one.created or 0.0, default=None)


def _take(part: Part, found: Listed) -> None:
    part.batch_id, part.status, part.attempted = found.id, found.status, 0.0
    part.reason = ""  # of the quota that it waited for
    part.created = found.created or part.created
    if found.status in ENDED:
        part.ended = found.ended or batch_manifest.now()


def _submit_all(
    manifest: Manifest, folder: Path, talk: Client, listed: list[Listed] | None
) -> None:
    left = [part for part in manifest.parts if not part.batch_id]
    if not left:
        return
    with shared.held(manifest, folder):
        for part in left:
            if part.batch_id:
                continue
            if part.attempted and not _settled(part, manifest, talk, listed):
                continue
            if not _submit(part, manifest, folder, talk):
                for other in left:
                    other.status = other.status or WAITING
                break


def _settled(part: Part, manifest: Manifest, talk: Client, listed: list[Listed] | None) -> bool:
    """Tell whether an earlier submission, whose answer was lost, came to nothing for sure."""
    wait = part.attempted + pause(talk) - time.time()
    if 0 < wait <= pause(talk):  # the gateway may still be at it
        time.sleep(wait)
        listed = _listed(talk)
    if listed is None:
        raise UsageError(
            f"It cannot be told whether {part.name} was submitted: the list of batches fails.",
            why="The answer to its submission was lost. Sending it again could run it twice.",
            do=f"Try again later, or to mean it:  add {typed(fresh=True)}",
        )
    found = _of(_input(manifest, part), part, listed)
    if found is not None:
        _take(part, found)
    return found is None


def _submit(part: Part, manifest: Manifest, folder: Path, talk: Client) -> bool:
    """Submit a part; False where the quota is reached."""
    model = talk.batch_model(manifest.model, manifest.cluster)
    part.attempted = batch_manifest.now()
    batch_manifest.write(manifest, folder)
    try:
        part.batch_id = talk.create_batch(model, _input(manifest, part), manifest.output_folder)
    except _UNCERTAIN as error:
        found = _found_again(part, manifest, talk)
        if found is None:
            raise _lost(part, error) from None
        _take(part, found)
        return True
    except AlcfError as error:
        part.attempted = 0.0
        batch_manifest.write(manifest, folder)
        if isinstance(error, RefusedError) and error.code == "quota_exceeded":
            part.status = WAITING
            part.reason = brief(error.what.partition(": ")[2] or error.what)
            return False
        if not (isinstance(error, RefusedError) and error.code == "batch_ongoing"):
            raise
        part.batch_id = ongoing_id(error.what)
        if not part.batch_id:
            raise
    part.status, part.attempted, part.reason = "pending", 0.0, ""
    part.created = part.created or batch_manifest.now()
    batch_manifest.write(manifest, folder)
    return True


def _found_again(part: Part, manifest: Manifest, talk: Client) -> Listed | None:
    try:
        return _of(_input(manifest, part), part, _listed(talk))
    except AlcfError:
        return None


def _lost(part: Part, error: AlcfError) -> AlcfError:
    lost = type(error)(
        f"The answer to the submission of {part.name} was lost: {error.what}",
        why=error.why,
        do="Run the cell again: it looks whether there is a batch, and submits none twice.",
    )
    lost.__cause__ = None
    return lost


def _input(manifest: Manifest, part: Part) -> str:
    return f"{manifest.folder.rstrip('/')}/{part.name}"
