"""Where to talk to: ALCF's service, the local stand-in, a gateway elsewhere, any OpenAI server."""

from __future__ import annotations

import ipaddress
import math
import os
import re
from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import urlsplit, urlunsplit
from urllib.request import getproxies_environment

from alcf_jupyter.connection import site_file
from alcf_jupyter.errors import UsageError
from alcf_jupyter.names import nearest
from alcf_jupyter.plain import brief
from alcf_jupyter.service import limits
from alcf_jupyter.typed import named

ALCF_URL = "https://inference-api.alcf.anl.gov/resource_server"
"""Public base address of the gateway (ALCF user guide, 2026-08-19)."""

_ALCF_ORIGIN = "https://inference-api.alcf.anl.gov"
ALCF_PROXY = "http://proxy.alcf.anl.gov:3128"
_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[\w-]{1,63}(?:\.[\w-]{1,63}){0,126}\.?")
ENV_SERVICE = "ALCF_JUPYTER_SERVICE"
ENV_DEMO = "_ALCF_JUPYTER_DEMO"
_FIRST_IN_SANDBOX = ("sandbox/echo", "sandbox/summary", "sandbox/json")


@dataclass(frozen=True, slots=True)
class Profile:
    """One place to talk to.

    Attributes
    ----------
    name
        ``"alcf"``, ``"sandbox"``, ``"gateway"``, ``"openai"``, or ``"metis"`` for direct endpoints.
    url
        Base address without a slash at its end; a gateway's ends in ``/resource_server``.
    requests_per_second
        The most to send, None for no limit.
    poll_seconds
        How often the queue is looked at.
    proxy
        Proxy to use in place of what the environment says; not shown, a password may be in it.
    mount
        The folder that stands for the root of the clusters' file system; ``""``: it is where it
        says, or not on this machine.
    """

    name: Literal["alcf", "sandbox", "gateway", "openai", "metis"]
    url: str
    requests_per_second: float | None = None
    poll_seconds: float = limits.JOBS_CACHE_SECONDS
    proxy: str | None = field(default=None, repr=False)
    mount: str = ""

    @property
    def is_gateway(self) -> bool:
        """Whether it speaks the gateway's dialect (clusters, jobs, batches)."""
        return self.name not in ("openai", "metis")

    @property
    def first_models(self) -> tuple[str, ...]:
        """Which models are proposed first to somebody who has chosen none."""
        return _FIRST_IN_SANDBOX if self.name == "sandbox" else ()

    @property
    def takes_arrays(self) -> bool:
        """Whether an array of chats may be sent in one request."""
        return self.name == "metis"

    @property
    def origin(self) -> str:
        """Scheme, host and port: the only place requests go to."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def path(self) -> str:
        """Path of the base address on its host, without a slash at its end."""
        return self.url.removeprefix(self.origin)

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine."""
        return is_loopback(urlsplit(self.url).hostname or "")

    @property
    def is_alcf(self) -> bool:
        """Whether what opens ALCF's service may be sent there.

        That is ALCF's own host; and a gateway of this machine where the sign-in is one of this
        machine, too, as in tests.
        """
        if self.url.startswith(f"{_ALCF_ORIGIN}/"):
            return True
        auth = urlsplit(os.environ.get("GLOBUS_SDK_SERVICE_URL_AUTH", "")).hostname or ""
        return self.is_gateway and self.is_loopback and is_loopback(auth)

    def proxy_now(self) -> str | None:
        """Return the proxy to use at this moment, as `proxy_to` finds it."""
        return proxy_to(self.url, self.proxy)

    def __str__(self) -> str:
        names = {
            "alcf": "the ALCF Inference Endpoints",
            "sandbox": "the sandbox, a local stand-in and not ALCF's service",
            "metis": "a direct Metis endpoint",
        }
        return names.get(self.name, self.url)


def whom(model: str, cluster: str | None, service: str) -> str:
    """Return a model and its cluster, and the sandbox where the model's name does not say so.

    The sandbox can serve under the names of real models; nobody is to take it for them.

    Parameters
    ----------
    model, cluster
        As the service calls them.
    service
        The name of its profile.
    """
    told = f"{model} @ {cluster}" if cluster else model
    disguised = service == "sandbox" and not model.startswith("sandbox/")
    return f"{told} · local sandbox" if disguised else told


def is_loopback(host: str) -> bool:
    """Tell whether `host` is an address of this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def proxy_to(url: str, given: str | None = None) -> str | None:
    """Return the proxy to use at this moment: the given one, the environment's, then the site's.

    There is none for addresses of this machine, whatever is set.

    Parameters
    ----------
    url
        What is asked.
    given
        What ``connect(proxy=…)`` was told; ``""`` for none at all.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host):
        return None
    if given is not None:
        return _with_scheme(given)
    proxies = getproxies_environment()
    if _bypassed(host, parts.port or _PORTS[parts.scheme], proxies.get("no", "")):
        return None
    named = proxies.get(parts.scheme) or proxies.get("all")
    return _with_scheme(named or (site_file.read().proxy if parts.scheme == "https" else None))


def place(proxy: str) -> str:
    """Return the host and port of a proxy's address: what may be shown of it.

    Parameters
    ----------
    proxy
        Its address as it was set; a name and a password may stand in it, also in a wrong way.
    """
    host = re.split(r"[/?#]", proxy.rpartition("@")[2].rpartition("://")[2])[0]
    # without an @ it may be a name and a password; an IPv6 address ends in a bracket
    return host if re.fullmatch(r"[^:]*(:\d+)?|\[[^]]*\](:\d+)?", host) else host.partition(":")[0]


def _with_scheme(proxy: str | None) -> str | None:
    """Return a proxy's address; ``host:port`` alone is as common as ``http://host:port``."""
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy or None


def _bypassed(host: str, port: int, no_proxy: str) -> bool:
    """Tell whether ``no_proxy`` names a host, in any of the forms that are in use.

    Those are a host, ``.domain`` and ``*.domain``, an address or a network, each with a port or
    without one, and ``*``.
    """
    return any(_names(entry.casefold(), host, port) for entry in re.split(r"[,\s]+", no_proxy))


def _names(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    # an IPv6 address has a port only behind brackets
    if found := re.fullmatch(r"(\[[^]]*\]|[^:]*):(\d{1,5})", entry):
        if int(found[2]) != port:
            return False
        entry = found[1]
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        name = entry.removeprefix("*").strip(".")
        return bool(name) and f".{host}".endswith(f".{name}")


def resolve(
    target: str,
    *,
    proxy: str | None = None,
    poll_seconds: float | None = None,
) -> Profile:
    """Return the profile for what was given to ``connect``, but for the sandbox's address.

    Raises
    ------
    UsageError
        `target` is none of the things one can connect to, or `poll_seconds` is set for a service
        that is not on this machine.
    """
    target = target.strip()
    if target == "alcf":
        profile = Profile("alcf", ALCF_URL, limits.REQUESTS_PER_SECOND, proxy=proxy)
    elif target == "sandbox":
        profile = Profile("sandbox", "http://127.0.0.1/resource_server", proxy=proxy)
    elif target[:8].casefold().startswith(("http://", "https://")):
        profile = _from_url(target, proxy)
    else:
        near = nearest(target, ["alcf", "sandbox"])
        raise UsageError(
            # what stands before an @ may be a password
            f"Cannot connect to {brief(target.rsplit('@', 1)[-1], 80)!r}.",
            why="It takes alcf, sandbox, an http:// or https:// address, or an endpoint's file.",
            do=f"Type:  %alcf connect {near[0] if near else 'alcf'}",
        )
    if poll_seconds is None:
        return profile
    if not profile.is_loopback:
        raise UsageError(
            f"{named('poll_seconds')} is for services on this machine.",
            why="ALCF's tells nothing new within 60 s.",
            do="Leave it out.",
        )
    if not isinstance(poll_seconds, (int, float)) or not 0 < poll_seconds < math.inf:
        raise UsageError(
            f"{named('poll_seconds')} is followed by a number of seconds.", do="Leave it out."
        )
    return replace(profile, poll_seconds=float(poll_seconds))


def _from_url(target: str, proxy: str | None) -> Profile:
    try:
        parts = urlsplit(target)
        _ = parts.port
        host = parts.hostname or ""
        if ":" not in host and not _HOST.fullmatch(host):
            host = ""
    except ValueError:
        host = ""
    if not host or parts.username is not None:
        raise UsageError(
            "That address cannot be used: it needs a host and must hold no name or password.",
            do="Type:  alcf.connect('https://host/v1', token=…)",
        )
    path = parts.path.rstrip("/")
    gateway = path.endswith("/resource_server")
    netloc = parts.netloc.casefold().removesuffix(f":{_PORTS[parts.scheme]}")
    url = urlunsplit((parts.scheme, netloc, path if gateway else path or "/v1", "", ""))
    if gateway:
        name: Literal["alcf", "gateway"] = "alcf" if url == ALCF_URL else "gateway"
        return Profile(name, url, limits.REQUESTS_PER_SECOND, proxy=proxy)
    return Profile("openai", url, None, proxy=proxy)


def from_environment() -> str | None:
    """Return what `ALCF_JUPYTER_SERVICE` asks for, or None."""
    return os.environ.get(ENV_SERVICE, "").strip() or None


def usual() -> str:
    """Return what is talked to where nothing is asked for: ALCF's service, in the demo another."""
    return os.environ.get(ENV_DEMO) or "alcf"
