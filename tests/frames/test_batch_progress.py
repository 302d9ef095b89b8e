"""Progress files, also while they are written."""

import json
from pathlib import Path

import pytest

import alcf_jupyter as alcf
from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.batch import progress

RECORDED = Path(__file__).resolve().parents[1] / "recorded" / "batch.progress.json"


def chunk(number, lines, responses):
    return {
        "chunk_index": number,
        "lines": lines,
        "tokens": 10 * responses,
        "responses": responses,
        "time_sec": 2.5,
        "log": "/x",
    }


def write(path, lines, chunks):
    told = {"lines_processed": lines, "total_tokens": 10 * lines, "num_responses": lines}
    path.write_text(json.dumps({**told, "chunks": chunks}, indent=2), "utf-8")


def test_the_recorded_end():
    found = alcf.read_batch_progress(RECORDED)
    assert (found.lines, found.responses, found.failed, found.total_tokens) == (5, 3, 2, 52)
    assert found.done
    assert str(found) == "5 lines · 2 failed · 52 tokens"


def test_while_it_runs_and_when_the_counters_are_stale(tmp_path):
    path = tmp_path / "x.progress.json"
    write(path, 20_000, [chunk(0, 20_000, 20_000)])
    assert alcf.read_batch_progress(path).lines == 20_000
    write(path, 20_000, [chunk(0, 20_000, 20_000), chunk(1, 500, 400)])
    found = alcf.read_batch_progress(tmp_path)
    assert (found.lines, found.failed, found.chunks, found.seconds) == (20_500, 100, 2, 5.0)
    assert not found.done


def test_a_half_written_file_is_read_again(tmp_path, monkeypatch):
    path = tmp_path / "x.progress.json"
    path.write_text('{"lines_processed": 20', "utf-8")
    with pytest.raises(UsageError, match="half written"):
        alcf.read_batch_progress(path)

    class Clock:
        """Time in which the batch goes on writing."""

        @staticmethod
        def sleep(_seconds):
            write(path, 7, [chunk(0, 7, 7)])

    monkeypatch.setattr(progress, "time", Clock)
    assert alcf.read_batch_progress(path).lines == 7


@pytest.mark.parametrize("text", ["[1]", "{}", '"x"'])
def test_another_file(tmp_path, text):
    path = tmp_path / "x.json"
    path.write_text(text, "utf-8")
    with pytest.raises(UsageError, match="no progress"):
        alcf.read_batch_progress(path)


def test_no_file(tmp_path):
    for path in (tmp_path, tmp_path / "none.json"):
        with pytest.raises(UsageError):
            alcf.read_batch_progress(path)
