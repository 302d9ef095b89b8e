"""One writer: the second is refused by name, and a dead one's lock is taken over."""

import json
import os
import platform
import socket
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from alcf_jupyter.errors import JournalHeldError
from alcf_jupyter.frames.record.journal import LOCK, Journal
from alcf_jupyter.frames.record.journal_lines import Row
from alcf_jupyter.frames.record.writer_lock import STALE, WriterLock, holder_of, myself

SCRIPT = Path(__file__).with_name("journal_writer.py")
RUN = "0123456789abcdef0123456789abcdef"
FLOCK = pytest.param(
    "noflock",
    marks=pytest.mark.skipif(
        platform.machine() not in ("x86_64", "aarch64") or sys.platform != "linux",
        reason="the system call is taken away with seccomp",
    ),
)
KINDS = pytest.mark.parametrize("kind", ["flock", FLOCK])


def start(folder, kind):
    writer = subprocess.Popen(
        [sys.executable, SCRIPT, "hold", folder, kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    return writer, json.loads(writer.stdout.readline())


def end(writer, *, kill=False):
    if kill:
        writer.kill()
    writer.communicate("\n")


@KINDS
def test_a_second_kernel_is_refused_naming_host_and_process(tmp_path, kind):
    first, said = start(tmp_path, kind)
    second, refused = start(tmp_path, kind)
    end(second)
    assert said == {"held": first.pid}
    assert refused["error"] == "JournalHeldError"
    assert f"process {first.pid} on {socket.gethostname()}, since 20" in refused["text"]
    with pytest.raises(JournalHeldError, match=str(first.pid)):
        Journal(tmp_path, RUN)
    end(first)
    assert not (tmp_path / LOCK).exists()
    with Journal(tmp_path, RUN):
        pass


@KINDS
def test_a_killed_kernels_lock_is_taken_over(tmp_path, kind):
    first, _ = start(tmp_path, kind)
    end(first, kill=True)
    assert holder_of(tmp_path / LOCK).pid == first.pid
    second, said = start(tmp_path, kind)
    end(second)
    assert said == {"held": second.pid}


def test_of_many_at_once_one_gets_it(tmp_path):
    (tmp_path / LOCK).write_bytes(msgspec.json.encode(changed(pid=2**22 + 1)))
    writers = [
        subprocess.Popen(
            [sys.executable, SCRIPT, "hold", tmp_path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    said = [json.loads(writer.stdout.readline()) for writer in writers]
    for writer in writers:
        end(writer)
    assert sorted("held" in one for one in said) == [False, False, False, True]


def test_the_same_kernel_is_refused_too(tmp_path):
    with (
        Journal(tmp_path, RUN),
        pytest.raises(JournalHeldError, match="This kernel"),
    ):
        Journal(tmp_path, RUN)


def changed(**what):
    return msgspec.structs.replace(myself(), **what)


def left(folder, holder, age=0.0):
    path = folder / LOCK
    path.write_bytes(holder if isinstance(holder, bytes) else msgspec.json.encode(holder))
    os.utime(path, (time.time() - age,) * 2)
    return path


@pytest.mark.parametrize(
    ("holder", "age"),
    [
        pytest.param({"process": "1"}, 0, id="the number was given out again"),
        pytest.param({"pid": 2**22 + 1}, 0, id="no such process"),
        pytest.param({"host": "far"}, STALE + 60, id="another host, silent"),
        pytest.param({"boot": "before"}, 10**8, id="before a reboot"),
    ],
)
def test_a_stale_lock_is_taken_over(tmp_path, holder, age):
    path = left(tmp_path, changed(**holder), age)
    lock = WriterLock(path)
    assert holder_of(path).pid == os.getpid()
    assert path.stat().st_mode & 0o777 == 0o600
    lock.release()
    assert not path.exists()


@pytest.mark.parametrize("torn", [b"", b"{", b'{"host":"x"}', b"\xff"])
def test_a_torn_lock_is_taken_over(tmp_path, torn):
    WriterLock(left(tmp_path, torn)).release()


@pytest.mark.parametrize("holder", [{"host": "far"}, {"host": "far", "boot": "x", "pid": 1}])
def test_a_living_writer_on_another_host_is_not_disturbed(tmp_path, holder):
    path = left(tmp_path, changed(**holder), STALE - 60)
    with pytest.raises(JournalHeldError, match="on far"):
        WriterLock(path)
    assert holder_of(path).host == "far"


def test_a_writer_whose_lock_was_taken_writes_no_more(tmp_path):
    with Journal(tmp_path, RUN) as journal:
        journal.append([Row("a", "ok")])
        (tmp_path / LOCK).unlink()
        left(tmp_path, changed(host="far", pid=77))
        before = (tmp_path / "journal.jsonl").read_bytes()
        with pytest.raises(JournalHeldError, match="process 77 on far"):
            journal.append([Row("b", "ok")])
        with pytest.raises(JournalHeldError):
            journal.beat()
        assert (tmp_path / "journal.jsonl").read_bytes() == before
    assert holder_of(tmp_path / LOCK).pid == 77  # and closing leaves the other's lock


def test_a_link_in_its_place_is_not_followed(tmp_path):
    target = tmp_path / "target"
    target.write_text("kept")
    (tmp_path / LOCK).symlink_to(target)
    with pytest.raises(OSError, match="symbolic"):
        WriterLock(tmp_path / LOCK)
    assert target.read_text() == "kept"
