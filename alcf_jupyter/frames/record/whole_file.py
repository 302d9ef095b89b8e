"""A file that is replaced whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING

from alcf_jupyter.frames.record.durable_file import sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def replacing(target: Path, mode: int = 0o600) -> Iterator[Path]:
    """Give a private file beside `target` to write; it takes its place once it is on the disk.

    Parameters
    ----------
    target
        The file; as it was, if the block or the disk fails.
    mode
        Who may read and write it then.

    Raises
    ------
    OSError
        No room, or no right to.
    """
    part = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.part")
    handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        yield part
        os.fsync(handle)
        os.fchmod(handle, mode)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)
    sync_folder(target.parent)
