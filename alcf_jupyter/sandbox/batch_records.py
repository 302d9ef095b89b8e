"""What outlives the sandbox: its batches, as the gateway's database outlives a restart.

A small file for each batch lies below the folder for batches. Whoever works on a batch holds a lock
on its file; the batch of a sandbox that ended is taken up by the next one.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = ".batches"


class Records:
    """The records below one folder; without a folder nothing is kept.

    Parameters
    ----------
    root : str or None
        The folder for batches.
    """

    def __init__(self, root: str | None) -> None:
        self._folder = Path(root).resolve() / FOLDER if root else None
        self._held: dict[str, int] = {}

    def write(self, batch_id: str, record: dict[str, Any]) -> None:
        """Keep a record in place of an earlier one."""
        if self._folder is None:
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self._folder / f".{batch_id}.{os.getpid()}"
        part.touch(0o600)
        part.write_text(json.dumps(record), encoding="utf-8")
        part.replace(self._folder / f"{batch_id}.json")

    def read(self, batch_id: str) -> dict[str, Any] | None:
        """Return a record, None where there is none that can be read."""
        if self._folder is None:
            return None
        with contextlib.suppress(OSError, ValueError):
            told = json.loads((self._folder / f"{batch_id}.json").read_text(encoding="utf-8"))
            return told if isinstance(told, dict) else None
        return None

    def ids(self) -> Iterator[str]:
        """Yield the id of every recorded batch."""
        if self._folder is not None:
            for path in sorted(self._folder.glob("[0-9a-f]*.json")):
                yield path.stem

    def hold(self, batch_id: str) -> bool:
        """Take the right to work on a batch; False where another sandbox that runs has it."""
        if self._folder is None or batch_id in self._held:
            return True
        import fcntl

        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._folder / f"{batch_id}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            return False
        self._held[batch_id] = handle
        return True

    def release(self, batch_id: str) -> None:
        """Give the right back: the batch has ended."""
        if (handle := self._held.pop(batch_id, None)) is not None and self._folder is not None:
            (self._folder / f"{batch_id}.lock").unlink(missing_ok=True)
            os.close(handle)
