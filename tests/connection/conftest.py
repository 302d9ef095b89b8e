"""What every test of the connection takes for granted."""

import pytest

from alcf_jupyter.connection.http import connections


@pytest.fixture(autouse=True)
def _kept_longer(monkeypatch):
    """A machine that stands still for some seconds makes no connection too old to be used again."""
    monkeypatch.setattr(connections, "_IDLE_SECONDS", 60.0)
