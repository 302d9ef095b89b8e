"""%alcf login, logout and whoami: signing in and out, and who one is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alcf_jupyter.errors import UsageError
from alcf_jupyter.notebook.line import options
from alcf_jupyter.notebook.line.parser import Parser

if TYPE_CHECKING:
    from argparse import Namespace


def login(line: str) -> str | None:
    """Sign in with Globus: ``%alcf login [--force]``."""
    from alcf_jupyter.notebook.sign_in import login as sign_in

    chosen = _read(options.login_parser(), line)
    account = sign_in(chosen.force, text=chosen.text)
    lines = [str(account) if account else "", _elsewhere()]
    return "\n".join(filter(None, lines)) or None


def logout(line: str) -> str:
    """Sign out, and delete the tokens: ``%alcf logout [--all]``."""
    from alcf_jupyter.connection.sign_in.account import logout as sign_out

    chosen = _read(options.logout_parser(), line)
    return sign_out(chosen.all)


def whoami(line: str) -> str:
    """See who you are signed in as: ``%alcf whoami``."""
    from alcf_jupyter.connection.sign_in import account

    _read(Parser("%alcf whoami", "Who you are signed in as."), line)
    return str(account.whoami())


def _elsewhere() -> str:
    """Say that cells ask a service for which nobody signs in, if they do."""
    from alcf_jupyter.connection import session
    from alcf_jupyter.connection.sign_in.credentials import SignIn

    client = session.current().client
    if client is None or isinstance(client.credential, SignIn):
        return ""
    return f"Cells here go on asking {client.profile}.\nTo ask ALCF:  %alcf connect alcf"


def _read(parser: Parser, line: str) -> Namespace:
    chosen, rest = parser.read(line)
    if rest:
        raise UsageError(
            f"{parser.magic} takes no words, only its options.",
            why="A code is never typed here: a line that is run stays in the history."
            if "login" in parser.magic
            else "",
            do=f"Type:  {parser.magic}",
        )
    return chosen
