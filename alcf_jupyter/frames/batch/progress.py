"""How far a batch is, from the file that it writes after every 20,000 lines."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from alcf_jupyter.errors import UsageError
from alcf_jupyter.service.batches import Summary, read_summary

if TYPE_CHECKING:
    import os

_TRIES: Final = 4
_PAUSE: Final = 0.1
_LARGEST: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch, or several, is.

    Attributes
    ----------
    lines
        Requests that are done, failed ones included.
    total
        How many there are; None where that is not known.
    responses, total_tokens
        Requests that were answered, and their tokens.
    chunks
        Pieces of 20,000 requests that are done.
    seconds
        What they took, as far as it is told.
    done
        Whether this is the end.
    """

    lines: int = 0
    total: int | None = None
    responses: int = 0
    total_tokens: int = 0
    chunks: int = 0
    seconds: float = 0.0
    done: bool = False

    @property
    def failed(self) -> int:
        """Requests without an answer."""
        return max(0, self.lines - self.responses)

    def __str__(self) -> str:
        of = f" of {self.total:,}" if self.total else ""
        parts = [f"{self.lines:,}{of} lines"]
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        if self.total_tokens:
            parts.append(f"{self.total_tokens:,} tokens")
        return " · ".join(parts)


def read_batch_progress(path: str | os.PathLike[str]) -> Progress:
    """Read the progress file of a batch, whoever's it is.

    Parameters
    ----------
    path
        A ``.progress.json`` file, or the folder of a batch that holds one.

    Returns
    -------
    Progress
        What is done. The file's own counters lag behind its list of chunks after the last one, so
        the larger figures count.

    Raises
    ------
    UsageError
        There is no such file, or what stands in it is no progress; a file that is half written is
        read again for a moment first.
    """
    file = _file(Path(path).expanduser())
    for left in reversed(range(_TRIES)):
        told = _told(file)
        if told is not None:
            return _progress(told)
        if left:
            time.sleep(_PAUSE)
    raise UsageError(
        f"{file} cannot be read: it is half written.",
        why="The batch writes it anew after every 20,000 lines.",
        do="Try again in a moment.",
    )


def _file(path: Path) -> Path:
    if not path.is_dir():
        return path
    found = sorted(path.glob("*.progress.json"))
    if not found:
        raise UsageError(
            f"{path} holds no progress file.",
            why="A batch writes it after its first 20,000 lines.",
            do="Ask for its status:  alcf.batch(ID).status",
        )
    return found[-1]


def _told(file: Path) -> dict[str, Any] | None:
    """Return what stands in the file, None while it is being written."""
    try:
        if file.stat().st_size > _LARGEST:
            raise UsageError(f"{file} is too large for a progress file.", do="Look at its path.")
        text = file.read_text(encoding="utf-8")
        told = json.loads(text)
    except OSError as error:
        raise UsageError(
            f"{file} cannot be read: {error.strerror}.",
            do=f"Look at the path, and at who may read it:  !ls -ld {file}",
        ) from None
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, dict) or not ({"chunks", "lines_processed", "metrics"} & told.keys()):
        raise UsageError(f"{file} holds no progress of a batch.", do="Look at its path.")
    return told


def _progress(told: dict[str, Any]) -> Progress:
    top = read_summary(told)
    chunks = told.get("chunks")
    if not isinstance(chunks, list):
        return _of(top, 0, top.response_time or 0.0, done="results_file" in told)
    rows = [chunk for chunk in chunks if isinstance(chunk, dict)]
    counted = Summary(
        total_tokens=_sum(rows, "tokens"),
        responses=_sum(rows, "responses"),
        lines=_sum(rows, "lines"),
    )
    newest = max(top, counted, key=lambda one: one.lines or 0)
    return _of(newest, len(rows), _sum(rows, "time_sec"), done=False)


def _of(summary: Summary, chunks: int, seconds: float, *, done: bool) -> Progress:
    return Progress(
        summary.lines or 0,
        None,
        summary.responses or 0,
        summary.total_tokens or 0,
        chunks,
        round(seconds, 3),
        done,
    )


def _sum(rows: list[dict[str, Any]], name: str) -> Any:
    values = [row.get(name) for row in rows]
    return sum(v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool))
