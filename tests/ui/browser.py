"""Chromium, and a record of what a page did that it should not have."""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Dialog, Page

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    # WebGL without a graphics card
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    # Whatever is not loopback has no address: a request is seen, and leads nowhere.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def missing() -> str | None:
    """Say what a browser test lacks here, or None."""
    try:
        import jupyterlab  # noqa: F401
        import playwright.sync_api  # noqa: F401
    except ImportError as error:
        return f"browser tests did not run: {error}"
    if executable() is None:
        return f"browser tests did not run: none of {', '.join(_NAMES)} on PATH; set CHROMIUM"
    return None


def executable() -> str | None:
    """Find Chromium: ``CHROMIUM``, or by name."""
    named = os.environ.get("CHROMIUM")
    return named or next(filter(None, map(shutil.which, _NAMES)), None)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium, and stop it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable(), args=FLAGS, timeout=60_000
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Record:
    """What a browser context did: read it after the page has settled."""

    outside: list[str] = field(default_factory=list)
    """Requests, sockets included, to anything but 127.0.0.1 and this page itself."""
    dialogs: list[str] = field(default_factory=list)
    popups: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    """Uncaught exceptions in the page."""

    @property
    def quiet(self) -> bool:
        """Whether nothing left the machine and nothing popped up."""
        return not (self.outside or self.dialogs or self.popups)

    def clear(self) -> None:
        """Forget what was done so far."""
        for kept in (self.outside, self.dialogs, self.popups, self.errors):
            kept.clear()


def watch(context: BrowserContext) -> Record:
    """Record what a context does from now on, and stop what would leave the machine."""
    record = Record()

    def requested(url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"data", "blob", "about", "file"} and parts.hostname != "127.0.0.1":
            record.outside.append(url)

    def asked(dialog: Dialog) -> None:
        if dialog.type == "beforeunload":  # what is not saved is left, as the test says
            dialog.accept()
        else:
            record.dialogs.append(dialog.message)
            dialog.dismiss()

    def opened(page: Page) -> None:
        if page.opener():
            record.popups.append(page.url)
        page.on("dialog", asked)
        page.on("websocket", lambda socket: requested(socket.url))
        page.on("pageerror", lambda error: record.errors.append(str(error)))

    context.on("request", lambda request: requested(request.url))
    context.on("page", opened)
    return record


def scripts_run(page: Page) -> int:
    """Count how often a canary (``window.__pwned``) ran, in the page and in its frames."""
    return sum(frame.evaluate("window.__pwned || 0") for frame in page.frames)
