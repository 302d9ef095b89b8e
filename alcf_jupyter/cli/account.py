"""The commands about signing in: login, logout, whoami, token and token-expiry."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from alcf_jupyter.errors import UsageError
from alcf_jupyter.typed import in_a_shell

if TYPE_CHECKING:
    import argparse

UNITS = {"seconds": 1.0, "minutes": 60.0, "hours": 3600.0}


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands to those of ``alcf-jupyter``."""
    login = commands.add_parser("login", help="sign in with Globus, once for notebooks and shell")
    login.set_defaults(run=_login)
    login.add_argument("--force", action="store_true", help="afresh, as a policy asks now and then")

    logout = commands.add_parser("logout", help="sign out, and delete the tokens")
    logout.set_defaults(run=_logout)
    logout.add_argument(
        "--all", action="store_true", help="also of what else ALCF's tools hold tokens for"
    )

    whoami = commands.add_parser("whoami", help="who you are signed in as")
    whoami.set_defaults(run=_whoami)

    token = commands.add_parser("token", help="print a token, into a pipe or a variable")
    token.set_defaults(run=_token)
    token.add_argument("--show", action="store_true", help="print it on a terminal, too")

    expiry = commands.add_parser("token-expiry", help="how long the token holds")
    expiry.set_defaults(run=_expiry)
    expiry.add_argument("--units", choices=UNITS, default="seconds", help="default: seconds")


def _login(options: argparse.Namespace) -> int:
    from alcf_jupyter.notebook.sign_in import login

    print(in_a_shell(str(login(options.force))))
    return 0


def _logout(options: argparse.Namespace) -> int:
    from alcf_jupyter.connection.sign_in.account import logout

    print(in_a_shell(logout(options.all)))
    return 0


def _whoami(_: argparse.Namespace) -> int:
    from alcf_jupyter.connection.sign_in.account import whoami

    print(in_a_shell(str(whoami())))
    return 0


def _token(options: argparse.Namespace) -> int:
    from alcf_jupyter.connection import worker
    from alcf_jupyter.connection.sign_in import sources

    if sys.stdout.isatty() and not options.show:
        raise UsageError(
            "A token is a password; it is not printed on a terminal.",
            do="Type:  TOKEN=$(alcf-jupyter token)   or, to see it:  alcf-jupyter token --show",
        )
    token = worker.wait(sources.obtain)
    _tell(token.notes)
    print(token.secret.reveal())
    return 0


def _expiry(options: argparse.Namespace) -> int:
    from alcf_jupyter.connection import worker
    from alcf_jupyter.connection.sign_in import sources

    token = worker.wait(sources.obtain)
    _tell(token.notes)
    if token.expires_at is None:
        raise UsageError(
            f"Nothing tells when the token in {token.source} ends.",
            do="Ask the service whether it still counts:  alcf-jupyter whoami",
        )
    left = max(0.0, token.expires_at - time.time()) / UNITS[options.units]
    print(f"{left:.0f}" if options.units == "seconds" else f"{left:.2f}")
    return 0


def _tell(notes: tuple[str, ...]) -> None:
    for note in notes:
        print(in_a_shell(f"Note: {note}"), file=sys.stderr)
