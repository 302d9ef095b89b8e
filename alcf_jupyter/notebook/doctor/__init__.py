"""What may be wrong with this environment, and the one line to type for each of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alcf_jupyter.notebook.doctor import (
    browser,
    extension,
    kernels,
    packages,
    proxies,
    service,
    settings,
    sign_in,
    site,
    state,
)
from alcf_jupyter.notebook.doctor.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from alcf_jupyter.notebook.doctor.finding import Finding

ROOMS: tuple[Callable[[], Iterable[Finding]], ...] = (
    packages.check,
    browser.check,
    extension.check,
    kernels.check,
    proxies.check,
    settings.check,
    site.check,
    state.check,
)
"""What is looked at without a word to anybody; the service and the sign-in come after."""


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
    findings = [finding for check in ROOMS for finding in check()]
    findings += service.check(offline=offline)
    findings += sign_in.check(offline=offline)
    details = {
        "Packages": packages.versions(),
        "Browser": browser.versions(),
        "Kernels": kernels.listed(),
        "Proxies": proxies.listed(),
        "Settings": settings.listed(),
    }
    return Report(tuple(findings), {name: rows for name, rows in details.items() if rows})
