"""Hatchling, but the JupyterLab extension is built first where it is not there yet.

A source distribution has it built and needs no Node.js. In a checkout on a machine without Node.js,
or with one too old, the build asks for Node.js as a Python package.
"""

from __future__ import annotations

from typing import Any

import extension
from hatchling import build as hatchling

Settings = dict[str, Any] | None


def get_requires_for_build_wheel(config_settings: Settings = None) -> list[str]:
    """Return what a wheel is built with."""
    return [*hatchling.get_requires_for_build_wheel(config_settings), *extension.requirements()]


def get_requires_for_build_sdist(config_settings: Settings = None) -> list[str]:
    """Return what a source distribution is built with."""
    return [*hatchling.get_requires_for_build_sdist(config_settings), *extension.requirements()]


def get_requires_for_build_editable(config_settings: Settings = None) -> list[str]:
    """Return what an installation of the checkout itself is built with."""
    return [*hatchling.get_requires_for_build_editable(config_settings), *extension.requirements()]


def build_wheel(
    wheel_directory: str,
    config_settings: Settings = None,
    metadata_directory: str | None = None,
) -> str:
    """Build a wheel."""
    _ensure()
    return hatchling.build_wheel(wheel_directory, config_settings, metadata_directory)


def build_sdist(sdist_directory: str, config_settings: Settings = None) -> str:
    """Build a source distribution."""
    _ensure()
    return hatchling.build_sdist(sdist_directory, config_settings)


def build_editable(
    wheel_directory: str,
    config_settings: Settings = None,
    metadata_directory: str | None = None,
) -> str:
    """Build what installs the checkout itself."""
    _ensure()
    return hatchling.build_editable(wheel_directory, config_settings, metadata_directory)


def _ensure() -> None:
    if not extension.is_built():
        extension.build()
