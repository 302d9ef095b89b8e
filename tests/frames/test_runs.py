"""Recorded runs: found, listed, exported, deleted and expired."""

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

from alcf_jupyter.errors import JournalHeldError, UsageError
from alcf_jupyter.frames import run_tables, runs
from alcf_jupyter.frames.journal import Journal
from alcf_jupyter.frames.journal_content import LINES
from alcf_jupyter.frames.journal_lines import Row
from alcf_jupyter.frames.row_keys import identity

ONE, TWO = identity(model="one"), identity(model="two")
ROWS = [Row("a", "ok", "yes", fields={"n": 1}, tokens=5), Row("b", "failed", reason="no \ud800")]


def record(folder, run=ONE, vectors=None):
    with Journal(folder, run, {"kind": "map", "model": "one"}) as journal:
        journal.append(ROWS[:1], vectors)
        journal.append(ROWS[1:])
    return folder


def test_a_run_is_in_the_state_directory_and_a_checkpoint_where_it_was_put(tmp_path):
    record(runs.place(ONE))
    record(runs.place(TWO, tmp_path / "mine"), TWO)
    found = {run.name: run for run in runs.runs()}
    assert set(found) == {ONE[:16], TWO[:16]}
    assert found[TWO[:16]].folder == tmp_path / "mine"
    assert [found[one[:16]].checkpoint for one in (ONE, TWO)] == [False, True]
    assert runs.place(ONE).stat().st_mode & 0o777 == 0o700
    assert found[ONE[:16]].size == sum(one.stat().st_size for one in runs.place(ONE).iterdir())


def test_a_relative_checkpoint_is_found_from_another_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record(runs.place(ONE, "mine"))
    monkeypatch.chdir("/")
    assert [run.folder for run in runs.runs()] == [tmp_path / "mine"]


def test_the_table():
    record(runs.place(ONE))
    table = run_tables.table(runs.runs())
    told = ["run", "kind", "model", "ok", "truncated", "failed", "writer"]
    assert table.loc[0, told].tolist() == [ONE[:16], "map", "one", 1, 0, 1, ""]
    assert list(run_tables.table([]).columns) == list(table.columns)


def test_find(tmp_path):
    record(runs.place(ONE))
    record(tmp_path / "mine", TWO)
    assert runs.find(ONE[:5]).folder == runs.place(ONE)
    assert runs.find(tmp_path / "mine").checkpoint
    for name in ("", "nothing", tmp_path):
        with pytest.raises(UsageError, match="No recorded run"):
            runs.find(name)


def test_as_a_frame_and_as_json_lines(tmp_path):
    vectors = np.arange(3, dtype=np.float32)[None]
    run = runs.find(record(tmp_path / "mine", vectors=vectors))
    frame = run_tables.frame(run)
    assert frame.index.tolist() == ["a", "b"]
    assert frame["status"].tolist() == ["ok", "failed"]
    assert list(frame.loc["a", "embedding"]) == [0, 1, 2]
    assert frame["embedding"].isna().tolist() == [False, True]
    path = run_tables.export(run, tmp_path / "out.jsonl")
    written = [json.loads(one) for one in path.read_text().splitlines()]
    assert [one["status"] for one in written] == ["ok", "failed"]
    assert written[0]["embedding"] == [0, 1, 2]
    assert written[1]["reason"] == "no \ud800"
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError, match="File exists"):
        run_tables.export(run, path)


def test_delete_takes_its_own_files_only(tmp_path):
    record(tmp_path / "mine")
    (tmp_path / "mine" / "notes.txt").write_text("kept")
    runs.delete(runs.find(tmp_path / "mine"))
    assert [one.name for one in (tmp_path / "mine").iterdir()] == ["notes.txt"]
    record(runs.place(ONE))
    runs.delete(runs.runs()[0])
    assert runs.runs() == []


def test_a_run_that_is_written_is_neither_deleted_nor_expired():
    folder = runs.place(ONE)
    with Journal(folder, ONE):
        os.utime(folder / LINES, (1, 1))
        with pytest.raises(JournalHeldError):
            runs.delete(runs.runs()[0])
        assert runs.expire() == []
        assert (folder / LINES).exists()
        assert runs.runs()[0].holder.pid == os.getpid()


def test_what_was_not_used_for_thirty_days_expires_but_no_checkpoint(tmp_path):
    old = time.time() - 31 * 86400
    for folder, run in ((runs.place(ONE), ONE), (runs.place(TWO), TWO)):
        record(folder, run)
    record(runs.place(ONE, tmp_path / "mine"))
    for folder in (runs.place(ONE), tmp_path / "mine"):
        os.utime(folder / LINES, (old, old))
    assert [run.name for run in runs.expire()] == [ONE[:16]]
    assert {run.folder for run in runs.runs()} == {runs.place(TWO), tmp_path / "mine"}
    assert runs.expire() == []


def test_a_damaged_run_is_listed_all_the_same():
    folder = record(runs.place(ONE))
    (folder / LINES).write_bytes(b"\xff" + (folder / LINES).read_bytes()[1:])
    assert [run.name for run in runs.runs()] == [ONE[:16]]
    assert run_tables.table(runs.runs())["ok"].tolist() == [0]
    assert isinstance(runs.runs()[0].folder, Path)
