"""The sign-in: where it is kept, who may read it, how long it holds, and whether it counts."""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING

from alcf_jupyter.connection import session
from alcf_jupyter.connection.client import Client
from alcf_jupyter.connection.deadline import words
from alcf_jupyter.connection.record import replay
from alcf_jupyter.connection.sign_in import globus, sources
from alcf_jupyter.connection.sign_in.account import of
from alcf_jupyter.connection.sign_in.credentials import SignIn
from alcf_jupyter.connection.sign_in.store import TokenFile
from alcf_jupyter.errors import AlcfError
from alcf_jupyter.notebook.doctor import service
from alcf_jupyter.notebook.doctor.finding import from_error, note, ok, problem
from alcf_jupyter.notebook.doctor.lines import alcf, quoted, shell, short

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alcf_jupyter.connection.profiles import Profile
    from alcf_jupyter.connection.sign_in.globus import Application
    from alcf_jupyter.connection.sign_in.grant import Grant
    from alcf_jupyter.notebook.doctor.finding import Finding


def check(*, offline: bool) -> list[Finding]:
    """Look at the variables and the stores; ask the service whom it takes one for.

    Parameters
    ----------
    offline
        Ask nobody.
    """
    try:
        profile = service.in_use()
    except AlcfError:
        return []  # which is what was found of the service
    if profile is None or not profile.is_alcf:
        return []  # another service takes no sign-in with Globus
    try:
        found = list(_kept())
        if not offline and not replay.playing() and not any(f.level == "problem" for f in found):
            found.append(_who(profile))
    except AlcfError as error:
        return [from_error("Sign-in", error)]
    return found


def _kept() -> Iterator[Finding]:
    account = [name for name in (sources.ENV_ACCOUNT, sources.ENV_SECRET) if _is_set(name)]
    if _is_set(sources.ENV_TOKEN):
        yield note("Sign-in", f"{sources.ENV_TOKEN} is set; it is used as it is, to its end")
    elif len(account) == 2:
        yield ok("Sign-in", "by a service account")
    elif account:
        says = f"{account[0]} is set, but a service account needs its id and its secret"
        yield problem("Sign-in", says, "Set both, or none")
    else:
        yield from _stored()


def _is_set(name: str) -> bool:
    return bool(os.environ.get(name, "").strip())


def _stored() -> Iterator[Finding]:
    """Look into the stores, in their order; the first token that counts is the one in use."""
    in_use, unfit = False, ""
    for application in (globus.current(), globus.OLDER):
        if not application.path.exists():
            continue
        yield from _modes(application)
        file = TokenFile(application.path)
        grant = file.read().get(globus.RESOURCE_SERVER)
        for told in file.notes:
            yield problem("Sign-in", short(told), alcf("login --force"))
        if grant is None or in_use:
            continue
        if why := _unfit(grant):
            unfit = unfit or f"the token in {short(application.path)} {why}"
        else:
            in_use = True
            yield _grant(application, grant)
    if not in_use:
        yield problem("Sign-in", unfit or "you are not signed in", alcf("login"))


def _unfit(grant: Grant) -> str:
    if globus.SCOPE not in grant.scopes:
        return "is not for this service"
    return "has ended" if grant.refresh is None and grant.expires_at <= time.time() else ""


def _modes(application: Application) -> Iterator[Finding]:
    """Say who may change the folder; the file's own mode is told, and mended, by reading it."""
    folder = application.path.parent
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o022:
        says = f"others may put files into {short(folder)} (mode {mode:o})"
        yield problem("Sign-in", says, shell(f"chmod 700 {quoted(folder)}"))


def _grant(application: Application, grant: Grant) -> Finding:
    left = grant.expires_at - time.time()
    since = ""
    if grant.signed_in_at is not None:
        day = time.strftime("%Y-%m-%d %H:%M", time.localtime(grant.signed_in_at))
        since = f" since {day}"
    holds = f"the token holds {words(left)}" if left > 0 else "the token has ended"
    then = "is refreshed by itself" if grant.refresh is not None else "is not refreshed"
    return ok("Sign-in", f"in {short(application.path)}{since}; {holds} and {then}")


def _who(profile: Profile) -> Finding:
    client = session.current().client or Client(profile, SignIn(profile.proxy))
    try:
        account = of(client)
    except AlcfError as error:
        return from_error("Sign-in", error)
    return ok("Sign-in", repr(account))
