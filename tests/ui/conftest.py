"""Fixtures of the browser tests: ``lab``, ``record``, ``notebook`` and ``pictures``.

Where Chromium is missing the tests are skipped and say so; with ``ALCF_JUPYTER_REQUIRE_BROWSER=1``
they fail instead. Pictures go into ``ALCF_JUPYTER_PICTURES`` if that is set.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.ui import browser, server
from tests.ui.notebook import NotebookPage

_REQUIRED = os.environ.get("ALCF_JUPYTER_REQUIRE_BROWSER") == "1"
_PICTURES = os.environ.get("ALCF_JUPYTER_PICTURES")
_MISSING = browser.missing()


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """Start a JupyterLab server, one for all tests."""
    if _MISSING:
        (pytest.fail if _REQUIRED else pytest.skip)(_MISSING)
    with server.jupyterlab(tmp_path_factory.mktemp("lab")) as running:
        yield running


# Not for the session: the loop that Playwright keeps running would stop others from using asyncio.
@pytest.fixture(scope="module")
def chromium(lab):  # noqa: ARG001 (skipped with it)
    """Start Chromium, one for the tests of a module."""
    with browser.chromium() as running:
        yield running


@pytest.fixture
def context(chromium):
    """Make a fresh browser profile."""
    fresh = chromium.new_context(viewport={"width": 1280, "height": 900})
    fresh.set_default_timeout(30_000)
    yield fresh
    fresh.close()


@pytest.fixture
def record(context):
    """Record what leaves the machine and what pops up."""
    return browser.watch(context)


@pytest.fixture
def notebook(context, record, lab):  # noqa: ARG001 (recorded from the start)
    """Give a page that a notebook can be opened in."""
    opened = NotebookPage(context.new_page(), lab)
    yield opened
    opened.close()


@pytest.fixture
def pictures(tmp_path):
    """Give the folder that screenshots go into."""
    folder = Path(_PICTURES) if _PICTURES else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    return folder
