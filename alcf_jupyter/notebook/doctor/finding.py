"""One thing the doctor looked at: fine, worth knowing, or wrong, and the line that mends it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from alcf_jupyter.notebook.doctor.lines import here, short

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
    """Return an error as a finding, with the first thing it says to type, as it is typed here."""
    lines = [error.what.rstrip("."), error.why, *error.do.splitlines()]
    # a reason may be one that a line mends, and that line comes first
    first = 1 if "type:" in error.why else 2
    says = ". ".join(line for line in lines[:first] if line)
    # which is what runs
    do = re.sub(r"(; look at)?:\s+alcf-jupyter doctor$", "", here(next(iter(lines[first:]), "")))
    return problem(about, short(here(says)), do)
