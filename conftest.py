"""Tests, notebooks and the kernels they start see no real token, setting or home directory."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tools.environment import clean

if TYPE_CHECKING:
    import pytest

pytest_plugins = ["tests.signing"]


def pytest_configure(config: pytest.Config) -> None:
    """Clean the process before anything is collected: fixtures do not run for notebook cells."""
    home = Path(tempfile.mkdtemp(prefix="alcf-jupyter-tests-"))
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    clean(home)
