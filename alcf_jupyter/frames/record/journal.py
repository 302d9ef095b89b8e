"""The crash-safe record of a run: answers are appended, and count once they are on the disk.

A record is a folder with ``journal.jsonl`` (a line for each answer), ``vectors.f32`` (embeddings),
``damaged.jsonl`` (what could not be read) and ``writer.lock``. It holds no prompts and no paths, so
the folder can be moved and given away.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from msgspec.structs import replace

from alcf_jupyter.errors import JournalError, NotWrittenError
from alcf_jupyter.frames.record import journal_lines as lines
from alcf_jupyter.frames.record import vector_file
from alcf_jupyter.frames.record.durable_file import DurableFile
from alcf_jupyter.frames.record.journal_content import (
    DAMAGED,
    LINES,
    VECTORS,
    Content,
    quarantine,
    read,
)
from alcf_jupyter.frames.record.journal_lines import Header, Row
from alcf_jupyter.frames.record.writer_lock import WriterLock
from alcf_jupyter.typed import typed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

LOCK: Final = "writer.lock"
OLD: Final = (f"{LINES}.old", f"{VECTORS}.old", f"{DAMAGED}.old")
FILES: Final = (LINES, VECTORS, DAMAGED, LOCK, f"{LOCK}.guard", *OLD)
"""All that is ever written into a record's folder."""
LAST: Final = "last"
"""Where a header's `about` says what the last call came to: rows, and how many in each status."""


class Journal:
    """A record, open for appending; nobody else can write it until it is closed.

    Parameters
    ----------
    folder
        The record's; made if it is not there.
    identity
        The run's, as `row_keys.identity` gives it.
    about
        For listings: kind, model, cluster, the columns that are sent. Neither prompts nor paths.
    fresh
        Set what is recorded aside (``*.old``, one generation), and begin anew.

    Attributes
    ----------
    content
        What was recorded before; `append` adds to its rows, not to its vectors.
    unwritten
        Rows that could not be recorded so far; every `append` tries them again.
    notes
        What was found wrong, each a sentence for the user.

    Raises
    ------
    JournalHeldError
        Another process writes it.
    JournalError
        It is of another run or of a form not known, or no record at all.
    NotWrittenError
        No room, or no right to write.
    """

    def __init__(
        self,
        folder: Path,
        identity: str,
        about: dict[str, Any] | None = None,
        *,
        fresh: bool = False,
    ) -> None:
        self.folder = folder
        self.unwritten: list[Row] = []
        self._vectors: list[NDArray[np.float32]] = []
        self._seed = lines.seed(identity)
        self._header = Header(identity, time.time(), about or {}, lines.FORMAT)
        with self._told(), contextlib.ExitStack() as stack:
            _make_folder(folder)
            self._lock = WriterLock(folder / LOCK)
            stack.callback(self._lock.release)
            if fresh:
                self._set_aside()
            self.content = self._read(identity)
            self._lines = DurableFile(folder / LINES)
            stack.callback(self._lines.close)
            self._mend()
            self._file: DurableFile | None = None
            if (folder / VECTORS).exists():
                self._file = DurableFile(folder / VECTORS)
                stack.callback(self._file.close)
            self._width = self.content.vectors.shape[1]
            self._places = len(self.content.vectors)
            if self._file and self._file.size != self.content.vectors.nbytes:
                # the writer died before it wrote the lines that speak of these
                self._file.cut(self.content.vectors.nbytes)
            self.notes = quarantine(folder, self.content)
            stack.pop_all()

    def append(self, rows: Sequence[Row], vectors: NDArray[np.float32] | None = None) -> None:
        """Record rows; when this returns, they outlive a crash of the process and the machine.

        Rows that are appended together cost one sync (two with vectors).

        Parameters
        ----------
        rows
            Any number; those whose status is neither ok, truncated nor failed are not for here.
        vectors
            One row for each, of the width of all others in this record; finite float32.

        Raises
        ------
        NotWrittenError
            None of them is recorded: no room, or no right to. They are in `unwritten`.
        JournalHeldError
            Another process took the record over.
        ValueError
            There are not as many vectors as rows, or their width is another. Nothing is recorded.
        """
        if vectors is not None:
            self._check(rows, vectors)
        self._lock.check()
        if vectors is not None and len(rows):
            start = self._places + sum(map(len, self._vectors))
            stamps = vector_file.stamps(vectors, start)
            rows = [replace(row, vector=one) for row, one in zip(rows, stamps, strict=True)]
            self._vectors.append(vectors)
        self.unwritten += rows
        self.retry()

    def retry(self) -> None:
        """Try again to record what is in `unwritten`.

        Raises
        ------
        NotWrittenError
            As `append`.
        """
        if not self.unwritten:
            return
        self._lock.check()
        with self._told():
            if self._vectors:
                self._append_vectors()
            self._lines.append(b"".join([lines.line(row, self._seed) for row in self.unwritten]))
        self._places += sum(map(len, self._vectors))
        self._vectors.clear()
        self.content.rows.update((row.key, row) for row in self.unwritten)
        self.unwritten = []

    def describe(self, **facts: Any) -> None:
        """Record facts of the run for later ones, such as what answered; known ones cost nothing.

        Parameters
        ----------
        **facts
            What is added to the header's `about`, JSON values. Neither prompts nor paths.

        Raises
        ------
        NotWrittenError
            No room, or no right to.
        """
        header = replace(self._header, about={**self._header.about, **facts})
        if header != self._header:
            self._lock.check()
            with self._told():
                self._lines.append(lines.line(header, self._seed))
            self._header = header

    def beat(self) -> None:
        """Show other machines that this writer lives; needed once in `writer_lock.STALE` seconds.

        Raises
        ------
        JournalHeldError
            Another process took the record over.
        """
        self._lock.check()

    def save(self, folder: str | Path) -> Path:
        """Write a whole record elsewhere: what is recorded here, and what could not be.

        Parameters
        ----------
        folder
            Another one, with room; ``checkpoint=`` goes on from it.

        Returns
        -------
        pathlib.Path
            The folder.
        """
        header = self._header
        old = read(self.folder, header.identity)
        rows = {row.key: row for row in (*old.rows.values(), *self.unwritten)}
        gap = np.zeros((self._places - len(old.vectors), self._width), np.float32)
        pieces = [old.vectors, gap, *self._vectors]  # a gap where later lines took rows' places
        vectors = np.concatenate([one for one in pieces if one.size]) if self._width else None
        about = {name: fact for name, fact in header.about.items() if name != LAST}
        with Journal(Path(folder), header.identity, about) as copy:  # whose rows all come after it
            copy.append([row for row in rows.values() if row.vector is None])
            if vectors is not None:
                placed = [(row, row.vector.place) for row in rows.values() if row.vector]
                copy.append([row for row, _ in placed], vectors[[at for _, at in placed]])
        return copy.folder

    def close(self) -> None:
        """Let others write; a second call does nothing. What is in `unwritten` stays there."""
        self._lines.close()
        if self._file:
            self._file.close()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, identity: str) -> Content:
        try:
            (self.folder / LINES).lstat()
        except FileNotFoundError:
            return Content()
        return read(self.folder, identity)

    def _mend(self) -> None:
        """Cut a torn line off, and write a header where there is none."""
        if self.content.torn:
            self._lines.cut(self.content.size)
        if self.content.header:
            self._header = self.content.header
        else:
            self._lines.append(lines.line(self._header, self._seed))
        self._lines.touch()  # in use: it expires later

    def _append_vectors(self) -> None:
        if self._file is None:
            self._file = DurableFile(self.folder / VECTORS)
        self._width = self._vectors[0].shape[1]
        size = self._places * self._width * vector_file.ITEM
        if self._file.size != size:  # their lines could not be written: they come again
            self._file.cut(size)
        pieces = [vector_file.raw(one) for one in self._vectors]
        self._file.append(pieces[0] if len(pieces) == 1 else b"".join(pieces))

    def _check(self, rows: Sequence[Row], vectors: NDArray[np.float32]) -> None:
        width = self._vectors[0].shape[1] if self._vectors else self._width
        if vectors.ndim != 2 or len(vectors) != len(rows) or not vectors.shape[1]:
            raise ValueError(f"{len(rows)} rows, and vectors of shape {vectors.shape}")
        if width and vectors.shape[1] != width:
            raise ValueError(f"vectors of length {vectors.shape[1]} in a record of length {width}")

    def _set_aside(self) -> None:
        for name in (LINES, VECTORS, DAMAGED):
            with contextlib.suppress(FileNotFoundError):
                (self.folder / name).replace(self.folder / f"{name}.old")

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Say what a failure to write means, and what to do."""
        try:
            yield
        except OSError as error:
            raise self._failed(error) from None

    def _failed(self, error: OSError) -> NotWrittenError:
        rows = len(self.unwritten)
        failed = NotWrittenError(
            f"{self.folder} cannot be written: {error.strerror}.",
            why=f"{rows:,} answers are kept in memory; everything before them is recorded."
            if rows
            else "Nothing was changed.",
            do='Make room and run the cell again, or:  sys.last_value.save("/folder/with/room")'
            if rows
            else f"Record elsewhere:  add {typed(checkpoint='/folder/you/can/write')}",
        )
        failed.unwritten = tuple(self.unwritten)
        failed.save = self.save if rows else None
        return failed


def _make_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise JournalError(
            f"{folder} is a file, and a record is a folder.",
            do=f"Name another:  {typed(checkpoint=f'{folder}.run')}",
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
