"""Fixtures of the browser tests: ``lab``, ``record``, ``notebook``, ``side`` and ``pictures``.

Loading JupyterLab costs more than most tests do: they share one page, in which each opens a
notebook of its own. A test that failed, or that closed the page, leaves a fresh one to the next.

Where Chromium is missing the tests are skipped and say so; with ``ALCF_JUPYTER_REQUIRE_BROWSER=1``
they fail instead. Pictures are taken where ``ALCF_JUPYTER_PICTURES`` names a folder for them:
they take a third of the time, and no test looks at one.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.ui import browser, server
from tests.ui.notebook import NotebookPage
from tests.ui.side import CONNECT, Side

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
@pytest.fixture(scope="package")
def profile(lab):  # noqa: ARG001 (skipped with it)
    """Start Chromium, with one profile for all tests, and record what it does."""
    with browser.chromium() as running:
        context = running.new_context()
        context.set_default_timeout(60_000)  # what starts on a busy machine takes long
        yield context, browser.watch(context)
        context.close()


@pytest.fixture
def context(profile, request):
    """Give the profile; afterwards the page that all share is left in it, or none."""
    shared, _ = profile
    failed = request.session.testsfailed
    yield shared
    spoiled = request.session.testsfailed > failed
    for page in shared.pages[0 if spoiled else 1 :]:
        page.close()


@pytest.fixture
def record(profile):
    """Record what leaves the machine and what pops up."""
    shared, kept = profile
    for page in shared.pages:
        page.evaluate("0")  # what an earlier test left behind is told before the answer to this
    kept.clear()
    return kept


@pytest.fixture
def notebook(context, record, lab):  # noqa: ARG001 (recorded from the start)
    """Give a page that a notebook can be opened in."""
    page = context.pages[0] if context.pages else context.new_page()
    opened = NotebookPage(page, lab)
    yield opened
    opened.close()


@pytest.fixture
def side(notebook):
    """Give the side panel, and fold it away afterwards."""
    opened = Side(notebook)
    yield opened
    opened.close()


@pytest.fixture
def connected(side):
    """Open the panel beside a notebook whose kernel is connected to the sandbox."""

    def beside(*cells):
        side.notebook.open([CONNECT, *cells])
        side.notebook.run(0)
        side.open()
        side.model("sandbox/echo").wait_for()
        return side

    return beside


@pytest.fixture(scope="session")
def pictures():
    """Give the folder that pictures go into, None where none are wanted."""
    folder = Path(_PICTURES) if _PICTURES else None
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    return folder
