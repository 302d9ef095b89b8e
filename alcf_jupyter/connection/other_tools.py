"""The settings of other tools, which people may expect to count here, and do not."""

from __future__ import annotations

import os
from typing import Final
from urllib.parse import urlsplit

from alcf_jupyter.connection import profiles
from alcf_jupyter.errors import UsageError

_ADDRESS: Final = "OPENAI_BASE_URL"
NAMES: Final = (_ADDRESS, "MODEL_NAME")
"""The variables that tell other tools where to talk to, and with which model."""
_METIS: Final = "metis.alcf.anl.gov"


def unused() -> tuple[str, str]:
    """Name the variables of other tools that are set, and what is meant by them.

    Returns
    -------
    tuple of str
        That they are not used, ``""`` where none is set; and the line that talks to their server.
    """
    found = [name for name in NAMES if name in os.environ]
    says = f"{' and '.join(found)} {'is' if len(found) == 1 else 'are'} not used here"
    return says if found else "", _meant(os.environ.get(_ADDRESS, "").strip())


def hint() -> str:
    """Return the same as one line, ``""`` where none is set."""
    says, line = unused()
    return f"{says}; to talk to that server:  {line}" if says else ""


def _meant(address: str) -> str:
    """Return the line for an address; one with a password in it, or none, is not repeated."""
    try:
        profile = profiles.resolve(address if "://" in address else "")
    except UsageError:
        return "alcf.connect(ADDRESS, token=…)"
    if urlsplit(profile.url).hostname == _METIS:  # the guide copies these from the files
        return "alcf.connect('~/metis_endpoint_*.txt')"
    return f"alcf.connect({profile.url!r}{'' if profile.is_loopback else ', token=…'})"
