"""The runs of this process, for whoever shows or steers them."""

from __future__ import annotations

import itertools
import threading
import weakref
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from alcf_jupyter.connection.sign_in.signed_in import on_signed_in

if TYPE_CHECKING:
    from typing import TypeVar

    from alcf_jupyter.frames.run import Run
    from alcf_jupyter.frames.run_progress import Progress

    T = TypeVar("T")

_MOST_LEFT = 20

_guard = threading.Lock()
_number = itertools.count(1)
_runs: weakref.WeakValueDictionary[str, Run] = weakref.WeakValueDictionary()
_left: dict[str, Left] = {}
_hidden: set[str] = set()


@dataclass(frozen=True, slots=True)
class Left:
    """What is told of a run that ended before its end, and that nobody holds any more."""

    name: str
    model: str
    cluster: str
    service: str
    about: str
    progress: Progress
    recorded_in: str


def add(run: Run) -> None:
    """Remember a run for as long as it goes on or is held; what was told of it before goes."""
    with _guard:
        before = [key for key, left in _left.items() if left.name == run.name]
        before += [k for k, one in _runs.items() if one.name == run.name and not one.running]
        for key in before:
            _left.pop(key, None)
            _runs.pop(key, None)
        _runs[str(next(_number))] = run


def leave(run: Run) -> None:
    """Go on telling of a run that has ended before its end, until it is run again."""
    now = run.progress
    # one that is told to end and has not yet will have, when nobody holds it
    state = now.state if now.state == "failed" else "stopped"
    words = "run it again to go on" if run.recorded_in else ""
    told = replace(now, state=state, words=run.error.what if run.error else words)
    with _guard:
        key = next((key for key, one in _runs.items() if one is run), None)
        if key is not None and key not in _hidden:
            whom = (run.name, run.model, run.cluster, run.service, run.about)
            _left[key] = Left(*whom, told, run.recorded_in)
        while len(_left) > _MOST_LEFT:
            del _left[next(iter(_left))]


def forget(folder: str) -> None:
    """Tell no more of a run whose record is gone."""
    with _guard:
        for key in [key for key, left in _left.items() if left.recorded_in == folder]:
            del _left[key]


def hide(key: str) -> bool:
    """Show a run no more that has ended or was told to; False for one that goes on."""
    with _guard:
        run = _runs.get(key)
        if run is not None and run.running and not run.stopping:
            return False
        _left.pop(key, None)
        if run is not None:
            _hidden.add(key)
        return True


def known() -> dict[str, Run]:
    """Return the runs by their key, the latest first."""
    with _guard:
        return _latest_first(dict(_runs))


def shown() -> dict[str, Run | Left]:
    """Return the runs that there are to be seen by their key, the latest first."""
    with _guard:
        # a run that failed is held by its error for a while, and tells less
        held = {key: run for key, run in _runs.items() if key not in _hidden}
        going = {key: run for key, run in held.items() if run.running or key not in _left}
        return _latest_first({**_left, **going})


def _signed_in() -> None:
    for run in known().values():
        run.signed_in()


on_signed_in(_signed_in)


def _latest_first(runs: dict[str, T]) -> dict[str, T]:
    return dict(sorted(runs.items(), key=lambda one: -int(one[0])))
