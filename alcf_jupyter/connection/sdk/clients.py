"""An OpenAI client whose requests go through the one transport, and whose failures all raise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, overload

from alcf_jupyter.connection import loop
from alcf_jupyter.connection.deadline import Deadline
from alcf_jupyter.errors import AlcfError, UnknownClusterError
from alcf_jupyter.service.catalog import State

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

    from alcf_jupyter.connection.directory import Directory
    from alcf_jupyter.connection.http.transport import Transport
    from alcf_jupyter.connection.meter import Meter
    from alcf_jupyter.service.catalog import Catalog

SECONDS = 600.0
"""For one request. The gateway itself gives up on a model after 300 s; being told is better than
giving up before it."""

PLACEHOLDER = "sent-by-alcf-jupyter"
"""Stands where the client wants a key. The transport puts the token into the request."""

_LOOK_UP = "60s"


@overload
def openai(cluster: str | None = ..., *, asynchronous: Literal[False] = ...) -> OpenAI: ...
@overload
def openai(cluster: str | None = ..., *, asynchronous: Literal[True]) -> AsyncOpenAI: ...
def openai(cluster: str | None = None, *, asynchronous: bool = False) -> OpenAI | AsyncOpenAI:
    """Return an OpenAI client for a cluster, to use as it is or to hand to another library.

    Its requests go the way of all others: the same sign-in, pace, proxy and deadline, no
    redirects. Whatever the service reports inside a success (an error in the middle of a stream,
    one dressed as an answer, a stream without an end) raises an ``openai.APIError``. It holds no
    token, does not wait for a model that is not Live, and does not repeat a request.

    Parameters
    ----------
    cluster
        Name of the cluster; the one with the most Live models where not given.
    asynchronous
        Return an ``AsyncOpenAI``.

    Returns
    -------
    openai.OpenAI or openai.AsyncOpenAI
        Models go by their id on that cluster; ``models.list()`` lists them.

    Raises
    ------
    UnknownClusterError
        There is no such cluster; the message names those there are.
    SignInError, NoConnectionError, ServiceError
        The list of clusters could not be had.
    """
    from alcf_jupyter.connection.session import client

    if asynchronous:
        return client().openai(cluster, asynchronous=True)
    return client().openai(cluster)


def bound(
    transport: Transport,
    directory: Directory,
    meter: Meter,
    cluster: str | None,
    *,
    asynchronous: bool,
) -> OpenAI | AsyncOpenAI:
    """Return an OpenAI client on `transport`; see `openai`."""
    import httpx
    from openai import AsyncOpenAI, OpenAI

    from alcf_jupyter.connection.sdk import transport as sdk_transport

    base, name = _base(transport, directory, cluster)
    way = sdk_transport.Way(transport, directory, meter, base, name)
    address = f"{transport.profile.origin}{base}"
    if asynchronous:
        return AsyncOpenAI(
            api_key=PLACEHOLDER,
            base_url=address,
            max_retries=0,
            timeout=SECONDS,
            http_client=httpx.AsyncClient(transport=sdk_transport.AsyncTransport(way)),  # type: ignore[arg-type]
        )
    return OpenAI(
        api_key=PLACEHOLDER,
        base_url=address,
        max_retries=0,
        timeout=SECONDS,
        # version 3 is typed for httpx2 and takes a client of httpx as well
        http_client=httpx.Client(transport=sdk_transport.SyncTransport(way)),  # type: ignore[arg-type]
    )


def _base(transport: Transport, directory: Directory, cluster: str | None) -> tuple[str, str]:
    """Return the path that requests start with, and the cluster's name (none on other servers)."""
    profile = transport.profile
    if profile.name == "openai":
        if cluster is not None:
            raise UnknownClusterError(
                f"{profile} has no clusters.", do="Leave the cluster out:  alcf.openai()"
            )
        return profile.path, ""
    known = loop.run(directory.catalog(Deadline.after(_LOOK_UP)))
    name = known.cluster(cluster).name if cluster else _liveliest(known)
    paths = [model.path for model in known.models if model.cluster == name and model.path]
    if not paths:
        raise UnknownClusterError(
            f"{name} serves no model to this account.",
            why=f"Clusters here: {', '.join(c.name for c in known.clusters)}.",
            do="See what there is:  %alcf models",
        )
    # a cluster may have small frameworks beside the one that chats
    path = max(dict.fromkeys(paths), key=paths.count)
    return (f"{path}/v1" if profile.is_gateway else path), name


def _liveliest(known: Catalog) -> str:
    live = [model.cluster for model in known.models if model.state is State.LIVE]
    names = [cluster.name for cluster in known.clusters]
    if not names:
        raise AlcfError(
            "The service lists no clusters for this account.", do="Look at it:  %alcf status"
        )
    return max(names, key=live.count)
