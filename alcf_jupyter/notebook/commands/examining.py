"""%alcf doctor: find what is wrong here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alcf_jupyter.errors import UsageError
from alcf_jupyter.notebook.line import options

if TYPE_CHECKING:
    from alcf_jupyter.notebook.doctor.report import Report


def doctor(line: str) -> Report:
    """Find what is wrong here, and what mends it: ``%alcf doctor [--offline]``."""
    from alcf_jupyter.notebook.doctor import examine

    chosen, rest = options.doctor_parser().read(line)
    if rest:
        raise UsageError("%alcf doctor takes no words.", do="Type:  %alcf doctor")
    return examine(offline=chosen.offline)
