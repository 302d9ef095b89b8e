"""What may be wrong with this environment, and the one line to type for each of it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from alcf_jupyter.errors import AlcfError
from alcf_jupyter.notebook.doctor.finding import from_error, problem
from alcf_jupyter.notebook.doctor.lines import pip, short
from alcf_jupyter.notebook.doctor.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import ModuleType

    from alcf_jupyter.notebook.doctor.finding import Finding

QUIET = ("packages", "browser", "extension", "kernels", "proxies", "settings", "site", "state")
"""What is looked at without a word to anybody, each by the module of its name."""

ASKING = ("service", "sign_in")
"""What asks the service, or Globus."""

DETAILS = {
    "Packages": ("packages", "versions"),
    "Browser": ("browser", "versions"),
    "Kernels": ("kernels", "listed"),
    "Proxies": ("proxies", "listed"),
    "Settings": ("settings", "listed"),
}
"""The tables of a report: the module and its function."""


def examine(*, offline: bool = False) -> Report:
    """Look at everything that a notebook needs, and return what was found.

    Parameters
    ----------
    offline
        Ask nobody: neither the service nor Globus.

    Returns
    -------
    Report
        Findings, and what they rest on; no token and no password is in it.
    """
    findings: list[Finding] = []
    for name in QUIET:
        findings += _looked(name, lambda room: room.check())
    for name in ASKING:
        findings += _looked(name, lambda room: room.check(offline=offline))
    details: dict[str, list[tuple[str, str]]] = {}
    for title, (name, function) in DETAILS.items():
        try:
            rows = getattr(_room(name), function)()
        except Exception:  # noqa: BLE001, S112 - it was found above
            continue
        if rows:
            details[title] = rows
    return Report(tuple(findings), details)


def _room(name: str) -> ModuleType:
    # only now: what it needs may be what is missing
    return import_module(f"{__name__}.{name}")


def _looked(name: str, look: Callable[[Any], Iterable[Finding]]) -> list[Finding]:
    """Return what was found; what could not be looked at is found, too, and ends nothing."""
    about = name.replace("_", "-").capitalize()
    try:
        return list(look(_room(name)))
    except AlcfError as error:
        return [from_error(about, error)]
    except ImportError as error:
        says = f"it cannot be looked at: {error}"
        return [problem(about, says, pip("install --upgrade alcf-jupyter"))]
    except OSError as error:
        says = f"it cannot be looked at: {error.strerror}: {short(error.filename)}"
        return [problem(about, says)]
    except Exception as error:  # noqa: BLE001 - whatever it is, the rest is wanted all the more
        # its own words may hold what nobody is to see
        return [problem(about, f"it cannot be looked at: {type(error).__name__}")]
