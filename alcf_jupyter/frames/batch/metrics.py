"""Batches and what they did as one tidy table."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pandas as pd

from alcf_jupyter.connection import state
from alcf_jupyter.connection.session import client
from alcf_jupyter.errors import AlcfError, RefusedError, UsageError
from alcf_jupyter.frames.batch import manifest as batch_manifest
from alcf_jupyter.frames.batch.submission import WAITING
from alcf_jupyter.plain import brief, clean
from alcf_jupyter.service.batches import Listed, Summary, check_id, model_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from alcf_jupyter.connection.client import Client

_ROOM: Final = "batches"
_WORDS: Final = ("id", "cluster", "model", "status", "input_file", "reason")
_TIMES: Final = ("created", "ended")
_FIGURES: Final = ("response_time", "throughput")
_COUNTS: Final = ("total_tokens", "responses", "lines", "failed_lines")
COLUMNS: Final = (
    *("id", "task", "cluster", "model", "status", "created", "ended", "response_time"),
    *("throughput", "total_tokens", "responses", "lines", "failed_lines", "input_file", "reason"),
)


@dataclass(frozen=True, slots=True)
class Known:
    """A batch with what is known of its tasks; `reason` says why it failed, where it is told."""

    batch: Listed
    tasks: list[Summary] = field(default_factory=list)
    reason: str = ""


def batch_metrics(batches: Any = None) -> pd.DataFrame:
    """Return what batches did: their time, throughput, tokens and lines.

    Parameters
    ----------
    batches
        Ids, batches, a column of ids or what `batches` returned, one or many; every completed
        batch of yours by default.

    Returns
    -------
    pandas.DataFrame
        One row for each task of a batch, of which there is mostly one: ``id``, ``task``,
        ``cluster``, ``model``, ``status``, ``created`` and ``ended`` (UTC), ``response_time`` (s),
        ``throughput`` (tokens a second), ``total_tokens``, ``responses``, ``lines``,
        ``failed_lines``, ``input_file`` and the ``reason`` of a failed one. What the service does
        not tell is missing. It notes an end when somebody asks, so ``ended`` can be late.

    Raises
    ------
    UsageError
        Something is no id of a batch.
    RestrictedError
        A batch is somebody else's.
    RefusedError
        There is no such batch.
    """
    talk = client()
    wanted = None if batches is None else [check_id(one) for one in _ids(batches)]
    listed = {one.id: one for one in listing(talk) or []}
    if wanted is None:
        wanted = [one.id for one in listed.values() if one.status == "completed"]
    return table(known([listed.get(one) or Listed(one, "") for one in wanted], talk))


def _ids(batches: Any) -> list[Any]:
    if isinstance(batches, str):
        return [batches]
    if hasattr(batches, "ids"):
        return list(batches.ids)
    if isinstance(batches, pd.DataFrame):
        if "id" not in batches:
            return [batches]
        submitted = batches[batches["status"] != WAITING] if "status" in batches else batches
        return list(dict.fromkeys(submitted["id"]))
    found = []
    for one in batches:
        found += list(one.ids) if hasattr(one, "ids") else [one]
    return found


def listing(talk: Client, status: str | None = None) -> list[Listed] | None:
    """Return the list of batches, None where the gateway fails over one of them."""
    from alcf_jupyter.errors import UnknownModelError

    try:
        return talk.list_batches(status)
    except UnknownModelError:
        return None


def known(batches: Sequence[Listed], talk: Client) -> list[Known]:
    """Add to batches what they did, asking the service once for each that it has not told yet.

    Raises
    ------
    AlcfError
        An answer other than that a batch is not done, or that it failed.
    """
    kept = {one.id: _kept(one.id) for one in batches}
    asked = [one.id for one in batches if kept[one.id] is None and one.status != "pending"]
    told = dict(zip(asked, talk.batch_results(asked) if asked else [], strict=True))
    found = []
    for one in batches:
        before = kept[one.id] or Kept()
        tasks, status, reason = before.tasks, one.status, before.reason
        answer = told.get(one.id)
        if isinstance(answer, list):
            tasks, status = answer, "completed"
            keep(one.id, Kept(answer))
        elif isinstance(answer, RefusedError) and answer.code in ("batch_failed", "batch_ongoing"):
            is_failed = answer.code == "batch_failed"
            status, reason = ("failed", answer.why) if is_failed else (status or "pending", "")
            if is_failed:
                keep(one.id, Kept([], reason))
        elif answer is not None and one.status != "completed":
            raise answer
        elif answer is not None:
            reason = brief(answer.what, 120)
        found.append(Known(_told(one, status, tasks), tasks, reason))
    return found


def tasks(batch_id: str, talk: Client) -> list[Summary]:
    """Return what each task of a completed batch did.

    Raises
    ------
    AlcfError
        The service, which is asked where it has not told it yet, does not.
    """
    before = _kept(batch_id)
    if before is not None and before.tasks:
        return before.tasks
    told = talk.batch_result(batch_id)
    keep(batch_id, Kept(told))
    return told


def _told(one: Listed, status: str, tasks: list[Summary]) -> Listed:
    """Add the model, which the list does not tell, from the manifest or from the files' names."""
    manifest = None
    path = batch_manifest.pointed(one.id)
    if path is not None:
        with contextlib.suppress(AlcfError):
            manifest = batch_manifest.read(path)
    model = one.model or (manifest.model if manifest else "")
    model = model or next((model_of(task, one.id) for task in tasks), "")
    cluster = one.cluster or (manifest.cluster if manifest else "")
    return Listed(
        one.id, status, cluster, one.framework, model, one.input_file, one.created, one.ended
    )


class Kept(msgspec.Struct):
    """What a batch did, or why it failed; neither changes any more."""

    tasks: list[Summary] = []
    reason: str = ""


def keep(batch_id: str, told: Kept) -> None:
    """Keep what a batch did."""
    with contextlib.suppress(UsageError):  # without it the service is asked again
        path = state.folder(_ROOM) / f"{batch_id}.metrics.json"
        batch_manifest.replace(path, msgspec.json.encode(told))


def _kept(batch_id: str) -> Kept | None:
    try:
        path = state.folder(_ROOM) / f"{batch_id}.metrics.json"
        return msgspec.json.decode(path.read_bytes(), type=Kept)
    except (OSError, UsageError, msgspec.DecodeError):
        return None


def table(found: Iterable[Known]) -> pd.DataFrame:
    """Return batches as `batch_metrics` does."""
    records = [
        _record(one, task, number)
        for one in found
        for number, task in enumerate(one.tasks or [Summary()], 1)
    ]
    frame = pd.DataFrame(records, columns=list(COLUMNS))
    kinds: dict[str, Any] = {
        **dict.fromkeys(_WORDS, "str"),
        **dict.fromkeys(_FIGURES, "Float64"),
        **dict.fromkeys((*_COUNTS, "task"), "Int64"),
    }
    frame = frame.astype(kinds)
    for name in _TIMES:
        moments = pd.to_numeric(frame[name])
        frame[name] = pd.to_datetime(moments, unit="s", utc=True).dt.floor("s")
    return frame


def _record(one: Known, task: Summary, number: int) -> dict[str, Any]:
    batch = one.batch
    return {
        **{name: getattr(batch, name) for name in ("id", "cluster", "status")},
        "input_file": clean(batch.input_file),
        "model": brief(batch.model, 120),
        "task": number,
        "created": batch.created,
        "ended": batch.ended,
        "response_time": task.response_time,
        "throughput": task.throughput,
        "total_tokens": task.total_tokens,
        "responses": task.responses,
        "lines": task.lines,
        "failed_lines": task.failed,
        "reason": one.reason,
    }
