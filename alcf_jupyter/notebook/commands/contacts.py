"""Whom to write to, and about what."""

from __future__ import annotations

from alcf_jupyter.notebook.commands import status


def contacts() -> str:
    """Return whom to write to; a site may set addresses of its own."""
    from alcf_jupyter.connection import site_file
    from alcf_jupyter.service import support

    addresses = support.contacts(site_file.read().contacts)
    by_address: dict[str, list[str]] = {}
    for subject, address in addresses.items():
        by_address.setdefault(address, []).append(support.SUBJECTS[subject])
    lines = []
    for address, subjects in by_address.items():
        lines += [address, *(f"  for {subject}" for subject in subjects)]
    return "\n".join([*lines, f"The service itself: {status.WEB_INTERFACE} · {status.STATUS_PAGE}"])
