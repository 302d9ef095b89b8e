"""What this kernel is connected to, and the models it uses unless told otherwise."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from alcf_jupyter.connection import endpoint_file, other_tools, profiles, site_file
from alcf_jupyter.connection.client import Client
from alcf_jupyter.connection.record import replay
from alcf_jupyter.connection.sign_in.credentials import Credential, SignIn
from alcf_jupyter.errors import (
    ModelNotChosenError,
    NoConnectionError,
    UnknownModelError,
    UsageError,
)
from alcf_jupyter.plain import brief
from alcf_jupyter.service.proposals import proposals
from alcf_jupyter.typed import here, named
from alcf_jupyter.user_warning import warn

if TYPE_CHECKING:
    from typing import Any

    from alcf_jupyter.service.catalog import Model

_NOWHERE = "https://endpoint.invalid/v1"
ENV_CHAT = "ALCF_JUPYTER_MODEL"
ENV_EMBED = "ALCF_JUPYTER_EMBED_MODEL"


@dataclass(slots=True)
class Session:
    """The current client, the default models and the aliases."""

    client: Client | None = None
    chat: str | None = None
    embed: str | None = None
    aliases: dict[str, str] = field(default_factory=dict)
    overridden: str | None = None
    """What the last ``connect`` asked for, where the environment asked for another."""


_session = Session()
_connecting = threading.Lock()


def current() -> Session:
    """Return the session of this kernel."""
    return _session


def connect(
    target: str | None = None,
    *,
    token: str | None = None,
    proxy: str | None = None,
    poll_seconds: float | None = None,
    aliases: Mapping[str, str] | None = None,
) -> Client:
    """Choose the service to talk to, from now on and in the whole kernel.

    Nothing is sent yet, and nobody has to be signed in yet. The environment variable
    ``ALCF_JUPYTER_SERVICE`` wins over `target`, so that a notebook can be run elsewhere as it is,
    and a warning says so; the options are for `target`, and where another service is taken none of
    them counts.

    Parameters
    ----------
    target
        ``"alcf"`` (the default; the demo has another), ``"sandbox"`` (the local stand-in), the
        address of any OpenAI-compatible server, or of a gateway (ending in ``/resource_server``),
        or the file of a direct Metis endpoint, or a pattern for several such files.
    token
        A ready token. Another host than ALCF's is sent no other token than this one.
    proxy
        Proxy to use in place of what the environment and the site say; ``""`` for none.
    poll_seconds
        How often the queue is looked at, for services on this machine only.
    aliases
        For the sandbox: names to serve, each with the sandbox's model that answers for it.

    Returns
    -------
    Client
        The client, which is also what `client` returns from now on.

    Raises
    ------
    UsageError
        `target` or an option cannot be used.
    UnreachableError
        The sandbox did not start.
    """
    if not isinstance(target, str | None):
        raise UsageError(
            f"connect takes the name or address of a service, not a {type(target).__name__}.",
            do="Type:  alcf.connect('alcf')",
        )
    made = choose_service(target, token, proxy, poll_seconds, aliases)
    if says := overruled():
        warn(f"Connected to {made.profile}. {says}")
    if target is None and (says := other_tools.hint()):
        warn(f"Connected to {made.profile}. {says}")
    return made


def choose_service(
    target: str | None = None,
    token: str | None = None,
    proxy: str | None = None,
    poll_seconds: float | None = None,
    aliases: Mapping[str, str] | None = None,
) -> Client:
    """Do what `connect` does, and leave it to the caller to say what `overruled` returns."""
    asked, wanted = profiles.from_environment(), (target or profiles.usual()).strip()
    if asked and asked != wanted:
        # the options are for the service that is not connected to; a token most of all
        made = _client(asked, None, None, None, None)
    else:
        made = _client(wanted, token, proxy, poll_seconds, aliases)
    with _connecting:
        _session.overridden = wanted if asked and target and asked != wanted else None
        _session.client = made
    return made


def overruled() -> str:
    """Say how to have what the last ``connect`` asked for in vain, ``""`` if it did not."""
    wanted = _session.overridden
    if wanted is None:
        return ""
    if not endpoint_file.is_meant(wanted):  # what stands before an @ or behind a ? may be a secret
        wanted = re.split(r"[?#]", wanted, maxsplit=1)[0].rsplit("@", 1)[-1]
    return here(
        f"{profiles.ENV_SERVICE} asks for this in place of {brief(wanted, 80)!r}. For that type:  "
        f"%env {profiles.ENV_SERVICE}=  and run the cell again."
    )


def _client(
    target: str,
    token: str | None,
    proxy: str | None,
    poll_seconds: float | None,
    aliases: Mapping[str, str] | None,
) -> Client:
    if endpoint_file.is_meant(target):
        return _endpoints(target, token, proxy)
    profile = profiles.resolve(target, proxy=proxy, poll_seconds=poll_seconds)
    if aliases and profile.name != "sandbox":
        raise UsageError(
            "aliases= is for the sandbox; a real service keeps its own names.",
            do="Leave aliases out, or:  alcf.connect('sandbox', aliases={…})",
        )
    if profile.name == "sandbox":
        profile, credential = _sandbox(_named(aliases or {}), poll_seconds)
    elif token is None and profile.is_alcf:
        credential = SignIn(proxy)
    else:
        given = None if token is None else token.strip()
        credential = Credential(given, "no token" if token is None else "connect(token=…)")
    return Client(profile, credential)


def _endpoints(target: str, token: str | None, proxy: str | None) -> Client:
    from alcf_jupyter.connection.endpoints import EndpointDirectory, Endpoints

    if token is not None:
        raise UsageError(
            "The files of Metis endpoints hold their keys; token= is for other services.",
            do=f"Leave token out:  alcf.connect({target!r})",
        )
    if replay.plays():  # nothing is sent, so nobody needs a key
        return Client(profiles.Profile("metis", _NOWHERE), Credential(None, "the record"))
    endpoints = Endpoints(endpoint_file.find(target), proxy)
    for file in endpoints.files:
        if file.open_to_others:
            words = f"Other users can get at {file.path}, which holds a key; type:  "
            warn(here(f"{words}!chmod 600 {file.path}"))
    way = (endpoints, EndpointDirectory(endpoints))
    return Client(endpoints.profile, endpoints.credential, way)


def _named(aliases: Any) -> Mapping[str, str]:
    if isinstance(aliases, Mapping):
        parts = [part for pair in aliases.items() for part in pair]
        if all(isinstance(part, str) and part.strip() for part in parts):
            return aliases
    raise UsageError(
        "aliases= takes names, each with a model of the sandbox.",
        do="Write:  alcf.connect('sandbox', aliases={'my/model': 'sandbox/echo'})",
    )


def _sandbox(
    aliases: Mapping[str, str], poll_seconds: float | None
) -> tuple[profiles.Profile, Credential]:
    from alcf_jupyter.connection import standin

    if replay.plays():  # nothing is sent, so nothing has to run
        return profiles.Profile("sandbox", standin.NOWHERE), Credential(None, "the sandbox")
    running = standin.start(aliases)
    profile = profiles.Profile(
        "sandbox",
        running.url,
        standin.REQUESTS_PER_SECOND,
        poll_seconds or standin.POLL_SECONDS,
        mount=running.root,
    )
    return profile, Credential(standin.secret_of(running), "the sandbox")


def client() -> Client:
    """Return the current client; ALCF's service unless `connect` or the environment says other."""
    if _session.client is None:
        made = _client(profiles.from_environment() or profiles.usual(), None, None, None, None)
        with _connecting:
            # a thread that only looks, such as the panel's, undoes no connect of the notebook
            _session.client = _session.client or made
    return _session.client


def use(
    chat: str | None = None, embed: str | None = None, *, alias: str | None = None
) -> dict[str, str | None]:
    """Set the models to use where none is named.

    Parameters
    ----------
    chat, embed
        Model ids or aliases; None leaves the default as it is.
    alias
        A short name for the model, which can be used in its place from now on.

    Returns
    -------
    dict
        As `defaults` returns it.

    Raises
    ------
    UnknownModelError
        The service has no such model; the message names the nearest.
    UsageError
        The alias is not one word, or stands for no model or for two.
    """
    check_alias(alias)
    chosen = {kind: _checked(name) for kind, name in (("chat", chat), ("embed", embed)) if name}
    if alias is not None and len(set(chosen.values())) != 1:
        raise UsageError(
            "An alias is a short name of one model.",
            do=f"Type:  alcf.use('MODEL', alias={alias!r})",
        )
    for kind, name in chosen.items():
        setattr(_session, kind, name)
        client().favour(name)
        if alias:
            _session.aliases[alias] = name
    return defaults()


def check_alias(alias: str | None) -> None:
    """Raise unless this can be a model's short name, or is none.

    Raises
    ------
    UsageError
        It is not one word.
    """
    if alias is None:
        return
    if not isinstance(alias, str) or not alias.replace("-", "_").isidentifier():
        raise UsageError(
            f"{brief(alias, 60)!r} cannot be an alias: it takes letters, digits, - and _.",
            do="Write it like:  %alcf use MODEL as short-name",
        )


def defaults() -> dict[str, str | None]:
    """Return the models in use where none is named: ``{"chat": …, "embed": …}``."""
    sites = site_file.read().models
    return {
        "chat": _session.chat or os.environ.get(ENV_CHAT) or sites.get("chat"),
        "embed": _session.embed or os.environ.get(ENV_EMBED) or sites.get("embed"),
    }


def _checked(name: str) -> str:
    """Return the model's id as the service spells it, or as given where it cannot be asked now."""
    _check_text(name)
    name = _session.aliases.get(name, name)
    talk = client()
    try:
        return talk.models().find(name).id
    except UnknownModelError as error:
        talk.add_who(error)
        raise
    except NoConnectionError:
        return name


def choose(model: str | None, kind: str) -> str:
    """Return the model to use: `model` if given, else the default for ``"chat"`` or ``"embed"``.

    Raises
    ------
    ModelNotChosenError
        None is named or set; the message lists Live ones as lines to paste.
    """
    name = model or defaults()[kind]
    if name:
        _check_text(name)
        return _session.aliases.get(name, name)
    talk = client()
    found = proposals(talk.models(), embedding=kind == "embed", favoured=talk.favoured)
    flag = "" if kind == "chat" else "--embed "
    lines = [f"  %alcf use {flag}{m.id}{_state_note(m)}" for m in found]
    raise ModelNotChosenError(
        f"No model was chosen. Name one with {named('model')} or choose one to use from now on.",
        do="\n".join(["Type one of these:", *lines]) if lines else "See:  %alcf status",
    )


def _check_text(name: object) -> None:
    if not isinstance(name, str):
        raise UsageError(
            f"A model is named by a text, not by a {type(name).__name__}.",
            do="See what there is:  %alcf models",
        )


def _state_note(model: Model) -> str:
    return f"    # {model.state} on {model.cluster}"
