"""Whether the service answers, asked without a token."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from alcf_jupyter.connection import endpoint_file, profiles, session
from alcf_jupyter.connection.client import Client
from alcf_jupyter.connection.record import replay
from alcf_jupyter.connection.sign_in.credentials import Credential
from alcf_jupyter.errors import AlcfError, SignInError
from alcf_jupyter.notebook.doctor.finding import from_error, note, ok, problem
from alcf_jupyter.notebook.doctor.lines import quoted, shell, short
from alcf_jupyter.notebook.doctor.proxies import address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alcf_jupyter.connection.profiles import Profile
    from alcf_jupyter.notebook.doctor.finding import Finding

SECONDS = 5.0
"""How long an answer is waited for."""


def check(*, offline: bool) -> list[Finding]:
    """Ask the service that is connected, or would be, for a sign of life.

    Parameters
    ----------
    offline
        Ask nothing.
    """
    try:
        return list(_asked(offline=offline))
    except AlcfError as error:
        return [from_error("Service", error)]


def in_use() -> Profile | None:
    """Return where a notebook is connected to, or would be; None for a sandbox still to start.

    Raises
    ------
    UsageError
        What the environment asks for cannot be used.
    """
    client = session.current().client
    if client is not None:
        return client.profile
    target = profiles.from_environment() or profiles.usual()
    if endpoint_file.is_meant(target):
        return endpoint_file.read(endpoint_file.find(target)[0]).profile
    profile = profiles.resolve(target)
    return None if profile.name == "sandbox" else profile


def _asked(*, offline: bool) -> Iterator[Finding]:
    profile = in_use()
    if profile is None:
        yield ok("Service", "the sandbox, which is started when it is needed")
        return
    yield from _endpoint_files()
    where = str(profile)
    if offline or replay.playing():
        yield note("Service", f"{where}: not asked{'' if offline else ', as answers are played'}")
        return
    proxy = profile.proxy_now()
    through = f"through {address(proxy)}" if proxy else "directly"
    begun = time.monotonic()
    try:
        _sign_of_life(profile)
    except SignInError:
        pass  # it answers, and wants to know who asks: that is what it was asked for
    except AlcfError as error:
        yield from_error("Service", error)
        return
    yield ok("Service", f"{where} answers {through}, after {time.monotonic() - begun:.1f} s")


def _sign_of_life(profile: Profile) -> None:
    stranger = Client(profile, Credential(None, "nobody"))
    if profile.is_gateway:
        stranger.whoami(timeout=SECONDS)
    else:
        stranger.models(timeout=SECONDS)


def _endpoint_files() -> Iterator[Finding]:
    target = profiles.from_environment()
    if not target or not endpoint_file.is_meant(target):
        return
    for path in endpoint_file.find(target):
        if endpoint_file.read(path).open_to_others:
            says = f"{short(path)} holds a key and is open to others"
            yield problem("Service", says, shell(f"chmod 600 {quoted(path)}"))
