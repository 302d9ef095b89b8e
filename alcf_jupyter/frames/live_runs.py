"""The runs of this process that somebody still holds, for whoever shows or steers them."""

from __future__ import annotations

import itertools
import threading
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alcf_jupyter.frames.run import Run

_guard = threading.Lock()
_number = itertools.count(1)
_runs: weakref.WeakValueDictionary[str, Run] = weakref.WeakValueDictionary()


def add(run: Run) -> None:
    """Remember a run for as long as it goes on or its frame is held."""
    with _guard:
        _runs[str(next(_number))] = run


def known() -> dict[str, Run]:
    """Return the runs by their key, the latest first."""
    with _guard:
        return dict(sorted(_runs.items(), key=lambda one: -int(one[0])))
