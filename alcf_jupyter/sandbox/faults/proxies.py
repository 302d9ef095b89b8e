"""Faults of what stands in between: web servers, proxies, portals."""

# ruff: noqa: D401  # a fault's docstring is what is listed of it: what happens
from __future__ import annotations

from alcf_jupyter.sandbox.answers import HTML, JSON, Answer, page, proxy_page

from .fault import ANY, Fault, Occasion, add, fault

PORTAL = (
    "<!doctype html><html><head><title>Guest network</title></head><body><h1>Welcome</h1>"
    "<form method=post action=/login><p>Accept the terms to go on.</p><button>Accept</button>"
    "</form></body></html>"
)
MAINTENANCE = (
    "<!doctype html><html><head><title>Maintenance</title></head><body><h1>We are down for "
    "maintenance</h1><p>Please come back later.</p></body></html>"
)
ELSEWHERE = "http://elsewhere.invalid/resource_server"


def _page_of_proxy(status: int, reason: str) -> None:
    async def answer(_occasion: Occasion) -> Answer:
        return proxy_page(status, reason)

    summary = f"{status} in HTML, from the web server in front of the gateway."
    add(Fault(f"proxy-{status}", summary, ANY, instead=answer))


for _status, _reason in (
    (407, "Proxy Authentication Required"),
    (413, "Request Entity Too Large"),
    (500, "Internal Server Error"),
    (502, "Bad Gateway"),
    (503, "Service Temporarily Unavailable"),
    (504, "Gateway Time-out"),
):
    _page_of_proxy(_status, _reason)


@fault("instead")
async def maintenance_page(_occasion: Occasion) -> Answer:
    """503 in HTML: the whole service is down for maintenance."""
    return page(503, MAINTENANCE)


@fault("instead")
async def captive_portal(_occasion: Occasion) -> Answer:
    """200 with the log-in page of some network."""
    return page(200, PORTAL)


@fault("instead")
async def html_as_json(_occasion: Occasion) -> Answer:
    """200 with a page that says it is JSON."""
    return Answer(200, content=PORTAL.encode(), content_type=JSON)


def _redirect(occasion: Occasion, base: str) -> Answer:
    status = int(occasion.number("status", 307))
    place = base + occasion.request.path.removeprefix("/resource_server")
    return Answer(status, content=b"", content_type=HTML, headers=[("location", place)])


@fault("instead")
async def redirect_same_host(occasion: Occasion) -> Answer:
    """A redirect to another path here; parameter `status` (307)."""
    return _redirect(occasion, "/resource_server/moved")


@fault("instead")
async def redirect_other_host(occasion: Occasion) -> Answer:
    """A redirect to another host; parameters `status` (307) and `to`."""
    return _redirect(occasion, occasion.text("to", ELSEWHERE))


@fault("instead")
async def redirect_to_http(occasion: Occasion) -> Answer:
    """A redirect to the gateway's own name over http; parameter `status` (307)."""
    return _redirect(occasion, "http://inference-api.alcf.anl.gov/resource_server")
