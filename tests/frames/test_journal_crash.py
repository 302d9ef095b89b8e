"""A writer is killed in the middle, again and again: what it said is durable, is there."""

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("journal_writer.py")
KILLS = int(os.environ.get("ALCF_TEST_KILLS", "40"))


def test_killed_writers_lose_nothing_they_called_durable(tmp_path):
    number = secrets.randbelow(10**9)
    done = subprocess.run(
        [sys.executable, SCRIPT, "kill", tmp_path / "run", str(KILLS), str(number)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stderr
    report = json.loads(done.stdout)
    durable = report.pop("durable")
    # none ended by itself: each took over from the one that was killed before it
    assert report == {"lost": 0, "wrong": 0, "ended": 0}, (number, done.stderr)
    assert durable > KILLS
