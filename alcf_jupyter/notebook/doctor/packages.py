"""The kernel's Python and its packages, against what this package needs."""

from __future__ import annotations

import platform
import sys
from importlib import metadata
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from alcf_jupyter._version import __version__
from alcf_jupyter.notebook.doctor.finding import note, ok, problem
from alcf_jupyter.notebook.doctor.lines import pip, short

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alcf_jupyter.notebook.doctor.finding import Finding

US = "alcf-jupyter"
ALSO = ("ipykernel", "jupyterlab", "notebook", "anywidget")
"""Shown beside what is needed."""


def check() -> Iterator[Finding]:
    """Look at the version of Python and of each package that is needed."""
    yield _python()
    try:
        needed = _needed()
    except metadata.PackageNotFoundError:
        yield problem("Packages", f"{US} is not installed, only found", pip(f"install {US}"))
        return
    wrong = [finding for one in needed if (finding := _unfit(one))]
    yield from wrong or [ok("Packages", f"all {len(needed)} that are needed are there")]
    yield from filter(None, map(_stale, [US, *(one.name for one in needed)]))


def versions() -> list[tuple[str, str]]:
    """Return the versions of what is needed and of what a notebook runs in."""
    try:
        names = [one.name for one in _needed()]
    except metadata.PackageNotFoundError:
        names = []
    rows = [("Python", f"{platform.python_version()} on {platform.platform()}")]
    return rows + [(name, installed(name) or "not installed") for name in (*names, *ALSO)]


def installed(name: str) -> str | None:
    """Return the version of a package, None where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def fits(version: str, bounds: str) -> bool:
    """Tell whether a version is within bounds such as ``>=2,<3``; what is no version never is."""
    try:
        return SpecifierSet(bounds).contains(Version(version), prereleases=True)
    except InvalidVersion:
        return False


def _python() -> Finding:
    version, where = platform.python_version(), short(sys.executable)
    try:
        bounds = metadata.metadata(US)["Requires-Python"] or ""
    except metadata.PackageNotFoundError:
        bounds = ""
    if not fits(version, bounds):
        return problem(
            "Python", f"{version} in {where}; {bounds} is needed", "Make a kernel of a newer Python"
        )
    return ok("Python", f"{version} in {where}")


def _needed() -> list[Requirement]:
    found = (Requirement(line) for line in metadata.requires(US) or ())
    # what stands under an extra holds where that extra is asked for
    return [one for one in found if one.marker is None or one.marker.evaluate({"extra": ""})]


def _unfit(needed: Requirement) -> Finding | None:
    version = installed(needed.name)
    if version is not None and fits(version, str(needed.specifier)):
        return None
    what = f"{needed.name} {version}" if version else f"{needed.name} is not installed"
    wanted = f"{needed.name}{needed.specifier}"
    says = f"{what}; {wanted} is needed"
    return problem("Packages", says, pip(f'install --upgrade "{wanted}"'))


def _stale(name: str) -> Finding | None:
    """Say that the kernel still runs what was installed when it was started."""
    module = sys.modules.get(name.replace("-", "_"))
    # asked for as an attribute, some warn that it goes away
    loaded = __version__ if name == US else vars(module or sys).get("__version__")
    there = installed(name)
    try:
        if there is None or not isinstance(loaded, str) or Version(loaded) == Version(there):
            return None
    except InvalidVersion:
        return None
    return note("Packages", f"{name} {loaded} is loaded, {there} installed", "Restart the kernel")
