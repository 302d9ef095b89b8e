"""Threads: what the model is reminded of, and what is kept of an answer."""

import pytest

import alcf_jupyter as alcf
from alcf_jupyter.connection.record.cell import Cell
from alcf_jupyter.errors import UsageError
from alcf_jupyter.prompt import threads
from tests.scripted import message, model


@pytest.fixture(autouse=True)
def no_threads(monkeypatch):
    monkeypatch.setattr(threads, "_threads", {})


@pytest.fixture
def cell(monkeypatch):
    """Say which cell runs, as a front end does."""

    def run(name, run):
        monkeypatch.setattr(threads, "running", lambda: Cell(name, run, 1))

    return run


def test_the_model_is_reminded_of_role_and_content_only():
    with model(message("one", reasoning_content="hm"), "two") as served:
        alcf.chat("first", model="m", thread="t", system="be short")
        reply = alcf.chat("second", model="m", thread="t")
    assert served.asked[1]["messages"] == [
        {"role": "system", "content": "be short"},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "one"},
        {"role": "user", "content": "second"},
    ]
    assert "thread t, turn 2" in reply.footer
    assert (reply.provenance["thread"], reply.provenance["turn"]) == ("t", 2)


def test_a_system_prompt_stays_until_another_or_none_is_given():
    with model("a") as served:
        for system in ("be short", None, "be long", ""):
            alcf.chat("hi", model="m", thread="t", system=system)
    told = [asked["messages"][0] for asked in served.asked]
    assert [one["content"] for one in told] == ["be short", "be short", "be long", "hi"]


def test_without_a_thread_nothing_is_remembered():
    with model("one", "two") as served:
        alcf.chat("first", model="m")
        alcf.chat("second", model="m")
    assert len(served.asked[1]["messages"]) == 1
    assert len(alcf.threads()) == 0


@pytest.mark.parametrize(
    "bad", [message("half", finish="length"), message("", finish="stop"), {"error": {"code": 1}}]
)
def test_what_is_not_a_whole_answer_is_not_remembered(bad):
    with model("one", bad):
        alcf.chat("first", model="m", thread="t")
        try:
            reply = alcf.chat("second", model="m", thread="t")
        except alcf.AlcfError:
            pass
        else:
            assert "not remembered" in reply.footer
    assert list(alcf.threads("t")["prompt"]) == ["first"]


def test_a_cell_that_runs_again_replaces_its_turn_and_drops_the_later_ones(cell):
    with model("a"):
        for name in ("one", "two", "three"):
            cell(name, f"{name} 1")
            alcf.chat(name, model="m", thread="t")
        cell("two", "two 2")
        reply = alcf.chat("two again", model="m", thread="t")
        assert list(alcf.threads("t")["prompt"]) == ["one", "two again"]
        assert "turn 2 (1 later turn dropped)" in reply.footer
        alcf.chat("and more, in the same run", model="m", thread="t")
        assert len(alcf.threads("t")) == 3


def test_a_rerun_that_fails_leaves_the_thread_as_it_was(cell):
    with model("a", "b", message("half", finish="length")):
        cell("one", 1)
        alcf.chat("first", model="m", thread="t")
        cell("two", 2)
        alcf.chat("second", model="m", thread="t")
        cell("one", 3)
        alcf.chat("first, again", model="m", thread="t")
    assert list(alcf.threads("t")["prompt"]) == ["first", "second"]


def test_a_new_thread_begins_anew():
    with model("a") as served:
        alcf.chat("first", model="m", thread="t", system="s")
        alcf.chat("second", model="m", thread="t", new_thread=True)
    assert served.asked[1]["messages"] == [{"role": "user", "content": "second"}]
    assert len(alcf.threads("t")) == 1


def test_the_gateway_takes_a_thread_with_images():
    alcf.connect("sandbox")
    picture = {
        "images": b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00!"
        b"\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
    }
    alcf.chat("what", model="sandbox/vision", thread="t", **picture)
    reply = alcf.chat("and", model="sandbox/vision", thread="t")
    assert reply.complete
    assert list(alcf.threads("t")["prompt"]) == ["what", "and"]


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 200, 3, "\x1b[31m"])
def test_a_name_that_is_none(name):
    with model("a") as served, pytest.raises(UsageError, match="name of a thread"):
        alcf.chat("hi", model="m", thread=name)
    assert served.asked == []


def test_an_unknown_thread_names_the_nearest():
    with model("a"):
        alcf.chat("hi", model="m", thread="study")
    with pytest.raises(UsageError, match="Did you mean:  study"):
        alcf.threads("studdy")
    with pytest.raises(UsageError, match="no thread '5'"):
        alcf.threads(5)
    with pytest.raises(UsageError, match="needs a name"):
        alcf.chat("hi", model="m", new_thread=True)
