"""What the browser reported of itself: for ``%alcf doctor``."""

from __future__ import annotations

_reported: dict[str, str] | None = None


def report(extension: str, versions: dict[str, str]) -> None:
    """Keep what a page told when it opened its panel.

    Parameters
    ----------
    extension
        The version of the JupyterLab extension.
    versions
        Of what runs in the browser, by name.
    """
    global _reported  # noqa: PLW0603 - the page that spoke last is the one in use
    _reported = {"alcf-jupyter": extension, **versions}


def reported() -> dict[str, str] | None:
    """Return the versions in the browser by name, None where no page has told."""
    return None if _reported is None else dict(_reported)
