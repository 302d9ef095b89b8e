"""Signing in, wherever it happens: a panel, a question, or an error that names the other ways."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from alcf_jupyter.errors import (
    AlcfError,
    CodeRefusedError,
    NotSignedInError,
    SignInError,
    UsageError,
)
from alcf_jupyter.notebook.surface import Surface, surface
from alcf_jupyter.shell import running_shell
from alcf_jupyter.typed import in_a_shell

if TYPE_CHECKING:
    from alcf_jupyter.connection.client import Client
    from alcf_jupyter.connection.sign_in.account import Account
    from alcf_jupyter.connection.sign_in.login import LoginFlow

_TRIES = 3

_flow: LoginFlow | None = None


def login(force: bool = False, *, text: bool = False) -> Account | None:  # noqa: FBT001, FBT002
    """Sign in to the ALCF Inference Endpoints, once; nobody who is signed in is asked.

    In a notebook a panel appears, with a link to open and a field for the code that comes back. It
    works while no cell runs, so this does not wait for it.

    Parameters
    ----------
    force
        Sign in afresh even so, with the password: what a policy of the service asks for now and
        then. Refreshing a token does not help against it.
    text
        Ask with a plain prompt, for front ends that show no widgets.

    Returns
    -------
    Account or None
        Who you are; None where the panel was shown.

    Raises
    ------
    NotSignedInError
        Nobody can be asked here; the message names three other ways.
    SignInError, NoConnectionError
        Globus or the service refused, or cannot be reached.
    """
    client = _client()
    if not force:
        account, force = _already(client)
        if account is not None:
            return account
    _check_variables()
    where = _where()
    if where is Surface.HEADLESS:
        from alcf_jupyter.connection.sign_in.sources import WAYS

        raise NotSignedInError(
            "You are not signed in, and nobody can be asked here.",
            why="The notebook runs without a person, or standard input is not a terminal.",
            do=WAYS,
        )
    flow = _open(client, force=force)
    if where is Surface.NOTEBOOK and not text and find_spec("ipywidgets"):
        from alcf_jupyter.notebook.widgets.sign_in import show

        show(flow, client)
        return None
    return _ask(flow, client)


def offer(error: SignInError) -> None:
    """Show the panel below a cell that failed for want of a sign-in, where somebody can click."""
    if not error.remedy or _where() is not Surface.NOTEBOOK or not find_spec("ipywidgets"):
        return
    from alcf_jupyter.notebook.widgets.sign_in import show

    client = _client()
    try:
        show(_open(client, force=error.remedy == "force"), client, again=True)
    except AlcfError as trouble:  # an error of its own would hide the cell's
        print(trouble)  # noqa: T201


def _client() -> Client:
    """Return the client in use if it is ALCF's, else another: signing in is for ALCF alone."""
    from alcf_jupyter.connection import session
    from alcf_jupyter.connection.client import Client
    from alcf_jupyter.connection.profiles import resolve
    from alcf_jupyter.connection.sign_in.credentials import SignIn

    now = session.current().client
    if now is None and os.environ.get("ALCF_JUPYTER_SERVICE", "").startswith("http"):
        now = session.client()
    if now is not None and isinstance(now.credential, SignIn):
        return now
    proxy = now.profile.proxy if now else None
    return Client(resolve("alcf", proxy=proxy), SignIn(proxy))


def _already(client: Client) -> tuple[Account | None, bool]:
    """Return who is signed in, or None and whether a new login is due."""
    from alcf_jupyter.connection.sign_in import account, signed_in

    client.credential.forget()
    try:
        found = account.of(client)
    except SignInError as error:
        if not error.remedy:
            raise
        return None, error.remedy == "force"
    signed_in.tell()  # perhaps in a terminal, while something here waited for it
    return found, False


def _check_variables() -> None:
    """Refuse a sign-in that would change nothing: these variables come first."""
    from alcf_jupyter.connection.sign_in import sources

    for name in (sources.ENV_TOKEN, sources.ENV_ACCOUNT):
        if os.environ.get(name, "").strip():
            raise UsageError(
                f"{name} is set, and comes before any sign-in.",
                do=f"Unset it first:  %env {name}=",
            )


def _where() -> Surface:
    shell = running_shell()
    where = Surface.TERMINAL if shell is None else surface(shell)
    if where is Surface.TERMINAL and not (sys.stdin and sys.stdin.isatty()):
        return Surface.HEADLESS
    return where


def _open(client: Client, *, force: bool) -> LoginFlow:
    """Return the flow that is open, whose link may be in a browser already, or a new one."""
    global _flow  # noqa: PLW0603 - one sign-in at a time is what a person does
    from alcf_jupyter.connection import worker
    from alcf_jupyter.connection.sign_in import globus
    from alcf_jupyter.connection.sign_in.login import LoginFlow

    flow = _flow
    known = flow is not None and not flow.done and flow.force >= force
    if flow is None or not known or not flow.url.startswith(globus.auth_url()):
        flow = _flow = worker.wait(lambda: LoginFlow(force=force, proxy=client.profile.proxy))
    return flow


def link_line(flow: LoginFlow) -> str:
    """Return the line of text that stands above every way to type the code."""
    return f"To sign in to the ALCF Inference Endpoints, open this link:\n{flow.url}\n"


def _ask(flow: LoginFlow, client: Client) -> Account:
    from getpass import getpass

    from alcf_jupyter.connection.sign_in import account

    print(link_line(flow))  # noqa: T201 - the prompt of a terminal
    for left in reversed(range(_TRIES)):
        try:
            flow.finish(getpass("Then paste the code it shows (it stays hidden): "))
            break
        except CodeRefusedError as error:
            if not left:
                raise
            print(error if running_shell() else in_a_shell(error.message))  # noqa: T201
        except EOFError:
            raise NotSignedInError("No code was given.", do="Type:  alcf-jupyter login") from None
    client.credential.forget()
    for note in flow.notes:
        print(f"Note: {note}")  # noqa: T201
    return account.of(client)
