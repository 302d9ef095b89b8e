"""Pages of the site that a command writes: written, or compared with what it would write."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def settle(page: Path, text: str, by: str, *, check: bool) -> bool:
    """Write a page, or compare it.

    Parameters
    ----------
    page
        The file.
    text
        What belongs into it.
    by
        The module of `tools` that writes it.
    check
        Only compare, and print what to type where it differs.

    Returns
    -------
    bool
        Whether the page is now as it should be.
    """
    if not check:
        page.write_text(text, encoding="utf-8")
    elif page.read_text(encoding="utf-8") != text:
        print(f"docs/{page.name} is not current; type:  python -m tools.{by}")
        return False
    return True
