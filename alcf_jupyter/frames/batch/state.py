"""How the batches of a campaign are, as last seen: in a word, in words, as a table."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import pandas as pd

from alcf_jupyter.connection import deadline, site_file
from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.batch.submission import UNSEEN, WAITING
from alcf_jupyter.service import support
from alcf_jupyter.service.batches import ENDED

if TYPE_CHECKING:
    from alcf_jupyter.frames.batch.manifest import Manifest
    from alcf_jupyter.frames.batch.progress import Progress


def status(manifest: Manifest) -> str:
    """Return how a campaign is; see `Batch.status`."""
    if not manifest.transferred:
        return UNSEEN
    told = {part.status or WAITING for part in manifest.parts}
    order = ("running", "pending", WAITING, "failed", "completed")
    return next((one for one in order if one in told), "pending")


def words(manifest: Manifest) -> str:
    """Return how the parts of a campaign are, in words."""
    if not manifest.transferred:
        return "to be transferred"
    told = Counter(part.status or WAITING for part in manifest.parts)
    if len(manifest.parts) == 1:
        return next(iter(told))
    return ", ".join(f"{count} {status}" for status, count in told.items())


def line(manifest: Manifest, done: Progress, trouble: str) -> str:
    """Return how a campaign is that is waited for, in one line.

    Parameters
    ----------
    manifest
        Of the campaign.
    done
        How far it is.
    trouble
        What went wrong at the last look, in words.
    """
    is_sandbox = manifest.service == "sandbox"
    is_over = all(part.status in ENDED for part in manifest.parts)
    told = [manifest.name, words(manifest), *(["local sandbox"] if is_sandbox else [])]
    if done.lines and not is_over:
        told.append(str(done))
    waiting = next((one.reason for one in manifest.parts if one.status == WAITING), "")
    told += [one for one in (waiting, trouble) if one]
    begun = [one.created for one in manifest.parts if one.created]
    if begun and not is_over and not is_sandbox:
        told.append(deadline.words(max(0.0, time.time() - min(begun))))
    return " · ".join(told)


def table(manifest: Manifest) -> pd.DataFrame:
    """Return a row for each part; see `Batch.parts`."""
    names = ["file", "lines", "id", "status", "reason", "created", "ended"]
    records = [
        (one.name, one.lines, one.batch_id, one.status, one.reason, one.created, one.ended)
        for one in manifest.parts
    ]
    frame = pd.DataFrame(records, columns=names)
    for name in ("created", "ended"):
        moments = frame[name].where(frame[name] > 0)
        frame[name] = pd.to_datetime(moments, unit="s", utc=True).dt.floor("s")
    return frame


def not_cancelled(manifest: Manifest) -> UsageError:
    """Return the error that says who can cancel what runs, and what to write to them."""
    active = [one.batch_id for one in manifest.parts if one.batch_id and one.status not in ENDED]
    if not active:
        return UsageError(
            f"{manifest.name} has no batch that runs.", do="See your batches:  %alcf batches"
        )
    noun = "batch" if len(active) == 1 else "batches"
    where = f" on {manifest.cluster}" if manifest.cluster else ""
    return UsageError(
        "The service cannot cancel a batch; people can.",
        why=f"Write to {support.contacts(site_file.read().contacts)['batches']}:",
        do=f"Please cancel my inference {noun} {', '.join(active)}{where}.",
    )
