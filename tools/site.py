"""Build the site from docs/ and the stored tutorials, and look that it loads nothing from afar.

``python -m tools.site`` builds into build/site. It needs no network, runs no notebook, and fails
for a warning.
"""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "build" / "site"

# what a browser fetches by itself; an <a href> is followed by people
_FETCHED = {"src", "srcset", "poster", "data", "background"}
_FETCHING_LINKS = {"stylesheet", "icon", "preload", "prefetch", "preconnect", "modulepreload"}
_ELSEWHERE = re.compile(r"(?:https?:)?//", re.IGNORECASE)
_CSS = re.compile(r"(?:url\(|@import)\s*['\"]?((?:https?:)?//[^'\")\s]+)", re.IGNORECASE)


class _Page(HTMLParser):
    """Collects the addresses that a page fetches."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self._style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        self.fetched += [value for name, value in told.items() if name in _FETCHED]
        if tag == "link" and _FETCHING_LINKS & set(told.get("rel", "").split()):
            self.fetched.append(told.get("href", ""))
        self.fetched += _CSS.findall(told.get("style", ""))
        self._style = tag == "style"

    def handle_data(self, data: str) -> None:
        if self._style:
            self.fetched += _CSS.findall(data)


def build(out: Path) -> str:
    """Build the site into `out`; return what Sphinx complained of, ``""`` for nothing."""
    command = [sys.executable, "-m", "sphinx", "-q", "-E", "-W", "--keep-going", "-b", "html"]
    command += ["-c", str(ROOT / "docs"), "-d", str(out.parent / "doctrees"), str(ROOT), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)  # noqa: S603 - our own words
    said = (done.stdout + done.stderr).strip()
    return said if done.returncode else ""


def fetched_from_elsewhere(site: Path) -> Iterator[str]:
    """Yield each address of another host that a page or a style of the built `site` would fetch."""
    for path in sorted(site.rglob("*.html")):
        page = _Page()
        page.feed(path.read_text(encoding="utf-8"))
        for address in page.fetched:
            if _ELSEWHERE.match(address.strip()):
                yield f"{path.relative_to(site)}: {address}"
    for path in sorted(site.rglob("*.css")):
        for address in _CSS.findall(path.read_text(encoding="utf-8")):
            yield f"{path.relative_to(site)}: {address}"


def main(arguments: Sequence[str]) -> int:
    """Build the site; return 1 when there is something to mend."""
    out = Path(arguments[0]).resolve() if arguments else SITE
    said = build(out)
    elsewhere = [f"loads from another host: {line}" for line in fetched_from_elsewhere(out)]
    print("\n".join([said, *elsewhere]).strip() or f"The site: {out / 'index.html'}")
    return int(bool(said or elsewhere))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
