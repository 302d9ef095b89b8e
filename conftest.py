"""Tests, notebooks and the kernels they start see no real token, setting or home directory."""

from __future__ import annotations

import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tools.environment import clean

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

pytest_plugins = ["tests.signing"]

_BROWSER = "tests/ui/"


def pytest_configure(config: pytest.Config) -> None:
    """Clean the process before anything is collected: fixtures do not run for notebook cells."""
    home = Path(tempfile.mkdtemp(prefix="alcf-jupyter-tests-"))
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    clean(home)
    # in the background a shell has interrupts ignored, and what is started here would inherit that
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    """Give all browser tests to one worker: a second JupyterLab costs more than it gains."""
    from xdist.scheduler import LoadScopeScheduling

    class OneBrowser(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _BROWSER if nodeid.startswith(_BROWSER) else super()._split_scope(nodeid)

    return OneBrowser(config, log) if config.getvalue("dist") == "loadscope" else None
