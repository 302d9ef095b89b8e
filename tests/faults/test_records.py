"""Records on full, forbidden and foreign ground, of two kernels, and what must not be in them."""

import contextlib
import json
import os
import resource
import traceback

import pandas as pd
import pytest
from IPython.core.ultratb import VerboseTB

import alcf_jupyter as alcf
from alcf_jupyter.errors import AlcfError, JournalError, JournalHeldError, NotWrittenError
from tests.faults import answers, figures
from tests.faults.columns import TEMPLATE, connect
from tests.faults.server import FaultServer, Served
from tests.faults.test_kills import Mapper

# a run that ends while connections are being made leaves their sockets to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

CANARY = "canary4f1d9c27e6b84a05b3e0"


@pytest.fixture
def server():
    with FaultServer({"m": Served(latency=(0.001, 0.005))}) as made:
        connect(made)
        yield made


@pytest.fixture
def place(tmp_path):
    return tmp_path / "run"


def column(rows):
    return pd.DataFrame({"text": [f"word {n}" for n in range(rows)]})


def run(frame, place, **options):
    return alcf.map(frame, TEMPLATE, model="m", checkpoint=place, concurrency=4, **options)


def right(frame):
    return [answers.reply(TEMPLATE.replace("{{text}}", text)) for text in frame["text"]]


@contextlib.contextmanager
def room(size):
    """Let no file grow beyond so many bytes, as on a disk that is full."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


def sent_with(server, token):
    """Return how many requests came with a token: what was given up may come late."""
    return sum(one.authorization == f"Bearer {token}" for one in server.ledger.sent)


def test_a_disk_that_fills_stops_the_sending_and_loses_nothing(server, place, tmp_path):
    frame = column(120)
    with room(6_000), pytest.raises(NotWrittenError) as raised:
        run(frame, place)
    error = raised.value
    kept = error.result
    done = kept["status"].tolist().count("ok")
    delivered = server.ledger.delivered().total()
    # what was under way at that moment may be lost with it, as in a crash
    assert delivered - 4 <= done <= delivered < 120
    assert 0 < len(error.unwritten) <= 24
    for got, wanted in zip(kept["reply"], right(frame), strict=True):
        assert pd.isna(got) or got == wanted
    # somewhere else with room: all that had come is there
    error.save(tmp_path / "saved")
    connect(server, token="second")
    out = run(frame, tmp_path / "saved")
    assert out["reply"].tolist() == right(frame)
    assert sent_with(server, "second") == 120 - done
    # at the old place: all that was recorded there is
    connect(server, token="third")
    out = run(frame, place)
    assert out["reply"].tolist() == right(frame)
    assert sent_with(server, "third") == 120 - done + len(error.unwritten)


def test_no_room_at_all_is_said_before_anything_is_sent(server, place):
    with room(0), pytest.raises(NotWrittenError) as raised:
        run(column(20), place)
    assert "checkpoint=" in str(raised.value)
    assert server.ledger.sent == []


def test_a_place_that_cannot_be_written(server, tmp_path):
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path / "file", tmp_path / "file" / "below", "/proc/nothing/here"):
        with pytest.raises(AlcfError) as raised:
            run(column(20), place)
        assert "checkpoint=" in str(raised.value)
    assert server.ledger.sent == []
    assert (tmp_path / "file").read_text() == "mine"


def test_the_record_of_another_run_is_refused(server, place):
    frame = column(6)
    run(frame, place)
    sent = len(server.ledger.sent)
    for change in ({"system": "Be brief."}, {"temperature": 0.5}, {"schema": "label"}):
        with pytest.raises(JournalError):
            run(frame, place, **change)
    with pytest.raises(JournalError):
        alcf.map(frame, "Another {{text}}", model="m", checkpoint=place)
    with pytest.raises(JournalError):
        alcf.embed(frame["text"], model="m", checkpoint=place)
    server.models["n"] = Served()
    connect(server)
    with pytest.raises(JournalError):
        alcf.map(frame, TEMPLATE, model="n", checkpoint=place)
    assert len(server.ledger.sent) == sent, "nothing was sent for any of them"
    assert run(frame, place)["reply"].tolist() == right(frame)
    assert len(server.ledger.sent) == sent


def test_a_newer_form_is_refused_and_a_damaged_line_costs_its_row_alone(server, place):
    frame = column(9)
    run(frame, place)
    path = place / "journal.jsonl"
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    lines[4] = lines[4].replace(b"echo", b"ECHO")
    path.write_bytes(b"".join(lines) + b"torn")
    sent = len(server.ledger.sent)
    assert run(frame, place)["reply"].tolist() == right(frame)
    assert len(server.ledger.sent) - sent == 1
    header = json.loads(lines[0][11:])
    header["format"] = 99
    body = b" h " + json.dumps(header).encode()
    import zlib

    path.write_bytes(b"%08x%b\n" % (zlib.crc32(body), body) + b"".join(lines[1:]))
    with pytest.raises(JournalError):
        run(frame, place)
    assert len(server.ledger.sent) - sent == 1


def test_two_kernels_on_one_record(server, place):
    frame_rows = 40

    def holds(sent):
        server.held = server.held or sent.number == 2

    server.on_request = holds
    mapper = Mapper()
    try:
        told = {"rows": frame_rows, "kind": "map", "concurrency": 2, "folder": str(place)}
        pid = mapper.begin(told | {"url": server.url, "result": str(place) + ".result"})
        server.wait_for(3)
        server.on_request = None
        from tests.faults.mapper import texts

        frame = pd.DataFrame({"text": texts(frame_rows, "map")})
        with pytest.raises(JournalHeldError) as raised:
            run(frame, place)
        assert str(pid) in str(raised.value)
        assert sent_with(server, "the-token") == len(server.ledger.sent), "only the first one sends"
        server.held = False
        assert mapper.end() == {"killed": False, "status": 0}
        sent = len(server.ledger.sent)
        assert sent == frame_rows
        assert set(run(frame, place)["status"]) == {"ok"}
        assert len(server.ledger.sent) == sent, "what one has done the other knows"
    finally:
        mapper.close()


def test_the_token_is_nowhere(tmp_path, place, capfd):
    """Not in the record, the frame, the error, its traceback with all variables, or the output."""
    frame = column(12)
    seen = {}
    faults = ["", "502", "422", "401-expired", "", "reset-in-body", "finish-null", "401-policy"]
    with FaultServer({"m": Served(faults)}) as server:
        connect(server, token=CANARY)
        for turn in range(4):
            try:
                out = run(frame, place)
            except AlcfError as error:
                seen[f"traceback {turn}"] = "".join(
                    traceback.TracebackException.from_exception(error, capture_locals=True).format()
                )
                seen[f"verbose {turn}"] = VerboseTB().text(type(error), error, error.__traceback__)
                seen[f"error {turn}"] = f"{error!r} {vars(error)!r}"
                out = error.result
        assert all(CANARY in one.authorization for one in server.ledger.sent)
        assert len(server.ledger.sent) > 12
    out.to_parquet(tmp_path / "out.parquet")
    seen["frame"] = f"{out!r} {out.attrs!r} {out.to_csv()}"
    seen["runs"] = f"{alcf.runs()!r} {alcf.client()!r} {alcf.client().credential!r}"
    seen["printed"] = "".join(capfd.readouterr())
    for path in [*tmp_path.rglob("*"), *os_state().rglob("*")]:
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):
            seen[str(path)] = path.read_bytes().decode("latin-1")
    hits = [name for name, text in seen.items() if CANARY in text]
    figures.record("canary", tried=len(seen), wrong={"places with the token": len(hits)})
    assert hits == []
    assert any(name.endswith("journal.jsonl") for name in seen)
    assert any(name.startswith("verbose") for name in seen)


def os_state():
    from pathlib import Path

    return Path(os.environ["HOME"])
