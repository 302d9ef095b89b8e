"""Faults of a batch, switched on when it is created."""

from __future__ import annotations

from .fault import BATCH, Fault, add

for _name, _summary in (
    ("batch-fails", "It fails in its second chunk, and leaves what the first one made."),
    ("batch-fails-early", "It fails before the first chunk ends, and leaves no file."),
    ("batch-stuck", "It stays pending for ever."),
    ("batch-torn-results", "It completes, and the last line of its results is cut off."),
    ("batch-bad-lines", "It completes, with a line that is no JSON and an empty one."),
    ("batch-repeated-lines", "It completes, with its first line of results twice."),
    ("batch-missing-lines", "It completes, with every tenth line of results left out."),
    ("batch-older-errors", "Failed lines in the flat shape of older model servers."),
    ("batch-result-object", "Its result is a JSON object with nested metrics, as in the guide."),
    ("batch-result-two-tasks", "Its result holds two tasks, joined by a comma."),
    ("batch-result-garbage", "Its result is a text that is no Python literal."),
    ("batch-result-elsewhere", "Its result names files outside the folder that was chosen."),
    ("batch-files-gone", "It completes, and its files are not there."),
):
    add(Fault(_name, _summary, BATCH))
