"""The name of a file to write: its ending says what is written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from alcf_jupyter.errors import UsageError
from alcf_jupyter.plain import brief

FORMS: Final = {".parquet": "Parquet", ".jsonl": "JSON Lines"}
"""What is written, by the ending of the file's name."""


def checked(
    path: str | os.PathLike[str], ending: str, nothing: str = "nothing was written"
) -> Path:
    """Return the path of a file to write, its ``~`` read; another ending promises another form.

    Parameters
    ----------
    path
        As it was given.
    ending
        One of `FORMS`.
    nothing
        What was not done, for the message.

    Raises
    ------
    UsageError
        It is no path, its name ends otherwise, or it is a folder.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise UsageError(
            f"A file is given by its name, not by {type(path).__name__}; {nothing}.",
            do=f"Write:  'result{ending}'",
        )
    given = Path(path)
    found = given.expanduser()
    if found.suffix != ending:
        is_folder = found.is_dir()
        better = given / f"result{ending}" if is_folder else given.with_suffix(ending)
        raise UsageError(
            f"What is written is {FORMS[ending]}, and {brief(found.name or '.', 80)} "
            f"{'is a folder' if is_folder else f'does not end in {ending}'}; {nothing}.",
            do=f"Write:  {str(better)!r}",
        )
    return found
