"""Kernels that are reached by files: a port may be taken before the kernel it was chosen for."""

from __future__ import annotations

import functools
import itertools
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from jupyter_client.blocking.client import BlockingKernelClient

_NUMBERS = itertools.count()


@functools.cache
def _place() -> tempfile.TemporaryDirectory:
    # Not the folder of a test: the name of a socket has about a hundred characters.
    return tempfile.TemporaryDirectory(prefix="alcf-")


def by_files() -> dict[str, str]:
    """Return a kernel manager's settings for one kernel that is reached by files."""
    file = f"{_place().name}/kernel-{next(_NUMBERS)}.json"
    return {"transport": "ipc", "connection_file": file}


def server_by_files(config: Path) -> Path:
    """Have a Jupyter server reach its kernels by files.

    Parameters
    ----------
    config
        The server's folder of settings, which are written.

    Returns
    -------
    Path
        The folder for the files, to be its ``JUPYTER_RUNTIME_DIR``.
    """
    config.mkdir(parents=True, exist_ok=True)
    settings = json.dumps({"KernelManager": {"transport": "ipc"}})
    (config / "jupyter_server_config.json").write_text(settings, encoding="utf-8")
    return Path(tempfile.mkdtemp(dir=_place().name))


def start_kernel(**options: object) -> tuple[KernelManager, BlockingKernelClient]:
    """Start a kernel of this environment; return its manager, and its client once it answers.

    Parameters
    ----------
    **options
        For the manager's ``start_kernel``.
    """
    manager = KernelManager(kernel_name="python3", **by_files())
    manager.start_kernel(**options)
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(60)
    except RuntimeError:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        raise
    return manager, client
