"""A real JupyterLab of its own: a free port, a token, an empty home, a folder for the notebooks."""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.kernels import server_by_files
from tools.environment import changes

if TYPE_CHECKING:
    from collections.abc import Iterator

_SETTINGS = {
    # News come from the network, and a toast would cover what is looked at.
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    # Every cell and every output is in the page, seen or not.
    "notebook-extension/tracker": {"windowingMode": "none", "maxNumberOutputs": 100_000},
}
_ROOT = Path(__file__).parents[2]


@dataclass
class Server:
    """A running JupyterLab."""

    url: str
    token: str
    folder: Path

    def write(self, name: str, cells: list[str | dict]) -> Path:
        """Put a notebook into the server's folder.

        Parameters
        ----------
        name
            The file's name, with its suffix.
        cells
            The sources of code cells, or whole cells.
        """
        import nbformat

        notebook = nbformat.v4.new_notebook(
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}}
        )
        for cell in cells:
            made = nbformat.v4.new_code_cell(cell) if isinstance(cell, str) else cell
            notebook.cells.append(made)
        path = self.folder / name
        nbformat.write(notebook, path)
        return path

    def log_end(self) -> str:
        """Return the last of what the server and its kernels have said."""
        return (self.folder.parent / "server.log").read_text(errors="replace")[-6000:]

    def close(self, *names: str) -> None:
        """Stop the kernels of these notebooks."""
        for session in json.loads(_call(self, "sessions")):
            if session["path"] in names:
                _call(self, f"sessions/{session['id']}", "DELETE")


@contextlib.contextmanager
def jupyterlab(home: Path, *, environ: dict[str, str] | None = None) -> Iterator[Server]:
    """Start a JupyterLab and stop it, its kernels with it.

    Parameters
    ----------
    home
        An empty folder; it is the home directory of the server and of its kernels.
    environ
        More variables for both.
    """
    folder = home / "notebooks"
    folder.mkdir()
    settings = home / "settings"
    for name, values in _SETTINGS.items():
        path = settings / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    token, port = secrets.token_hex(16), _free_port()
    env = {**os.environ, **{k: v for k, v in changes(home).items() if v is not None}}
    for name, value in changes(home).items():
        if value is None:
            env.pop(name, None)
    places = {"CONFIG": home / "config", "DATA": home / "data"}
    places["RUNTIME"] = server_by_files(places["CONFIG"])
    env |= {f"JUPYTER_{kind}_DIR": str(place) for kind, place in places.items()}
    # The kernels see this checkout, from wherever the notebook is.
    env |= {"PYTHONPATH": str(_ROOT)} | (environ or {})
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"),
        *(f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}"),
        *("--LabApp.expose_app_in_browser=True", "--LabApp.news_url="),
        f"--LabApp.user_settings_dir={settings}",
        f"--LabApp.workspaces_dir={home / 'workspaces'}",
    ]
    log = home / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=env, cwd=folder, stdout=output, stderr=output)
    try:
        server = Server(f"http://127.0.0.1:{port}", token, folder)
        _wait(server, process, log)
        yield server
    finally:
        _stop(server, process)


def _free_port() -> int:
    # Below those that the system gives to whoever asks for any: by the time the server has started,
    # another test would have one of them.
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _call(server: Server, path: str, method: str = "GET") -> bytes:
    request = urllib.request.Request(f"{server.url}/api/{path}", method=method)
    request.add_header("Authorization", f"token {server.token}")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


def _wait(server: Server, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        # The token shows that the server is this one, and not another's on the same port.
        with contextlib.suppress(OSError, urllib.error.URLError):
            _call(server, "status")
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")
        time.sleep(0.1)


def _stop(server: Server, process: subprocess.Popen) -> None:
    with contextlib.suppress(OSError, urllib.error.URLError):
        _call(server, "shutdown", "POST")
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
