"""A batch's files, reached only under the folder that this run was given."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any


class OutsideError(Exception):
    """A path that this run may not touch."""


def local(path: str, root: str | None) -> Path:
    """Return where a path of the cluster's file system lies on this machine.

    ``/eagle/project/in.jsonl`` is ``ROOT/eagle/project/in.jsonl``; a path that lies under the
    root already is taken as it is.

    Raises
    ------
    OutsideError
        Without a root, and for a path that leads out of it.
    """
    if root is None:
        raise OutsideError("this sandbox was started without --batch-root")
    base = Path(root).resolve()
    given = Path(path)
    inside = given.is_absolute() and given.resolve().is_relative_to(base)
    place = (given if inside else base / PurePosixPath(path).relative_to("/")).resolve()
    if not place.is_relative_to(base):
        raise OutsideError(f"{path} leads out of the folder for batches")
    return place


class BatchFiles:
    """The results and the progress of one batch.

    Parameters
    ----------
    folder : str
        The cluster's path of the folder that the user chose.
    input_file, model, batch_id, stamp : str
        What the names are made of.
    """

    def __init__(  # the parts of a name
        self, folder: str, input_file: str, model: str, batch_id: str, stamp: str, root: str | None
    ) -> None:
        stem = PurePosixPath(input_file).stem
        own = f"{stem}_{model.rpartition('/')[2]}_{batch_id}"
        base = f"{folder.rstrip('/')}/{own}/{stem}_{stamp}"
        self.results = f"{base}.results.jsonl"
        self.progress = f"{base}.progress.json"
        self._results = local(self.results, root)
        self._progress = local(self.progress, root)

    def add_results(self, lines: list[str]) -> None:
        """Append a chunk's lines."""
        self._results.parent.mkdir(parents=True, exist_ok=True)
        with self._results.open("a", encoding="utf-8", errors="replace") as out:
            out.writelines(f"{line}\n" for line in lines)

    def write_progress(self, progress: dict[str, Any]) -> None:
        """Write the progress anew; like the real one it may be read by everybody."""
        self._progress.parent.mkdir(parents=True, exist_ok=True)
        self._progress.write_text(json.dumps(progress, indent=2), encoding="utf-8")
        self._progress.chmod(0o666)

    def tear(self) -> None:
        """Cut the last line of the results in half."""
        raw = self._results.read_bytes()
        last = raw.rstrip(b"\n").rfind(b"\n") + 1
        self._results.write_bytes(raw[: (last + len(raw)) // 2])

    def remove(self) -> None:
        """Delete both."""
        self._results.unlink(missing_ok=True)
        self._progress.unlink(missing_ok=True)
