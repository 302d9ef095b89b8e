"""The folder in which runs are recorded: there, private, and with room."""

from __future__ import annotations

import os
import shutil
import stat
from typing import TYPE_CHECKING

from alcf_jupyter.connection import state
from alcf_jupyter.notebook.doctor.finding import note, ok, problem
from alcf_jupyter.notebook.doctor.lines import quoted, shell, short, variable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from alcf_jupyter.notebook.doctor.finding import Finding

LITTLE_BYTES = 200_000_000


def check() -> Iterator[Finding]:
    """Look at the state directory, without making it."""
    root = state.root()
    there = next(path for path in (root, *root.parents) if path.exists())
    elsewhere = variable(state.ENV_STATE, "/path/to/folder")
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        yield problem("State", f"{short(root)} cannot be written, so runs are not kept", elsewhere)
        return
    free = shutil.disk_usage(there).free
    if free < LITTLE_BYTES:
        yield problem("State", f"{free / 1e6:,.0f} MB are left beside {short(root)}", elsewhere)
    if there != root:
        yield ok("State", f"{short(root)}, not made yet")
        return
    about = root.stat()
    if about.st_uid != os.getuid():
        yield problem("State", f"{short(root)} belongs to another user", elsewhere)
    elif stat.S_IMODE(about.st_mode) & 0o077:
        says = f"{short(root)} is open to others (mode {stat.S_IMODE(about.st_mode):o})"
        yield note("State", says, shell(f"chmod 700 {quoted(root)}"))
    else:
        yield ok("State", f"{short(root)}, {size(root) / 1e6:,.1f} MB")


def size(folder: Path) -> int:
    """Return the bytes of all files below a folder; what cannot be read counts as nothing."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(path, name)).st_size  # noqa: PTH118 - there may be many
            except OSError:
                continue
    return total
