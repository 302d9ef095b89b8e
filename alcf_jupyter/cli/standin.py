"""The stand-in service run by hand, for several notebooks or another program to share."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMAND = (
    *(sys.executable, "-m", "alcf_jupyter.sandbox"),
    *("--called-as", "alcf-jupyter sandbox"),
)
POLL_SECONDS = 1  # its clock runs 60 times as fast, and so may the looks at its queue


def serve(options: Sequence[str]) -> int:
    """Run the stand-in until Ctrl-C, and print the line that connects a notebook to it.

    Parameters
    ----------
    options
        The stand-in's own options, as they are.

    Returns
    -------
    int
        0 when it was ended from here, otherwise what it returned.
    """
    process = subprocess.Popen(  # noqa: S603 - our own module, no shell
        [*_COMMAND, "--with-owner", *options],
        stdin=subprocess.PIPE,  # its leash: however this process ends, the stand-in ends too
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        for line in process.stdout or ():
            print(_readable(line), end="", flush=True)
        return process.wait()
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        return 0


def _readable(line: str) -> str:
    """Return the line with its address and token as words and lines to paste; others as is."""
    try:
        told = json.loads(line)
        url, secret = told["url"], told["secret"]
    except (ValueError, TypeError, KeyError):
        return line
    return (
        f"The sandbox runs at {url}\n"
        "To connect a notebook, run this in a cell:\n\n"
        "    import alcf_jupyter as alcf\n"
        f'    alcf.connect("{url}", token="{secret}", poll_seconds={POLL_SECONDS})\n\n'
        "It is a local stand-in and not ALCF's service. Ctrl-C ends it.\n"
    )
