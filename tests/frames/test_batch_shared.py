"""What several kernels write of one campaign: all of it stays, and nothing goes backwards."""

import copy
import threading

import pytest

from alcf_jupyter.frames.batch import manifest, shared
from alcf_jupyter.frames.batch.manifest import Manifest, Part

ID, OTHER = "73a40f34-4166-4fce-a20e-6dcd9674a34f", "00000000-0000-4000-8000-000000000000"
NEW = Part("a.jsonl", 3)
LOST = Part("a.jsonl", 3, attempted=7.0)
WAITS = Part("a.jsonl", 3, status="waiting", reason="Quota of 1")
PENDING = Part("a.jsonl", 3, batch_id=ID, status="pending", created=5.0)
FAILED = Part("a.jsonl", 3, batch_id=ID, status="failed", reason="boom", created=5.0, ended=9.0)
SECOND = Part("a.jsonl", 3, batch_id=OTHER, status="completed", created=6.0, ended=8.0)


def campaign(part, **more):
    parts = [copy.copy(part)]
    return Manifest("a", "chat", "m", "c", "gateway", "/eagle", "/eagle", parts, **more)


@pytest.mark.parametrize(
    ("mine", "there", "wanted"),
    [
        (NEW, PENDING, PENDING),
        (LOST, PENDING, PENDING),
        (WAITS, PENDING, PENDING),
        (WAITS, FAILED, FAILED),
        (PENDING, FAILED, FAILED),
        (PENDING, NEW, PENDING),
        (PENDING, LOST, PENDING),
        (FAILED, PENDING, FAILED),
        (FAILED, WAITS, FAILED),
        (PENDING, SECOND, PENDING),
        (NEW, LOST, LOST),
        (LOST, NEW, LOST),
        (NEW, Part("b.jsonl", 3, batch_id=ID), NEW),
    ],
)
def test_a_part_goes_forwards_only(tmp_path, mine, there, wanted):
    manifest.write(campaign(there), tmp_path)
    known = campaign(mine)
    shared.catch_up(known, tmp_path)
    assert known.parts == [wanted]


def test_what_only_one_of_them_knows(tmp_path):
    manifest.write(campaign(NEW, retries=["r1", "r2"], transferred=True), tmp_path)
    known = campaign(PENDING, retries=["r1", "r3"], transferred=False)
    shared.save(known, tmp_path)
    assert known == campaign(PENDING, retries=["r1", "r2", "r3"], transferred=True)
    assert manifest.read(manifest.path_of(tmp_path, "a")) == known


def test_a_manifest_that_is_gone_is_written_again(tmp_path):
    shared.save(campaign(PENDING), tmp_path)
    assert manifest.read(manifest.path_of(tmp_path, "a")) == campaign(PENDING)


def test_many_at_once_lose_nothing(tmp_path):
    start = threading.Barrier(8)

    def write(number):
        start.wait()
        shared.save(campaign(NEW, retries=[f"r{number}"]), tmp_path)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    there = manifest.read(manifest.path_of(tmp_path, "a"))
    assert sorted(there.retries) == [f"r{number}" for number in range(8)]
