"""Recorded runs: found, listed, exported, deleted and expired."""

import json
import os
import re
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import alcf_jupyter as alcf
from alcf_jupyter.errors import JournalHeldError, UsageError
from alcf_jupyter.frames.record import recorded, run_counts, run_list
from alcf_jupyter.frames.record.journal import LAST, Journal
from alcf_jupyter.frames.record.journal_content import LINES, read
from alcf_jupyter.frames.record.journal_lines import Row
from alcf_jupyter.frames.record.row_keys import identity
from alcf_jupyter.typed import on_a_line
from tests.connection.faultserver import gateway_error, whole
from tests.frames.serving import connected
from tests.frames.test_column import chat

ONE, TWO = identity(model="one"), identity(model="two")
ROWS = [Row("a", "ok", "yes", fields={"n": 1}, tokens=5), Row("b", "failed", reason="no \ud800")]


def record(folder, run=ONE, vectors=None):
    with Journal(folder, run, {"kind": "map", "model": "one", "rows": 5}) as journal:
        journal.append(ROWS[:1], vectors)
        journal.append(ROWS[1:])
    return folder


def test_a_run_is_in_the_state_directory_and_a_checkpoint_where_it_was_put(tmp_path):
    record(recorded.place(ONE))
    record(recorded.place(TWO, tmp_path / "mine"), TWO)
    found = {run.name: run for run in recorded.known()}
    assert set(found) == {ONE[:16], TWO[:16]}
    assert found[TWO[:16]].folder == tmp_path / "mine"
    assert [found[one[:16]].checkpoint for one in (ONE, TWO)] == [False, True]
    assert recorded.place(ONE).stat().st_mode & 0o777 == 0o700
    assert found[ONE[:16]].size == sum(one.stat().st_size for one in recorded.place(ONE).iterdir())


def test_a_relative_checkpoint_is_found_from_another_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record(recorded.place(ONE, "mine"))
    monkeypatch.chdir("/")
    assert [run.folder for run in recorded.known()] == [tmp_path / "mine"]


def test_the_list_shows_itself():
    record(recorded.place(ONE))
    listed = alcf.runs()
    told = ["name", "kind", "columns", "model", "rows", "ok", "truncated", "failed", "writer"]
    assert listed.frame.loc[0, told].tolist() == [ONE[:16], "map", "", "one", 5, 1, 0, 1, ""]
    unknown = listed.frame.loc[0, ["skipped", "pending"]]
    assert unknown.isna().all(), "the form of earlier versions does not tell"
    assert listed.frame.loc[0, "size"] == listed.size == listed[0].size
    head, row, summary = repr(listed).splitlines()
    shown = ["name", "kind", "model", "rows", "ok", "failed", "skipped", "pending", "size", "used"]
    assert head.split() == shown
    assert row.split()[:8] == [ONE[:8], "map", "one", "5", "1", "1", "?", "?"]
    assert summary.startswith(f"1 recorded run, {listed.size} bytes in all")
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", listed._repr_html_())
    assert cells[:8] == [ONE[:8], "map", "one", "5", "1", "1", "?", "?"]
    assert listed[ONE[:8]] == listed[0]


def test_an_empty_list():
    assert repr(alcf.runs()) == "No run is recorded."
    assert alcf.runs()._repr_html_() == "<p>No run is recorded.</p>"
    assert list(alcf.runs().frame.columns) == list(run_list._HEAD)


def test_what_a_record_says_of_itself_is_shown_as_text(tmp_path):
    with Journal(tmp_path / "a$b$", ONE, {"model": "<img src=x> $x$ \u202e", "kind": 7}):
        pass
    recorded.place(ONE, tmp_path / "a$b$")
    shown = alcf.runs()._repr_html_() + repr(alcf.runs())
    assert "<img src=x>" not in alcf.runs()._repr_html_()
    assert "$x$" not in alcf.runs()._repr_html_()
    assert "\u202e" not in shown


def test_a_run_is_taken_by_name_or_place():
    record(recorded.place(ONE))
    os.utime(recorded.place(ONE) / LINES, (1e9, time.time() - 60))
    record(recorded.place(TWO), TWO)
    listed = alcf.runs()
    assert [run.name for run in listed] == [TWO[:16], ONE[:16]]
    assert listed[ONE[:6]] == listed[1] == listed[-1]
    assert len(listed[1:]) == 1
    assert listed[0].open()["status"].tolist() == ["ok", "failed"]
    for which in (2, "zz"):
        with pytest.raises(UsageError, match=r"alcf\.runs"):
            listed[which]
    listed[0].delete()
    assert [run.name for run in alcf.runs()] == [ONE[:16]]


def test_counts_are_those_of_the_rows_whatever_happened_to_the_lines(tmp_path):
    folder = record(tmp_path / "mine")
    with Journal(folder, ONE) as journal:
        journal.append([Row(f"k{at}", "ok", 'with "status":"failed" in it') for at in range(50)])
        journal.append([Row("k7", "failed", reason="later"), Row("k8", "truncated", "\ud800")])
    lines = (folder / LINES).read_bytes().splitlines(keepends=True)
    for damage in ({}, {0: b"x"}, {5: b"#"}, {len(lines) - 1: b""}, {3: b"\n"}):
        changed = [damage.get(at, raw[:1]) + raw[1:] for at, raw in enumerate(lines)]
        changed += [lines[0], lines[9][:40]]
        (folder / LINES).write_bytes(b"".join(changed))
        rows = read(folder, ONE).rows.values()
        try:
            assert run_counts.tally(folder).recorded == Counter(r.status for r in rows), damage
        finally:
            run_counts._known.clear()
    assert run_counts.tally(tmp_path / "none").recorded == {}


def test_one_run_recorded_twice_is_told_apart_by_its_folder(tmp_path):
    record(recorded.place(ONE))
    record(recorded.place(ONE, tmp_path / "mine"))
    with pytest.raises(UsageError, match="More than one") as caught:
        alcf.runs()[ONE[:4]]
    typed = re.search(r'alcf\.runs\(\)\["(.*)"\]', str(caught.value))[1]
    assert alcf.runs()[typed].folder == alcf.runs()[0].folder
    assert alcf.runs()[str(tmp_path / "mine")].checkpoint
    with on_a_line(), pytest.raises(UsageError, match="More than one") as caught:
        alcf.runs()[ONE[:4]]
    assert caught.value.do == f"Name its folder, as in  %alcf runs open {typed}"


def test_a_run_that_did_not_change_is_not_read_again(monkeypatch):
    record(recorded.place(ONE))
    repr(alcf.runs())
    count, counted = run_counts._counted, []
    monkeypatch.setattr(
        run_counts, "_counted", lambda folder: counted.append(folder) or count(folder)
    )
    repr(alcf.runs())
    assert counted == []
    with Journal(recorded.place(ONE), ONE) as journal:
        journal.append([Row("c", "truncated")])
    with Journal(recorded.place(ONE), ONE) as journal:
        journal.append([Row(f"more{at}", "ok") for at in range(9)])
    counts = ["ok", "truncated", "failed"]
    assert alcf.runs().frame.loc[0, counts].tolist() == [10, 1, 1]
    assert alcf.runs().frame["rows"].isna().all(), "it was begun with five"
    assert counted == [recorded.place(ONE)]


COUNTS = ["rows", "ok", "truncated", "failed", "skipped", "pending"]
MIXED = ["a", None, "cut", " ", "passing", ["no text"], "refused"]


class Model:
    """Cuts one text off, refuses one for good and one for the moment, and answers the rest."""

    def __call__(self, peer, request):
        if texts := request.json.get("input"):
            data = [{"index": at, "embedding": [1.0, 2.0]} for at, _ in enumerate(texts)]
            peer.send(whole({"object": "list", "data": data, "model": "m"}))
            return
        text = request.json["messages"][-1]["content"].removeprefix("Say ")
        if text in ("refused", "passing"):
            peer.send(gateway_error(400 if text == "refused" else 500, "x", "not this"))
        else:
            peer.send(chat(text, "length" if text == "cut" else "stop"))


def test_the_counts_of_a_run_are_those_of_its_last_call(tmp_path, capsys):
    with connected(Model()):
        out = alcf.map(pd.Series(MIXED), "Say {{text}}", model="m")
        counts = out["status"].value_counts()
        assert counts.to_dict() == {"failed": 3, "ok": 1, "skipped": 2, "truncated": 1}
        listed = alcf.runs()
        assert listed.frame.loc[0, COUNTS].tolist() == [7, 1, 1, 3, 2, 0]
        assert listed.frame.loc[0, "columns"] == "text"
        assert " map   text  " in repr(listed)
        assert ">text<" in listed._repr_html_()
        assert b"Say" not in b"".join(one.read_bytes() for one in listed[0].folder.glob("*"))
        assert "pending" not in repr(listed), "no column is empty"
        assert max(map(len, repr(listed).splitlines())) <= 100
        alcf.map(["a", "b", None], "Say {{text}}", model="m")
        assert alcf.runs().frame.loc[0, COUNTS].tolist() == [3, 2, 0, 0, 1, 0]
        texts = pd.Series(["x", "x", None], name="abstract")
        alcf.embed(texts, model="m", checkpoint=tmp_path / "vectors")
        found = alcf.runs().frame.iloc[0]
        assert found[["kind", "columns", *COUNTS]].tolist() == [
            "embed",
            "abstract",
            3,
            2,
            0,
            0,
            1,
            0,
        ]
    said = capsys.readouterr().err.splitlines()
    assert "7 rows: 1 ok, 1 truncated, 3 failed, 2 skipped" in said


def test_the_counts_of_a_run_that_was_killed_add_up(tmp_path):
    about = {"kind": "map", "rows": 7, LAST: {"at": 1.0, "ok": 1, "failed": 1, "skipped": 2}}
    with Journal(recorded.place(ONE), ONE, about) as journal:
        journal.append([Row("a", "ok"), Row("b", "truncated")])
        journal.describe(served="m")
        journal.append([Row("a", "ok")])
        (copy,) = Journal.save(journal, tmp_path / "copy").glob(LINES)
        assert alcf.runs().frame.loc[0, COUNTS].tolist() == [7, 2, 1, 1, 2, 1]
        assert run_counts.tally(copy.parent).recorded == {"ok": 1, "truncated": 1}
        journal.describe(rows=3, **{LAST: {"at": 2.0, "ok": 1}})
        assert alcf.runs().frame.loc[0, COUNTS].tolist() == [3, 1, 0, 0, 0, 2]


def test_what_expired_is_said_once(monkeypatch):
    monkeypatch.setattr(recorded, "_expired", False)
    old = time.time() - 31 * 86400
    record(recorded.place(ONE))
    record(recorded.place(TWO), TWO)
    os.utime(recorded.place(ONE) / LINES, (old, old))
    shown = alcf.runs()
    assert "1 recorded run was not used for 30 days and deleted" in repr(shown)
    assert f": {ONE[:16]}</p>" in shown._repr_html_()
    assert [run.name for run in shown] == [TWO[:16]]
    assert "deleted (" not in repr(alcf.runs())


def test_a_first_run_says_what_expired_and_keeps_its_own_record(monkeypatch, capfd):
    alcf.connect("sandbox")
    asked = pd.DataFrame({"n": [1, 2, 3]})
    alcf.map(asked, "Say {{n}}", model="sandbox/echo")
    (own,) = recorded.known()
    record(recorded.place(ONE))
    old = time.time() - 31 * 86400
    for folder in (own.folder, recorded.place(ONE)):
        os.utime(folder / LINES, (old, old))
    monkeypatch.setattr(recorded, "_expired", False)
    capfd.readouterr()
    again = alcf.map(asked, "Say {{n}}", model="sandbox/echo")
    assert again.attrs["alcf"]["reused"] == 3
    assert "1 recorded run was not used for 30 days" in capfd.readouterr().err
    assert [run.name for run in recorded.known()] == [own.name]


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (1234, "1.23 kB"), (999_600, "1 MB"), (5e10, "50 GB")],
)
def test_sizes_in_words(size, words):
    assert recorded.in_words(int(size)) == words


def test_find(tmp_path):
    record(recorded.place(ONE))
    record(tmp_path / "mine", TWO)
    assert recorded.find(ONE[:5]).folder == recorded.place(ONE)
    assert recorded.find(tmp_path / "mine").checkpoint
    for name in ("", "nothing", tmp_path):
        with pytest.raises(UsageError, match="No recorded run"):
            recorded.find(name)


def test_as_a_frame_and_as_json_lines(tmp_path):
    vectors = np.arange(3, dtype=np.float32)[None]
    run = recorded.find(record(tmp_path / "mine", vectors=vectors))
    frame = run.open()
    assert frame.index.tolist() == ["a", "b"]
    assert frame["status"].tolist() == ["ok", "failed"]
    assert list(frame.loc["a", "embedding"]) == [0, 1, 2]
    assert frame["embedding"].isna().tolist() == [False, True]
    path = run.export(tmp_path / "out.jsonl")
    written = [json.loads(one) for one in path.read_text().splitlines()]
    assert [one["status"] for one in written] == ["ok", "failed"]
    assert written[0]["embedding"] == [0, 1, 2]
    assert written[1]["reason"] == "no \ud800"
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError, match="File exists"):
        run.export(path)
    for name in ("out.csv", "out.parquet", "out"):
        with pytest.raises(UsageError, match=r"JSON Lines.*\nWrite:  '.*/out\.jsonl'"):
            run.export(tmp_path / name)
        assert not (tmp_path / name).exists()


def test_delete_takes_its_own_files_only(tmp_path):
    record(tmp_path / "mine")
    (tmp_path / "mine" / "notes.txt").write_text("kept")
    recorded.find(tmp_path / "mine").delete()
    assert [one.name for one in (tmp_path / "mine").iterdir()] == ["notes.txt"]
    record(recorded.place(ONE))
    recorded.known()[0].delete()
    assert recorded.known() == []


def test_a_run_that_is_written_is_neither_deleted_nor_expired():
    folder = recorded.place(ONE)
    with Journal(folder, ONE):
        os.utime(folder / LINES, (1, 1))
        with pytest.raises(JournalHeldError):
            recorded.known()[0].delete()
        assert recorded.expire() == []
        assert (folder / LINES).exists()
        assert recorded.known()[0].holder.pid == os.getpid()


def test_what_was_not_used_for_thirty_days_expires_but_no_checkpoint(tmp_path):
    old = time.time() - 31 * 86400
    for folder, run in ((recorded.place(ONE), ONE), (recorded.place(TWO), TWO)):
        record(folder, run)
    record(recorded.place(ONE, tmp_path / "mine"))
    for folder in (recorded.place(ONE), tmp_path / "mine"):
        os.utime(folder / LINES, (old, old))
    assert [run.name for run in recorded.expire()] == [ONE[:16]]
    assert {run.folder for run in recorded.known()} == {recorded.place(TWO), tmp_path / "mine"}
    assert recorded.expire() == []


def test_a_damaged_run_is_listed_all_the_same():
    folder = record(recorded.place(ONE))
    (folder / LINES).write_bytes(b"\xff" + (folder / LINES).read_bytes()[1:])
    assert [run.name for run in recorded.known()] == [ONE[:16]]
    assert alcf.runs().frame["ok"].tolist() == [0]
    assert isinstance(recorded.known()[0].folder, Path)
