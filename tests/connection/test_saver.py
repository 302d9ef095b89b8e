"""A file that grows is written often enough, and writing it never takes most of the time."""

import subprocess
import sys
import threading
import time

import pytest

from alcf_jupyter.connection.record import saver
from alcf_jupyter.connection.record.saver import QUICK_SECONDS, Saver
from alcf_jupyter.errors import ReplayError


class Clock:
    """Stands still, but for what a file takes to write."""

    now = 1000.0

    def monotonic(self):
        return self.now


class File:
    """Something that is added to, and takes a while to write."""

    def __init__(self, seconds=0.0, sleep=time.sleep):
        self.seconds, self.added, self.written, self.times = seconds, 0, 0, 0
        self.saver, self.sleep = Saver(self.write, threading.RLock()), sleep

    def write(self):
        self.sleep(self.seconds)
        self.written = self.added
        self.times += 1

    def add(self):
        self.added += 1
        self.saver.soon()


@pytest.fixture
def sleep(monkeypatch):
    """Let time pass, for the saver alone."""
    clock = Clock()
    monkeypatch.setattr(saver, "time", clock)
    return lambda seconds: setattr(clock, "now", clock.now + seconds)


def test_a_small_file_is_written_at_once(sleep):
    file = File(sleep=sleep)
    for number in range(1, 20):
        file.add()
        assert file.written == number


def test_a_large_one_now_and_then_and_at_the_end(sleep):
    file = File(1000 * QUICK_SECONDS, sleep)
    for _ in range(1000):
        file.add()
    assert file.times == 1
    assert file.written == 1
    file.saver.now()
    assert (file.times, file.written) == (2, 1000)
    file.saver.now()
    assert file.times == 2, "there was nothing new"


def test_what_is_late_is_written_all_the_same():
    file = File(1.1 * QUICK_SECONDS)
    file.add()
    file.add()
    end = time.monotonic() + 60
    while file.written < 2:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_what_goes_wrong_later_is_told_the_next_time(sleep):
    file = File(1000 * QUICK_SECONDS, sleep)
    file.add()

    def fail():
        raise ReplayError("the disk is full")

    file.saver._write = fail
    file.add()
    file.saver._late()
    with pytest.raises(ReplayError, match="the disk is full"):
        file.add()
    file.saver._write = file.write
    file.saver.now()  # nothing is left for the end of the process


@pytest.mark.parametrize("trouble", [ReplayError("the disk is full"), KeyboardInterrupt()])
def test_what_could_not_be_written_is_written_later(trouble):
    file, write = File(), None

    def fail():
        file.saver._write = write
        raise trouble

    write, file.saver._write = file.saver._write, fail
    with pytest.raises(type(trouble)):
        file.add()
    assert file.written == 0
    file.saver.now()
    assert file.written == 1


def test_the_end_of_the_process_writes_what_is_left(tmp_path):
    program = (
        "from tests.connection.test_saver import File\n"
        "class Told(File):\n"
        "    def write(self):\n"
        "        super().write()\n"
        f"        open({str(tmp_path / 'n')!r}, 'w').write(str(self.written))\n"
        "file = Told(0.06)\n"
        "for _ in range(5): file.add()\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
    assert (tmp_path / "n").read_text() == "5"
