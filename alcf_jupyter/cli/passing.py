"""A folder that goes when the program that uses it has ended, unless something was made in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


def folder(prefix: str) -> Path:
    """Make a temporary folder."""
    return Path(tempfile.mkdtemp(prefix=prefix))


def leash(path: Path, source: Path) -> None:
    """Let `path` be removed when this process has ended, whatever program it is by then.

    Parameters
    ----------
    path
        A folder with copies of what is in `source`.
    source
        What they are compared with: what a person has changed or added is kept.
    """
    ours, theirs = os.pipe()
    subprocess.Popen(  # noqa: S603 - our own module, no shell
        [sys.executable, "-m", "alcf_jupyter.cli.passing", str(path), str(source)],
        stdin=ours,
        stdout=subprocess.DEVNULL,
        # Ctrl-C ends the program in front, and this one only with it
        start_new_session=True,
    )
    os.close(ours)
    # open until this process ends, also after it has become another program
    os.set_inheritable(theirs, True)  # noqa: FBT003


def is_untouched(path: Path, source: Path) -> bool:
    """Tell whether nothing in a folder was written by a person.

    Parameters
    ----------
    path, source
        As for `leash`. Running a notebook changes its outputs, and its cells stay as they were.
    """
    for file in path.rglob("*"):
        parts = file.relative_to(path).parts
        if file.is_dir() or any(part.startswith((".", "__")) for part in parts):
            continue
        first = source.joinpath(*parts)
        if not first.is_file() or _written(file) != _written(first):
            return False
    return True


def _written(file: Path) -> object:
    data = file.read_bytes()
    if file.suffix != ".ipynb":
        return data
    try:
        return [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(data)["cells"]]
    except (ValueError, KeyError, TypeError):
        return data


def main() -> None:
    """Wait for the end of the owner, which closes standard input, and remove the folder."""
    path, source = map(Path, sys.argv[1:3])
    while os.read(sys.stdin.fileno(), 4096):
        pass
    if not is_untouched(path, source):
        print(f"What you changed is kept in {path}.", file=sys.stderr)
        return
    shutil.rmtree(path, ignore_errors=True)


if __name__ == "__main__":
    main()
