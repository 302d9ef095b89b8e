"""What is installed and set, as plain text to read or to paste into a question."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit
from urllib.request import getproxies_environment

from alcf_jupyter._version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

# what a notebook runs in, then what the package stands on
PACKAGES = (
    *("ipython", "ipykernel", "jupyterlab", "notebook", "ipywidgets"),
    *("httpx", "openai", "globus-sdk", "pandas", "pyarrow", "numpy", "msgspec", "nh3"),
)
SETTINGS = (
    *("ALCF_JUPYTER_SERVICE", "ALCF_JUPYTER_MODEL", "ALCF_JUPYTER_EMBED_MODEL"),
    *("ALCF_JUPYTER_REPLAY", "ALCF_JUPYTER_STATE", "ALCF_JUPYTER_GLOBUS_CLIENT"),
)
SECRETS = (
    "ALCF_AI_TOKEN",
    "GLOBUS_SERVICE_ACCOUNT_CLIENT_ID",
    "GLOBUS_SERVICE_ACCOUNT_CLIENT_SECRET",
)


def report() -> str:
    """Return the whole report; it holds no token and no password."""
    lines = [f"alcf-jupyter {__version__}"]
    for title, section in (
        ("Python", _python()),
        ("Packages", ((name, _version(name)) for name in PACKAGES)),
        ("Kernels", _kernels()),
        ("Proxies", _proxies()),
        ("Connection", _connection()),
    ):
        rows = list(section)
        width = max(len(name) for name, _ in rows)
        lines += ["", title, *(f"  {name.ljust(width)}  {value}" for name, value in rows)]
    return "\n".join(lines)


def _python() -> Iterator[tuple[str, str]]:
    yield "version", platform.python_version()
    yield "program", sys.executable
    yield "system", platform.platform()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _kernels() -> Iterator[tuple[str, str]]:
    try:
        from jupyter_client.kernelspec import KernelSpecManager
    except ModuleNotFoundError:
        yield "none", "jupyter_client is not installed:  pip install ipykernel"
        return
    for name, spec in sorted(KernelSpecManager().get_all_specs().items()):
        program = (spec["spec"].get("argv") or [""])[0]
        ours = "this environment" if _is_this(program) else program
        yield name, f"{spec['spec'].get('display_name', '')} ({ours})"


def _is_this(program: str) -> bool:
    # a kernel without a folder is started by whatever Python the server runs on
    return os.path.dirname(program) in {"", os.path.dirname(sys.executable)}  # noqa: PTH120


def _proxies() -> Iterator[tuple[str, str]]:
    found = getproxies_environment()
    for name in sorted(found):
        yield f"{name}_proxy", found[name] if name == "no" else _address(found[name])
    if not found:
        yield "none", "compute nodes of ALCF need https_proxy=http://proxy.alcf.anl.gov:3128"


def _address(text: str) -> str:
    """Return an address without the name, password and query that may be in it."""
    try:
        parts = urlsplit(text if "//" in text else f"//{text}")
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "(not an address)"
    shown = urlunsplit((parts.scheme, host, parts.path, "", "")).removeprefix("//")
    return shown + (" (with a password)" if parts.netloc != host else "")


def _connection() -> Iterator[tuple[str, str]]:
    for name in SETTINGS:
        if name in os.environ:
            yield name, _address(os.environ[name])
    for name in SECRETS:
        if name in os.environ:
            yield name, "set"
    if "ALCF_JUPYTER_SERVICE" not in os.environ:
        yield "service", "alcf, unless a notebook connects elsewhere"
