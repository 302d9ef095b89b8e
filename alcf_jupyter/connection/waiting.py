"""alcf.wait_until_live: wait for a model before there is anything to ask it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alcf_jupyter.connection.call import Call, smallest
from alcf_jupyter.connection.deadline import Deadline
from alcf_jupyter.connection.session import choose, client
from alcf_jupyter.progress import StderrObserver

if TYPE_CHECKING:
    from alcf_jupyter.connection.client import Client
    from alcf_jupyter.progress import Observer
    from alcf_jupyter.service.catalog import Model


def wait_until_live(
    model: str | None = None,
    cluster: str | None = None,
    timeout: str | float = "30m",
    *,
    observer: Observer | None = None,
) -> Model:
    """Wait until a model is Live, starting it if a request can, and answers one small request.

    Parameters
    ----------
    model, cluster
        Which model; the default for chat set with `use` where not given.
    timeout
        Seconds, or words such as ``"30m"``.
    observer
        Told how the queue is; stderr by default.

    Returns
    -------
    Model
        The model as the service describes it now.

    Raises
    ------
    NotLiveError
        A request cannot start it; the message names models that are Live.
    DeadlineError
        The time has passed; the message says in which state the model was.
    UnknownModelError, SignInError, NoConnectionError, ServiceError
        See `errors`.
    """
    return wait_at(client(), model, cluster, timeout, observer=observer)


def wait_at(
    talk: Client,
    model: str | None,
    cluster: str | None,
    timeout: str | float,
    *,
    observer: Observer | None = None,
) -> Model:
    """Do what `wait_until_live` does, at one service, whatever is connected to meanwhile."""
    call = _call(talk, model, cluster, timeout)
    told = observer or StderrObserver()
    if call.route == "embeddings":
        talk.embed(call, told)
    else:
        talk.chat(call, told)
    return call.served or talk.known.find(call.model, call.cluster)


def _call(talk: Client, model: str | None, cluster: str | None, timeout: str | float) -> Call:
    """Return the call that waits for a model: the smallest one of the kind it answers."""
    deadline = Deadline.after(timeout)
    name = choose(model, "chat")
    found = talk.models(timeout=deadline.left()).find(name, cluster)
    embeds = found.can_embed or (found.can_embed is not False and found.looks_like_embedding)
    route = "embeddings" if embeds and not found.can_chat else "chat/completions"
    return Call(route, found.id, found.cluster, smallest(route), deadline)
