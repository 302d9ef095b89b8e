"""A manifest that several kernels write: in turn, and nothing that one of them learned is lost."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from alcf_jupyter.connection.sign_in import lockfile
from alcf_jupyter.frames.batch import manifest as batch_manifest
from alcf_jupyter.service.batches import ENDED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from alcf_jupyter.frames.batch.manifest import Manifest, Part


@contextlib.contextmanager
def held(manifest: Manifest, folder: Path) -> Iterator[None]:
    """Keep others from writing a manifest, which knows all that they wrote until then.

    Parameters
    ----------
    manifest
        Brought up to date.
    folder
        Where it is kept.

    Raises
    ------
    UsageError
        What is kept there cannot be read.
    """
    with lockfile.held(folder / f".{manifest.name}.lock"):
        catch_up(manifest, folder)
        yield


def save(manifest: Manifest, folder: Path) -> None:
    """Write a manifest, and in it what others wrote meanwhile.

    Raises
    ------
    UsageError
        It cannot be written.
    """
    with held(manifest, folder):
        batch_manifest.write(manifest, folder)


def catch_up(manifest: Manifest, folder: Path) -> None:
    """Take over what others wrote; what is known here already is never taken back."""
    there = batch_manifest.read(batch_manifest.path_of(folder, manifest.name))
    if there is None:
        return
    manifest.transferred |= there.transferred
    manifest.retries = list(dict.fromkeys([*there.retries, *manifest.retries]))
    for part, other in zip(manifest.parts, there.parts, strict=False):
        if other.name == part.name:
            _follow(part, other)


def _follow(part: Part, other: Part) -> None:
    if not other.batch_id:
        if not part.batch_id:
            # sent by a kernel that died since, maybe: the list of batches has to tell
            part.attempted = max(part.attempted, other.attempted)
        return
    is_end = part.batch_id == other.batch_id and other.status in ENDED
    if not part.batch_id or (is_end and part.status not in ENDED):
        part.batch_id, part.status, part.attempted = other.batch_id, other.status, 0.0
        part.reason, part.created, part.ended = other.reason, other.created, other.ended
