"""The files that a batch leaves behind: found on this machine, and never outside its own folder."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.batch import places
from alcf_jupyter.plain import brief
from alcf_jupyter.service.batches import results_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alcf_jupyter.connection.profiles import Profile
    from alcf_jupyter.frames.batch.manifest import Manifest, Part
    from alcf_jupyter.service.batches import Summary

RESULTS = ".results.jsonl"
PROGRESS = ".progress.json"


def _own_folder(manifest: Manifest, part: Part) -> str:
    """Return the folder on the cluster that a part's batch writes into, ``""`` if not known."""
    if not (manifest.output_folder and part.batch_id and manifest.model):
        return ""
    return results_folder(manifest.output_folder, part.name, manifest.model, part.batch_id)


def written(manifest: Manifest, part: Part, profile: Profile, suffix: str) -> list[Path]:
    """Return the files of a part's batch that are on this machine, the oldest first."""
    remote = _own_folder(manifest, part)
    local = places.local_of(remote, profile) if remote else None
    if local is None:
        return []
    try:
        return sorted(one for one in local.iterdir() if one.name.endswith(suffix))
    except OSError:
        return []


def results(
    manifest: Manifest,
    part: Part,
    tasks: Sequence[Summary],
    profile: Profile,
    beside: Path | None,
) -> list[Path]:
    """Return the results files that the service names, where they are on this machine.

    Parameters
    ----------
    manifest, part
        The batch.
    tasks
        What the service says of it.
    profile
        The service.
    beside
        Where copies may lie, if the cluster's file system is not here.

    Raises
    ------
    UsageError
        One is outside the batch's own folder, or is not here; the message has the line that gets
        it.
    """
    found = []
    for name in dict.fromkeys(task.results_file for task in tasks):
        if not _is_own(name, manifest, part):
            raise UsageError(
                f"The service names a results file outside the batch's own folder: {_shown(name)}",
                why="It is not read for that reason.",
                do="If you trust it:  alcf.read_batch_results('….results.jsonl')",
            )
        local = places.local_of(name, profile)
        copy = (beside or Path.cwd()) / PurePosixPath(name).name
        if local is None and not copy.exists():
            raise UsageError(
                f"The results are on the cluster: {_shown(name)}",
                why="Its file system is not on this machine.",
                do=f"Copy them here, then try again:  !{_transfer(copy, name, manifest)}",
            )
        path = copy if local is None else local
        if not path.exists():
            raise UsageError(
                f"The results of batch {part.batch_id} are not where the service says.",
                why=_shown(name),
                do="They may have been moved or deleted; if you have them elsewhere:  "
                "alcf.read_batch_results('….results.jsonl')",
            )
        found.append(path)
    return found


def _is_own(name: str, manifest: Manifest, part: Part) -> bool:
    """Tell whether a path is one that this batch would write."""
    path = PurePosixPath(name)
    own = path.name.endswith(RESULTS) and path.parent.name.endswith(f"_{part.batch_id}")
    chosen = manifest.output_folder
    return own and path.is_absolute() and places.inside(name, chosen or "/")


def _transfer(copy: Path, name: str, manifest: Manifest) -> str:
    return places.transfer(copy, name, manifest.cluster, back=True)


def _shown(name: str) -> str:
    return brief(name, 300) or "(none)"
