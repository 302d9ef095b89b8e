"""Every test starts in an environment of its own."""

from __future__ import annotations

import os

import pytest

from tools.environment import changes


@pytest.fixture(autouse=True)
def clean_environ(monkeypatch, tmp_path_factory):
    """Give the test an empty home directory, and take away what an earlier test may have set."""
    for name, value in changes(tmp_path_factory.mktemp("home")).items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    return os.environ
