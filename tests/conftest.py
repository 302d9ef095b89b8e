"""Every test starts in an environment of its own, and leaves none behind."""

from __future__ import annotations

import os

import pytest

from alcf_jupyter import typed
from tools.environment import clean

# what a message tells one to type is tested as a notebook shows it
typed.in_notebook = lambda: True


@pytest.fixture(autouse=True)
def clean_environ(tmp_path_factory):
    """Give the test an empty home directory, and undo whatever it sets."""
    before = os.environ.copy()
    clean(tmp_path_factory.mktemp("home"))
    yield os.environ
    os.environ.clear()
    os.environ.update(before)


_LONG = (
    *("tests/faults/test_soak", "tests/faults/test_schedules", "tests/service/test_sse"),
    *("tests/ui/", "tests/faults/"),
    *(".ipynb", "tests/tools/", "tests/notebook/"),
)


def pytest_collection_modifyitems(items):
    """Begin with what takes long, so that no worker is left with it alone at the end."""

    def rank(item):
        name = item.nodeid.partition("::")[0]
        return next((n for n, long in enumerate(_LONG) if long in name), len(_LONG))

    items.sort(key=rank)
