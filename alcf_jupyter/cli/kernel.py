"""The environment as a kernel that Jupyter offers, with the proxy it needs written in."""

from __future__ import annotations

import os
from urllib.parse import urlsplit
from urllib.request import getproxies_environment

from alcf_jupyter.cli.here import require
from alcf_jupyter.connection import site_file
from alcf_jupyter.connection.profiles import ALCF_PROXY
from alcf_jupyter.errors import AlcfError

_SCHEMES = ("http", "https", "all", "no")
_LOOPBACK = "127.0.0.1,localhost"


def proxy_variables(proxy: str | None = None) -> dict[str, str]:
    """Return the variables to write in: those of `proxy`, else those that are set, else the site's.

    Both spellings are written, since programs differ in which they heed.

    Raises
    ------
    AlcfError
        The proxy is not an address.
    """
    found = {name: value for name, value in getproxies_environment().items() if name in _SCHEMES}
    proxy = proxy or (None if found.keys() - {"no"} else site_file.read().proxy)
    if proxy:
        if not proxy.startswith(("http://", "https://")) or not urlsplit(proxy).hostname:
            raise AlcfError(
                f"{proxy!r} is not the address of a proxy.",
                do=f"Write it like:  --proxy {ALCF_PROXY}",
            )
        found |= {"http": proxy, "https": proxy}
    if not found.keys() - {"no"}:
        return {}
    found.setdefault("no", _LOOPBACK)
    small = {f"{name}_proxy": value for name, value in found.items()}
    return small | {name.upper(): value for name, value in small.items()}


def install(name: str, display_name: str | None, proxy: str | None) -> list[str]:
    """Register this environment as a kernel of the user's, and return what to say about it.

    Parameters
    ----------
    name, display_name
        As for ``python -m ipykernel install``.
    proxy
        Proxy to write in, in place of the environment's or the site's.

    Raises
    ------
    AlcfError
        ipykernel is not installed, or the name or the folder cannot be used.
    """
    require("A kernel", "ipykernel")
    from ipykernel import kernelspec

    variables = proxy_variables(proxy)
    shown = display_name or f"Python ({name})"
    # a proxy's password; Jupyter of the same user is all that reads it
    closed = any("@" in value for value in variables.values())
    before = os.umask(0o077) if closed else None
    try:
        folder = kernelspec.install(
            user=True,
            kernel_name=name,
            display_name=shown,
            env=variables,
        )
    except (ValueError, OSError) as error:
        raise AlcfError(
            f"The kernel could not be registered: {error}",
            do="Type:  alcf-jupyter install-kernel --name alcf",
        ) from None
    finally:
        if before is not None:
            os.umask(before)
    return [
        f"Registered the kernel {shown} in {folder}",
        _about(variables),
        "Choose it in Jupyter; a page that is open wants a reload.",
    ]


def _about(variables: dict[str, str]) -> str:
    shown = variables.get("https_proxy") or variables.get("http_proxy")
    if shown is None:
        return (
            "No proxy is set, so none is written in. For ALCF's compute nodes:  "
            f"alcf-jupyter install-kernel --proxy {ALCF_PROXY}"
        )
    parts = urlsplit(shown)
    return f"Its proxy is {parts.scheme}://{parts.netloc.rpartition('@')[2]}"
