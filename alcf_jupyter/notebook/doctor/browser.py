"""What runs in the browser, as its panel reported it, beside what the kernel has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from alcf_jupyter._version import __version__
from alcf_jupyter.notebook.doctor.finding import note, ok, problem
from alcf_jupyter.notebook.doctor.lines import pip, terminal
from alcf_jupyter.notebook.doctor.packages import fits, installed
from alcf_jupyter.shell import in_notebook

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from alcf_jupyter.notebook.doctor.finding import Finding

US, MANAGER, ANYWIDGET = "alcf-jupyter", "@jupyter-widgets/jupyterlab-manager", "anywidget"
PAGES = {"jupyterlab": ("JupyterLab", ">=4.4"), "notebook": ("Notebook", ">=7.4")}
"""What a page calls itself, what people do, and from which version on the panel works in it."""

MANAGERS = {"7": ">=3,<4", "8": ">=5,<6"}
"""The versions of JupyterLab's widget manager by the major of ipywidgets in the kernel."""


def check() -> Iterator[Finding]:
    """Compare what the browser reported with what the kernel has."""
    told = reported()
    if told is not None:
        yield from compare(told)
    elif in_notebook():
        says = "no panel has reported to this kernel, so what runs in the browser is not known"
        yield note("JupyterLab", says, "Open the ALCF panel at the side of JupyterLab")


def versions() -> list[tuple[str, str]]:
    """Return what was reported, by name."""
    return sorted((reported() or {}).items())


def reported() -> dict[str, str] | None:
    """Return the versions in the browser by name, None where no page has told."""
    from alcf_jupyter.notebook.panel import frontend

    return frontend.reported()


def compare(told: Mapping[str, str]) -> Iterator[Finding]:
    """Compare versions in the browser with those in the kernel.

    Parameters
    ----------
    told
        Versions in the browser by name, as `reported` returns them; ``""`` where it is not known.
    """
    for page, (name, bounds) in PAGES.items():
        if page in told:
            yield _page(name, page, told[page], bounds)
    yield from _ours(told.get(US))
    yield _manager(told.get(MANAGER), installed("ipywidgets"))
    yield from _anywidget(told.get(ANYWIDGET), installed("anywidget"))


def _page(name: str, package: str, version: str, bounds: str) -> Finding:
    if fits(version, bounds):
        return ok(name, f"{version} in the browser")
    return problem(
        name,
        f"{version} in the browser; {bounds.removeprefix('>=')} or later is needed",
        _there(f'pip install --upgrade "{package}{bounds}"'),
    )


def _ours(version: str | None) -> Iterator[Finding]:
    if version is None or version == __version__:
        return
    says = f"{version} in the browser, {__version__} in the kernel"
    if _is_newer(version):
        yield problem("Extension", says, pip(f"install --upgrade {US}"))
    else:
        line = terminal("install-labextension --user")
        yield problem("Extension", says, f"Reload the page; if that changes nothing:  {line}")


def _is_newer(version: str) -> bool:
    """Tell whether a version is newer than this one; what is no version is not."""
    try:
        return Version(version) > Version(__version__)
    except InvalidVersion:
        return False


def _manager(version: str | None, widgets: str | None) -> Finding:
    bounds = MANAGERS.get((widgets or "").partition(".")[0])
    if version is None:
        says = "JupyterLab lacks their manager, so they are shown as text"
        return problem("Widgets", says, _there("pip install jupyterlab-widgets"))
    if version and bounds and not fits(version, bounds):
        says = f"manager {version} in the browser cannot show those of ipywidgets {widgets}"
        return problem("Widgets", says, _there("pip install --upgrade jupyterlab-widgets"))
    manager = f"manager {version}".strip()
    return ok("Widgets", f"ipywidgets {widgets} in the kernel, {manager} in the browser")


def _anywidget(version: str | None, kernel: str | None) -> Iterator[Finding]:
    if kernel is None:
        return
    if version is None:
        says = "JupyterLab lacks anywidget, so the map of embeddings is a picture only"
        yield note("Widgets", says, _there("pip install anywidget"))
    elif version and version.split(".")[:2] != kernel.split(".")[:2]:
        says = f"anywidget {version} in the browser, {kernel} in the kernel"
        yield note("Widgets", says, _there(f"pip install anywidget=={kernel}"))


def _there(words: str) -> str:
    """Return a command for the environment of JupyterLab, which may not be the kernel's."""
    return f"{words}   (where JupyterLab is started; then restart it)"
