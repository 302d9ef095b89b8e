"""One thing the doctor looked at: fine, worth knowing, or wrong, and the line that mends it."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from alcf_jupyter.errors import AlcfError


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found.

    Attributes
    ----------
    level
        ``"ok"``, ``"note"`` for what may be as it should, ``"problem"`` for what hinders.
    about
        The thing, in a word.
    says
        What was found, a sentence without its full stop.
    do
        The one line to type, or ``""``.
    """

    level: Literal["ok", "note", "problem"]
    about: str
    says: str
    do: str = ""


def ok(about: str, says: str) -> Finding:
    """Return a finding about something that is as it should be."""
    return Finding("ok", about, says)


def note(about: str, says: str, do: str = "") -> Finding:
    """Return a finding about something that may be meant so."""
    return Finding("note", about, says, do)


def problem(about: str, says: str, do: str = "") -> Finding:
    """Return a finding about something that hinders."""
    return Finding("problem", about, says, do)


def from_error(about: str, error: AlcfError) -> Finding:
    """Return an error as a finding, with the first line it says to type."""
    says = " ".join(part for part in (error.what, error.why) if part)
    return problem(about, short(says), next(iter(error.do.splitlines()), ""))


def in_notebook() -> bool:
    """Tell whether a notebook's kernel is what runs here, rather than a command in a terminal."""
    shell = sys.modules.get("IPython")
    return shell is not None and shell.get_ipython() is not None


def alcf(words: str) -> str:
    """Return a command of ours as it is typed here: ``%alcf login`` or ``alcf-jupyter login``."""
    return f"{'%alcf' if in_notebook() else 'alcf-jupyter'} {words}"


def terminal(words: str) -> str:
    """Return a command of ours that only a terminal has, as it is typed here."""
    return f"!alcf-jupyter {words}" if in_notebook() else alcf(words)


def pip(words: str) -> str:
    """Return a pip command as it is typed here, for the Python that runs."""
    return f"%pip {words}" if in_notebook() else f"{quoted(sys.executable)} -m pip {words}"


def shell(words: str) -> str:
    """Return a command of the system as it is typed here."""
    return f"!{words}" if in_notebook() else words


def variable(name: str, value: str) -> str:
    """Return the line that sets a variable of the environment here."""
    return f"%env {name}={value}" if in_notebook() else f"export {name}={value}"


def same(name: str, other: str) -> str:
    """Return the line that gives a variable what another holds; what that is may be a secret."""
    # %env would take $OTHER as it stands
    line = f"import os; os.environ['{name}'] = os.environ['{other}']"
    return line if in_notebook() else f'export {name}="${other}"'


def quoted(path: object) -> str:
    """Return a path as a shell takes it, the home directory as ``~``."""
    text = short(path)
    if text.startswith("~/"):  # which means nothing between quotes
        return f"~/{shlex.quote(text[2:])}"
    return text if text == "~" else shlex.quote(text)


def short(text: object) -> str:
    """Return a text with the home directory as ``~``: a report is pasted where others read it."""
    home = str(Path.home()).rstrip("/")
    return re.sub(rf"(?<![\w/]){re.escape(home)}(?![\w.-])", "~", str(text)) if home else str(text)
