"""The proxies that the environment names, shown without the passwords in them."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from alcf_jupyter.notebook.doctor.finding import note, ok, problem
from alcf_jupyter.notebook.doctor.lines import same, variable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alcf_jupyter.notebook.doctor.finding import Finding

SCHEMES = ("http", "https", "all")
LOOPBACK = "127.0.0.1,localhost"


def check() -> Iterator[Finding]:
    """Look at the variables that name proxies."""
    found = getproxies_environment()
    named = {scheme: found[scheme] for scheme in SCHEMES if found.get(scheme)}
    for scheme, proxy in named.items():
        if not usable(proxy):
            says = f"{scheme}_proxy is no address: {address(proxy)}"
            yield problem("Proxies", says, variable(f"{scheme}_proxy", "http://HOST:PORT"))
        yield from _two_spellings(scheme)
    if not named:
        yield ok("Proxies", "none is set; on ALCF's compute nodes one is needed")
        return
    if all(proxy_bypass(host) for host in LOOPBACK.split(",")):
        yield ok("Proxies", f"{' and '.join(named)}; what is on this machine is reached directly")
    else:
        says = "other programs would look for this machine beyond the proxy; this package does not"
        rest = f",{found['no']}" if found.get("no") else ""
        yield note("Proxies", says, variable("no_proxy", f"{LOOPBACK}{rest}"))


def listed() -> list[tuple[str, str]]:
    """Return the variables and what they hold, without passwords."""
    found = getproxies_environment()
    return [
        (f"{name}_proxy", found[name] if name == "no" else address(found[name]))
        for name in sorted(found)
    ]


def usable(proxy: str) -> bool:
    """Tell whether a text can be a proxy's address: ``host:port`` alone will do."""
    try:
        parts = urlsplit(proxy if "//" in proxy else f"//{proxy}")
        return bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def address(text: str) -> str:
    """Return an address without the name, password and query that may be in it."""
    if text.startswith(("/", "~", ".")):
        return text  # a file
    scheme, between, rest = text.rpartition("://")
    # a password that is written wrong may hold what else would end the host's name
    secret, at, told = rest.rpartition("@")
    shown = re.split("[?#]", told)[0]
    if not at and not re.fullmatch(r"[^:]*(:\d*)?(/.*)?|\[.*", shown):
        return f"{scheme}{between}{shown.partition(':')[0]} (with what is no port)"
    return f"{scheme}{between}{shown}{' (with a password)' if secret else ''}"


def _two_spellings(scheme: str) -> Iterator[Finding]:
    small, large = f"{scheme}_proxy", f"{scheme}_proxy".upper()
    if {small, large} <= os.environ.keys() and os.environ[small] != os.environ[large]:
        says = f"{small} and {large} differ; here the small one counts, elsewhere perhaps the other"
        yield note("Proxies", says, same(large, small))
