"""How a run over many rows is begun: what it keeps to, and where it is recorded."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from alcf_jupyter.connection.record import replay
from alcf_jupyter.connection.session import client
from alcf_jupyter.errors import JournalHeldError, UsageError
from alcf_jupyter.frames import live_runs
from alcf_jupyter.frames.record.journal import Journal
from alcf_jupyter.frames.record.journal_content import LINES, read
from alcf_jupyter.frames.record.recorded import folder_of, place
from alcf_jupyter.frames.run import Run
from alcf_jupyter.frames.sending.engine import Engine
from alcf_jupyter.frames.sending.lane import FIRST_WIDTH, MOST_WIDTH, Lane
from alcf_jupyter.frames.sending.run_limits import Limits
from alcf_jupyter.frames.sending.send_rate import SendRate
from alcf_jupyter.frames.sending.token_window import TokenWindow
from alcf_jupyter.plain import counted
from alcf_jupyter.service import limits
from alcf_jupyter.typed import typed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from alcf_jupyter.connection.call import Call
    from alcf_jupyter.connection.profiles import Profile
    from alcf_jupyter.frames.job import Job
    from alcf_jupyter.frames.result_file import ResultFile

TIMEOUT = "24h"
"""For a whole run, the queue included; at the service's pace 150,000 rows take five hours."""

_STOPPING_SECONDS = 10.0
"""For so long the same run, begun again, waits for one that was stopped to put away what came."""

_LOOK_SECONDS = 0.05
_MOST_AT_ONCE = 128
"""Connections that are kept to one service."""


def launch(
    job: Job,
    call: Call,
    identity: str,
    *,
    checkpoint: str | Path | None = None,
    fresh: bool = False,
    concurrency: int | None = None,
    on_error: str = "keep",
    background: bool = False,
    written: ResultFile | None = None,
    before: Callable[[Run], object] | None = None,
) -> Run:
    """Begin a run.

    Parameters
    ----------
    job
        What it does.
    call
        The model, the cluster, the deadline, and whether to wait for the model.
    identity
        As `row_keys.identity` gives it.
    checkpoint, fresh
        Where it is recorded, and whether to begin anew. A run that is one request is recorded only
        where a place is named: there is nothing to go on from.
    concurrency
        Requests at once; found by itself where not given.
    on_error
        ``"keep"`` or ``"raise"``.
    background
        Whether the user goes on meanwhile, and can sign in.
    written
        The file that the finished frame is written to, too.
    before
        Given the run before it sends anything, when it knows what is recorded already.

    Raises
    ------
    UsageError
        An option is none.
    JournalError
        The record cannot be used.
    """
    check(job, concurrency, on_error)
    talk = client()
    scale = _scale(talk.profile)
    keeps = Limits(
        Lane(*_widths(concurrency), scale, rate=SendRate(talk.profile.requests_per_second)),
        TokenWindow(scale),
        call.deadline,
        patient=call.patient,
        pausable=background,
        scale=scale,
    )
    engine = Engine(talk.caller, call, job, keeps, talk.service)
    name = identity[:16]
    with contextlib.ExitStack() as unless_begun:
        journal = None
        if _is_recorded(job, checkpoint):
            journal = _journal(job, call, identity, checkpoint, fresh=fresh)
            unless_begun.enter_context(journal)
        run = Run(job, engine, journal, name=name, on_error=on_error, written=written)
        if before is not None:
            before(run)
        run.start()
        unless_begun.pop_all()
    return run


def check(job: Job, concurrency: int | None, on_error: str) -> None:
    """Raise where `launch` would, for an option that is none."""
    if on_error not in ("keep", "raise"):
        raise UsageError(
            f"on_error={on_error!r} is neither 'keep' nor 'raise'.", do="Leave it out."
        )
    if on_error == "raise" and job.unsent["failed"]:
        raise UsageError(
            f"{counted(job.unsent['failed'], 'row')} cannot be sent as they are; nothing was sent.",
            do="Leave on_error out, and look at the column 'reason' of the result.",
        )
    _widths(concurrency)


def pending(
    job: Job, identity: str, checkpoint: str | Path | None = None, *, fresh: bool = False
) -> Sequence[int]:
    """Return the units that a run would send: those that are not recorded; nothing is written.

    Parameters
    ----------
    job, identity, checkpoint, fresh
        As for `launch`. A record that another process writes is read as it is now.

    Raises
    ------
    JournalError
        The record is of another run, or cannot be read.
    """
    units = range(len(job.keys))
    folder = folder_of(identity, checkpoint)
    if fresh or not _is_recorded(job, checkpoint) or not (folder / LINES).exists():
        return units
    known = read(folder, identity, vectors=False).rows
    return [unit for unit in units if job.keys[unit] not in known]


def _is_recorded(job: Job, checkpoint: str | Path | None) -> bool:
    return replay.active() is None and (checkpoint is not None or not _is_one_request(job))


def _journal(
    job: Job, call: Call, identity: str, checkpoint: str | Path | None, *, fresh: bool
) -> Journal:
    about = {"kind": job.kind, "model": call.model, "cluster": call.cluster or ""}
    folder = place(identity, checkpoint)
    until = time.monotonic() + _STOPPING_SECONDS
    while True:
        try:
            return Journal(folder, identity, about, fresh=fresh)
        except JournalHeldError:
            runs = live_runs.known().values()
            ends = any(run.stopping and run.recorded_in == str(folder) for run in runs)
            if not ends or time.monotonic() > until:
                raise
            time.sleep(_LOOK_SECONDS)


def _is_one_request(job: Job) -> bool:
    packs = iter(job.packs(range(len(job.keys))))
    next(packs, None)
    return next(packs, None) is None


def _widths(concurrency: int | None) -> tuple[int, int]:
    """Return how many requests at once at the most, and to begin with."""
    if concurrency is None:
        return MOST_WIDTH, FIRST_WIDTH
    whole = isinstance(concurrency, int) and not isinstance(concurrency, bool)
    if not whole or not 1 <= concurrency <= _MOST_AT_ONCE:
        raise UsageError(
            f"{typed(concurrency=concurrency)} is not from 1 to {_MOST_AT_ONCE}.",
            do="Leave it out: it is found by itself.",
        )
    return concurrency, concurrency


def _scale(profile: Profile) -> float:
    """Return what a second of the service is here; a stand-in's clock runs as fast as its polls."""
    return profile.poll_seconds / limits.JOBS_CACHE_SECONDS if profile.is_gateway else 1.0
