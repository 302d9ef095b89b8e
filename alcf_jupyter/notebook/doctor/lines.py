"""What is to be typed, as it is typed here: in a notebook, or in a terminal."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

from alcf_jupyter.shell import in_notebook
from alcf_jupyter.typed import in_a_shell


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
    return f"%env {name}={value}" if in_notebook() else f"export {name}={shlex.quote(value)}"


def same(name: str, other: str) -> str:
    """Return the line that gives a variable what another holds; what that is may be a secret."""
    # %env would take $OTHER as it stands
    line = f"import os; os.environ['{name}'] = os.environ['{other}']"
    return line if in_notebook() else f'export {name}="${other}"'


def here(text: str) -> str:
    """Return what a message says to type as it is typed here."""
    return text if in_notebook() else in_a_shell(text)


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
