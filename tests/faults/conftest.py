"""Every test here gives the service the time that a busy machine takes."""

import pytest

from alcf_jupyter.frames.sending import run_limits
from tests.faults import columns


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """Take nothing for an answer that never comes which only waits for its turn to run."""
    for name, seconds in columns.PATIENCE.items():
        monkeypatch.setattr(run_limits, name, seconds)
