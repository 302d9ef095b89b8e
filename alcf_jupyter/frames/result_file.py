"""The file that a run's result is written to: checked before anything is sent, written at once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pyarrow as pa

from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.file_name import checked
from alcf_jupyter.frames.record.whole_file import replacing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd


class ResultFile:
    """A Parquet file for a frame.

    Parameters
    ----------
    path
        The file. One that is there is replaced, when the result is whole.
    write
        Writes a frame to a path.

    Raises
    ------
    UsageError
        It is no ``.parquet`` file, or its folder cannot be written.
    """

    def __init__(self, path: str | Path, write: Callable[[pd.DataFrame, Path], object]) -> None:
        self.path = checked(path, ".parquet", "nothing was sent").absolute()
        self._write = write
        if not os.access(self.path.parent, os.W_OK | os.X_OK) or self.path.is_dir():
            raise UsageError(
                f"{self.path} cannot be written; nothing was sent.",
                do="Name a file in a folder that is there and that you can write.",
            )

    def write(self, frame: pd.DataFrame) -> None:
        """Write a frame.

        Raises
        ------
        UsageError
            It cannot be written; the file is as it was.
        """
        try:
            self._write(frame, self.path)
        except (OSError, pa.ArrowException) as error:
            raise UsageError(
                f"{self.path} cannot be written: {error}",
                do="The rows are not lost: make room, and run it again.",
            ) from None


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame that only you can read, whole or not at all."""
    with replacing(path) as part:
        frame.to_parquet(part)
