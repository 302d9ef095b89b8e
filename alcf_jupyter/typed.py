"""How things are typed: on a magic's line, in Python, or in a shell."""

from __future__ import annotations

import re
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from alcf_jupyter.shell import in_notebook

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

CELL = {
    "model": "-m",
    "cluster": "-c",
    "timeout": "--timeout",
    "max_tokens": "-n",
    "images": "-i",
    "schema": "--schema",
    "thread": "--thread",
    "new_thread": "--new-thread",
    "tools": "--tool",
    "system": "-s",
    "temperature": "-t",
    "top_p": "--top-p",
    "seed": "--seed",
    "stop": "--stop",
    "reasoning_effort": "--reasoning-effort",
    "wait": "--no-wait",
    "stream": "--no-stream",
    "dimensions": "--dimensions",
}
"""The options of a chat cell and an embed cell, by the name of the argument in Python."""

_OF_CELLS_ALONE = {"thread", "new_thread", "tools", "stream", "dimensions"}
MAP = {name: flag for name, flag in CELL.items() if name not in _OF_CELLS_ALONE} | {
    "checkpoint": "--checkpoint",
    "fresh": "--fresh",
    "concurrency": "--concurrency",
    "prefix": "--prefix",
    "background": "--bg",
    "via": "--via",
    "folder": "--folder",
    "out": "--file",
    "on_error": "--on-error",
}
"""The options of ``%alcf map``."""

WAIT = {"model": "", "cluster": "-c", "timeout": "--timeout"}
USE = {"model": ""}
"""Those of ``%alcf wait`` and ``%alcf use``; a bare word has no flag."""

LINES = {
    "batches": {"status": "--status"},
    "connect": {"proxy": "--proxy", "poll_seconds": "--poll-seconds"},
}
"""Those of other commands, by the word behind ``%alcf``."""

_line: ContextVar[Mapping[str, str] | None] = ContextVar("alcf_jupyter_line", default=None)


@contextmanager
def on_a_line(flags: Mapping[str, str] = CELL) -> Iterator[None]:
    """Have errors speak of the options of a magic while the block runs, on the loop as well.

    Parameters
    ----------
    flags
        The magic's options, by the name of the argument in Python.
    """
    before = _line.set(flags)
    try:
        yield
    finally:
        _line.reset(before)


def named(setting: str) -> str:
    """Return what a setting is called: ``-m``, or ``model=`` in Python."""
    flags = _line.get()
    return f"{setting}=" if flags is None else flags.get(setting, setting)


def by_magic() -> bool:
    """Return whether what runs was typed on a magic's line."""
    return _line.get() is not None


def typed(**settings: Any) -> str:
    """Return settings as one types them: ``-m x -c y``, or ``model='x', cluster='y'``.

    Parameters
    ----------
    **settings
        By the names of the arguments in Python. What the magic has no option for is left out; where
        it has one for none of them, they are for Python.
    """
    flags = _line.get()
    if flags is None or not settings.keys() & flags.keys():
        return ", ".join(f"{name}={value!r}" for name, value in settings.items())
    known = {flags[name]: value for name, value in settings.items() if name in flags}
    return " ".join(_option(flag, value) for flag, value in known.items())


def _option(flag: str, value: Any) -> str:
    if value is True:
        return flag
    word = str(value)
    return f'{flag} "{word}"' if " " in word else f"{flag} {word}".strip()


_OUTSIDE = (
    # the shell's own way, where the message names it beside the notebook's
    (r"\s*\(in a terminal:[^)]*\)", ""),
    (r"%env (\w+)=(?=\s|$|[`.,])", r"unset \1"),
    (r"%env (?=\w+=)", "export "),
    (r"%alcf (?=login|logout|whoami|doctor)", "alcf-jupyter "),
    (r"%alcf status\b", "alcf-jupyter doctor"),
    (r"%pip ", "python -m pip "),
    (r"(?<=  )!(?=[a-z])", ""),
)
_ELSEWHERE = (r"(%alcf \w++(?: [\w/-]++)*+)(?!  \(in a notebook\))", r"\1  (in a notebook)")
_IN_A_SHELL = (
    *_OUTSIDE,
    (r"(Type|Connect):  %alcf connect (\w+)", r"\1:  export ALCF_JUPYTER_SERVICE=\2"),
    (r"%alcf connect sandbox\b", "alcf-jupyter demo"),
    _ELSEWHERE,
    ("Run the cell again", "Type it again"),
    ("run the cell again", "type it again"),
)
_NAME = r"([^\s'\"`]*[^\s'\"`.,;])"
_IN_PYTHON = (
    # what goes on by itself hears of a sign-in in its own process
    (r"(?<=signed in:  )%alcf login", "alcf.login()"),
    *_OUTSIDE,
    (rf"%alcf models --can {_NAME}", r"alcf.models(can='\1')"),
    (rf"%alcf use --embed {_NAME}", r"alcf.use(embed='\1')"),
    (rf"%alcf use {_NAME} as {_NAME}", r"alcf.use('\1', alias='\2')"),
    (rf"%alcf (use|connect) {_NAME}", r"alcf.\1('\2')"),
    (rf"%alcf wait {_NAME}", r"alcf.wait_until_live('\1')"),
    (r"%alcf (models|runs|batches|threads|connect)\b", r"alcf.\1()"),
    _ELSEWHERE,
    (r"\s+and restart the kernel", ""),
    ("Run the cell again", "Run it again"),
    ("run the cell again", "run it again"),
)


def in_a_shell(text: str) -> str:
    """Return what a message says to type in a notebook as one types it in a shell.

    Messages are written for a notebook, where nearly all of them are read; whatever a command
    prints goes through here.
    """
    return _instead(text, _IN_A_SHELL)


def in_python(text: str) -> str:
    """Return what a message says to type in a notebook as one writes it in a program."""
    return _instead(text, _IN_PYTHON)


def here(text: str) -> str:
    """Return what a message says to type as one types it here: in a notebook, or in a program."""
    return text if in_notebook() else in_python(text)


def _instead(text: str, patterns: Iterable[tuple[str, str]]) -> str:
    for pattern, instead in patterns:
        text = re.sub(pattern, instead, text)
    return text
