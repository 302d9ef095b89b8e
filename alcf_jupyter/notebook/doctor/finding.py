"""One thing the doctor looked at: fine, worth knowing, or wrong, and the line that mends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from alcf_jupyter.notebook.doctor.lines import short

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
