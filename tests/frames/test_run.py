"""How a run ends: its errors, its frame and its file, whatever fails at the last moment."""

import threading

import numpy as np
import pandas as pd
import pytest

import alcf_jupyter as alcf
from alcf_jupyter.connection.call import Call
from alcf_jupyter.connection.deadline import Deadline
from alcf_jupyter.errors import AlcfError, JournalError, RefusedError
from alcf_jupyter.frames import live_runs
from alcf_jupyter.frames.harvest import Harvest
from alcf_jupyter.frames.job import Landed
from alcf_jupyter.frames.launch import launch
from alcf_jupyter.frames.prompt_column import Asking, PromptColumn
from alcf_jupyter.frames.prompts import prompts_of
from alcf_jupyter.frames.record.journal import Journal
from alcf_jupyter.frames.record.journal_lines import Row
from alcf_jupyter.frames.record.row_keys import identity
from alcf_jupyter.frames.result_file import ResultFile, write_parquet
from alcf_jupyter.frames.run import Run
from alcf_jupyter.frames.sending.engine import Engine
from tests.connection.faultserver import gateway_error
from tests.frames.test_column import model, run, time_is_over, until_the_first  # noqa: F401 - a fixture

IDENTITY = identity(kind="map")


class Counted(PromptColumn):
    """A column that counts how often its frame is made."""

    made = 0

    def frame(self, found, outcome):
        """Make the frame."""
        self.made += 1
        return super().frame(found, outcome)


class Frameless(PromptColumn):
    """A column whose frame cannot be made."""

    def frame(self, _found, _outcome):
        """Fail."""
        raise MemoryError("no room for\nit " + "x" * 1000)


class Unclosable(Journal):
    """A record whose closing fails, as on a file system that has gone away."""

    def close(self):
        """Close it, and fail."""
        super().close()
        raise OSError(5, "Input/output error")


def begun(kind, texts, **how):
    asking = Asking("{{text}}", None, {}, None, "")
    table = pd.DataFrame({"text": texts})
    rows = prompts_of(table, "{{text}}", None)
    job = kind(asking, rows, table.index, IDENTITY, alcf.client().profile)
    call = Call("chat/completions", "m", None, {}, Deadline.after(120))
    return job, launch(job, call, IDENTITY, background=True, **how)


def test_a_frame_that_cannot_be_made_is_told_and_nothing_waits_for_ever(model, tmp_path):  # noqa: F811
    out = tmp_path / "result.parquet"
    _, one = begun(Frameless, ["a", "b"], written=ResultFile(out, write_parquet))
    with pytest.raises(AlcfError, match="The run failed: MemoryError") as told:
        one.result(60)
    what, do = str(told.value).splitlines()
    assert (len(what) < 350, do) == (True, "Run it again; it goes on.")
    assert told.value.result is None
    assert one.progress.state == "failed"
    # what made it fail is not hidden by the frame that fails as well
    model.answers = {"bad": gateway_error(400, "x", "too long")}
    _, one = begun(Frameless, ["a", "bad"], on_error="raise", checkpoint=tmp_path / "run")
    with pytest.raises(AlcfError, match="too long"):
        one.result(60)


@pytest.mark.usefixtures("model")
def test_a_record_that_cannot_be_closed_ends_the_run(tmp_path):
    job, first = begun(Counted, ["a", "b"])
    first.result(60)
    engine = first._engine
    engine = Engine(engine.caller, engine.call, job, engine.limits)
    one = Run(job, engine, Unclosable(tmp_path / "run", IDENTITY)).start()
    with pytest.raises(AlcfError, match="Input/output error") as told:
        one.result(60)
    assert told.value.result["status"].tolist() == ["ok", "ok"]


class Weightless(PromptColumn):
    """A column whose recorded rows cannot be counted."""

    def __init__(self, *how):
        super().__init__(*how)
        self.weights = [None, None]


@pytest.mark.usefixtures("model")
def test_a_run_that_cannot_be_begun_lets_go_of_its_record(tmp_path):
    for kind in (Counted, Weightless, Counted):
        try:
            _, one = begun(kind, ["a", "b"], checkpoint=tmp_path / "run")
        except TypeError:
            assert kind is Weightless
        else:
            assert kind is Counted
            assert one.result(60)["status"].eq("ok").all()


@pytest.mark.usefixtures("model")
def test_the_last_frame_is_made_once(tmp_path):
    job, one = begun(Counted, ["a", "b"], written=ResultFile(tmp_path / "x.parquet", write_parquet))
    frame = one.result(60)
    assert one.result() is one.so_far() is frame
    assert job.made == 1


@pytest.mark.parametrize("end", ["stopped", "time over"])
def test_a_run_that_ends_early_leaves_the_file_as_it_was(model, tmp_path, end):  # noqa: F811
    path = tmp_path / "result.parquet"
    path.write_bytes(b"the whole result of an earlier run")
    model.gate = threading.Event()
    one = run(["first", "b"], out=path, background=True)
    until_the_first(one)
    if end == "stopped":
        one.stop()
    else:
        time_is_over(one)
    assert one.result(60)["status"].tolist() == ["ok", "pending"]
    assert path.read_bytes() == b"the whole result of an earlier run"
    one.stop()
    assert one.progress.state == "stopped"
    model.gate.set()
    done = run(["first", "b"], out=path, background=True)
    assert done.result(60)["status"].eq("ok").all()
    assert len(pd.read_parquet(path)) == 2
    done.stop()
    assert done.progress.state == "finished", "it had ended"


@pytest.mark.parametrize("end", ["stopped", "time over"])
def test_a_cell_says_why_its_run_ended_early(model, capsys, end):  # noqa: F811
    """It is stopped from the panel, while the cell runs; or its time is over."""
    model.gate = threading.Event()
    frames = []
    table = pd.DataFrame({"text": ["first", "b"]})
    cell = threading.Thread(target=lambda: frames.append(alcf.map(table, "{{text}}", model="m")))
    cell.start()
    while not (found := [one for one in live_runs.known().values() if one.running]):
        assert cell.is_alive()
    until_the_first(found[0])
    if end == "stopped":
        found[0].stop()
    else:
        time_is_over(found[0])
    cell.join(60)
    model.gate.set()
    assert frames[0]["status"].tolist() == ["ok", "pending"]
    words = "Stopped." if end == "stopped" else "The time is over."
    assert f"{words} 1 of 2 rows are done" in capsys.readouterr().err


@pytest.mark.usefixtures("model")
def test_a_row_is_seen_with_its_vector_or_not_at_all():
    job, one = begun(Counted, ["a", "b", "c"])
    one.result(60)
    harvest, vectors = Harvest(job), np.arange(6, dtype=np.float32).reshape(3, 2)
    row = Row("key", "ok")

    class Watched(list):
        def __setitem__(self, unit, row):
            assert harvest.vectors is not None
            assert harvest.vectors[unit].tolist() == vectors[unit].tolist()
            super().__setitem__(unit, row)

    harvest.found = Watched(harvest.found)
    for unit in range(3):
        harvest.take(Landed(range(unit, unit + 1), [row], vectors[unit : unit + 1]))
    assert harvest.pending == []


def test_an_error_tells_how_many_rows_have_an_answer(model, tmp_path):  # noqa: F811
    model.answers = {
        "bad": gateway_error(400, "x", "too long"),
        "away": gateway_error(401, "x", "not you"),
    }
    texts = ["a", None, "bad", "b", ["no text"], "away", "c"]
    with pytest.raises(AlcfError) as told:
        run(texts, concurrency=1, checkpoint=tmp_path / "run")
    reason, rows = told.value.why.rsplit(". ", 1)
    assert reason
    assert rows == "2 of 7 rows are done and recorded."
    assert told.value.result["status"].tolist().count("ok") == 2
    with pytest.raises(RefusedError) as told:
        run(["bad"] * 6, concurrency=1)
    assert "rows are done" not in str(told.value), "none has an answer"


def test_an_error_of_the_record_keeps_its_own_words(model, tmp_path):  # noqa: F811
    model.gate = threading.Event()
    one = run(["first", "b", "c"], background=True, checkpoint=tmp_path / "run")
    until_the_first(one)
    (tmp_path / "run" / "writer.lock").unlink()
    model.gate.set()
    with pytest.raises(JournalError) as told:
        one.result(60)
    assert "rows are done" not in str(told.value)
    assert told.value.result["status"].tolist()[0] == "ok"
