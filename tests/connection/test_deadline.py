"""Durations as people write them, and one moment after which everything ends."""

import time

import pytest

from alcf_jupyter.connection.deadline import Deadline, seconds, words
from alcf_jupyter.errors import UsageError
from alcf_jupyter.typed import on_a_line


@pytest.mark.parametrize(
    ("given", "span"),
    [
        ("30m", 1800),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("45s", 45),
        ("45", 45),
        ("1.5h", 5400),
        (" 2 D ", 172_800),
        (90, 90),
        (0.25, 0.25),
        (True, 1),
    ],
)
def test_durations(given, span):
    assert seconds(given) == span


@pytest.mark.parametrize(
    "given",
    ["", " ", "x", "30 minutes", "-5", "0", "0s", "1e3", "nan", "inf", "5m!", "m", "9" * 400],
)
def test_words_that_are_no_duration(given):
    with pytest.raises(UsageError, match="timeout='30m'"):
        seconds(given)


@pytest.mark.parametrize("given", [None, [], {}, 0, -1, float("nan"), float("inf"), b"5", 1e12])
def test_things_that_are_no_duration(given):
    with pytest.raises(UsageError, match="is not a duration"):
        seconds(given)


@pytest.mark.parametrize(
    ("span", "said"),
    [(0.4, "0s"), (59.9, "59s"), (60, "1m 00s"), (3599, "59m 59s"), (3600, "1h 00m")],
)
def test_spans_in_words(span, said):
    assert words(span) == said


def test_a_deadline_passes():
    began = time.monotonic()
    deadline = Deadline.after(600)
    assert began + 600 <= deadline.at <= time.monotonic() + 600
    assert 0 < deadline.left() <= 600
    deadline = Deadline.after(0.01)
    time.sleep(0.02)
    assert deadline.left() == 0
    error = Deadline.after("90m").error("waiting")
    assert str(error).startswith("1h 30m have passed while waiting.")
    assert error.do == "Give it longer:  timeout='1h'"
    with on_a_line():
        assert Deadline.after("90m").error("waiting").do == "Give it longer:  --timeout 1h"
