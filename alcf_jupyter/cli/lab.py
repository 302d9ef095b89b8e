"""A JupyterLab in the foreground that says where it is, its errors, and no more."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import sys
from typing import TYPE_CHECKING
from urllib.parse import quote

from alcf_jupyter.cli.here import require

if TYPE_CHECKING:
    from pathlib import Path


def serve(notebook: Path, *, port: int | None = None, browser: bool = True) -> None:
    """Run JupyterLab on the folder of `notebook`, and print the address that opens it.

    It returns after Ctrl-C, which is not asked about; while JupyterLab still starts, Ctrl-C ends
    the process.

    Parameters
    ----------
    notebook
        The file to open.
    port
        The port to listen on, or no other; None for the first free one from 8888.
    browser
        Whether to open a browser.

    Raises
    ------
    AlcfError
        JupyterLab or its kernel is not installed.
    """
    require("The demo in JupyterLab", "jupyterlab", "ipykernel")
    # so early, Ctrl-C would be a traceback out of the middle of some import
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    print("Everything runs on this machine: no account, no network. Ctrl-C ends it.", flush=True)
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # this environment's kernel, not one of the home's
    os.chdir(notebook.parent)
    _set_apart(notebook.parent / ".kernels.log")
    from jupyterlab.labapp import LabApp

    class Server(LabApp.serverapp_class):  # type: ignore[misc]
        """It takes over no signals: while its extensions load, it would ask or log what came."""

        def init_signal(self) -> None:
            """Leave the signals to `serve`."""

    LabApp.serverapp_class = Server
    token = secrets.token_hex(24)
    server = LabApp.initialize_server(argv=_options(notebook, token, port, browser=browser))

    def stop(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever is in a hurry
        server.stop(from_signal=True)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)

    def tell() -> None:
        address = f"http://127.0.0.1:{server.port}{server.base_url}lab/tree/{quote(notebook.name)}"
        print(f"\nJupyterLab, with the first of them:\n\n    {address}?token={token}\n", flush=True)

    server.io_loop.add_callback(tell)  # not before it listens
    server.start()


def _set_apart(log: Path) -> None:
    """Let what kernels and the browser print go into a file, and this process's to the terminal."""
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    with contextlib.suppress(OSError):
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.dup2(handle, 2)
        os.close(handle)


def _options(notebook: Path, token: str, port: int | None, *, browser: bool) -> list[str]:
    """Return JupyterLab's options."""
    options = [
        "--log-level=ERROR",
        "--ExtensionApp.log_level=ERROR",
        f"--LabApp.default_url=/lab/tree/{quote(notebook.name)}",
        # what was open in another JupyterLab is not opened here, and the other way round
        f"--LabApp.workspaces_dir={notebook.parent / '.workspaces'}",
        "--ServerApp.ip=127.0.0.1",
        # with a token of its own it would tell the address itself, and another one
        f"--IdentityProvider.token={token}",
    ]
    options += [] if port is None else [f"--port={port}", "--ServerApp.port_retries=0"]
    options += [] if browser else ["--no-browser"]
    # JupyterLab refuses root, which is who one is in most containers; it listens on loopback only.
    return options + (["--allow-root"] if os.name == "posix" and os.geteuid() == 0 else [])
