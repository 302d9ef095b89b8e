"""The times below an answer, where somebody watches; elsewhere they would differ in every run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alcf_jupyter.notebook.surface import Surface, surface

if TYPE_CHECKING:
    from collections.abc import Mapping

    from IPython.core.interactiveshell import InteractiveShell


def times(told: Mapping[str, Any], shell: InteractiveShell) -> str:
    """Return how long an answer took, to be put behind its footer; ``""`` where nobody watches.

    Parameters
    ----------
    told
        Its provenance, whose times are in seconds.
    shell
        Where it is shown.
    """
    if surface(shell) is Surface.HEADLESS:
        return ""
    first, total, waited = (
        told.get(f"{name}_seconds") for name in ("first_token", "total", "waited")
    )
    parts = []
    if first is not None:
        parts.append(f"first token {first:.1f} s")
    if total is not None:
        parts.append(f"total {total:.1f} s")
    text = ", ".join(parts)
    if waited is not None and waited >= 1:
        from alcf_jupyter.connection.deadline import words

        text += f" (waited {words(waited)})"
    return f" · {text.strip()}" if text else ""
