"""The event reader against a slow one that is plainly right, in any cut."""

import itertools
import json
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alcf_jupyter.errors import AnswerError
from alcf_jupyter.service import sse
from alcf_jupyter.service.sse import EventReader
from tests.own_time import at_most
from tests.service.effort import cases, dice, malformed, thorough

BOM = b"\xef\xbb\xbf"


def lines_of(stream):
    """Every line that has an end: CR, LF or CRLF."""
    line, at = bytearray(), 0
    while at < len(stream):
        byte = stream[at : at + 1]
        if byte in {b"\r", b"\n"}:
            yield bytes(line)
            line.clear()
            if byte == b"\r" and stream[at + 1 : at + 2] == b"\n":
                at += 1
        else:
            line += byte
        at += 1


def reference(stream):
    """Read a whole stream as the HTML standard says, one byte after the other."""
    events, data = [], None
    for line in lines_of(stream.removeprefix(BOM)):
        field, _, value = line.partition(b":")
        if not line:
            if data is not None:
                events.append(data)
            data = None
        elif field == b"data":
            value = value.removeprefix(b" ")
            data = value if data is None else data + b"\n" + value
    return events


def read(chunks):
    reader = EventReader()
    return [event for chunk in chunks for event in reader.feed(chunk)]


def cut(stream, places):
    edges = [0, *sorted(places), len(stream)]
    return [stream[a:b] for a, b in itertools.pairwise(edges)]


WORDS = [b"data: ", b"data:", b"data", b"datas: x", b"id: 7", b"event: e", b": hm", b":", b" "]
WORDS += [b"\n", b"\r", b"\r\n", b"\n\n", b"\r\r", b"\r\n\r\n", b"\n\r", b"\x00", BOM, b"\xc3\xa9"]
WORDS += [b"x", b'{"a": 1}', b"[DONE]", b"\xff", b"\xef", b"\xbb", b"DATA: y", b"data : z", b""]
streams = st.lists(st.sampled_from(WORDS), max_size=40).map(b"".join)


places = st.lists(st.integers(0, 1000), max_size=6)


@thorough(1500)
@given(st.one_of(streams, st.binary(max_size=60)), places)
@example(b"data: x\r\r", [])
@example(b"data: x\r\n\r\n", [])
@example(BOM + b"data: x\n\n", [])
@example(b"\xef\xbb", [])
@example(b"\ndata: x\n\n\n", [])
def test_any_cut_reads_as_the_standard_says(stream, places):
    expected = reference(stream)
    assert read([stream]) == expected
    assert read(stream[i : i + 1] for i in range(len(stream))) == expected
    assert read(cut(stream, [place % (len(stream) + 1) for place in places])) == expected


def test_ten_thousand_malformed_streams():
    """Recorded-like streams, damaged: always the reference's events, whatever the cut."""
    chance = dice("sse")
    whole = b"".join(
        b'data: {"choices": [{"delta": {"content": "' + word + b'"}}]}' + end
        for word, end in zip(
            [b"a", "é—🙂".encode(), b"line\\n", b"", b"z" * 300],
            [b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r\n", b"\n\n"],
            strict=True,
        )
    )
    for _ in range(cases(4000)):
        stream = bytearray(chance.choice([b"", BOM]) + whole)
        for _ in range(chance.randrange(1, 12)):
            at = chance.randrange(len(stream))
            stream[at : at + chance.choice([0, 1, 1, 4])] = chance.choice(WORDS)
        places = [chance.randrange(len(stream) + 1) for _ in range(chance.randrange(12))]
        with at_most(1):
            events = read(cut(bytes(stream), places))
        assert events == reference(bytes(stream)), (stream, places)
    malformed("streams", 4000)


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_every_kind_of_line_end_and_every_single_cut(end):
    stream = BOM + end.join(
        [b": welcome", b"event: x", b"data: one", b"data: two", b"", b"id: 1", b"", b"data:3", b""]
    )
    stream += end
    assert reference(stream) == [b"one\ntwo", b"3"]
    for at in range(len(stream) + 1):
        assert read([stream[:at], b"", stream[at:]]) == [b"one\ntwo", b"3"]


def test_an_event_comes_out_with_the_byte_that_ends_it():
    """Nothing is held back until the next event: not even where lines end in CR alone."""
    for end in (b"\n", b"\r", b"\r\n"):
        reader = EventReader()
        assert reader.feed(b"data: now" + end) == []
        assert reader.feed(end[:1]) == [b"now"]
        assert reader.feed(end[1:] + b"data: later" + end) == []
        assert reader.feed(end) == [b"later"]


def test_what_stands_after_the_last_empty_line_is_no_event():
    assert read([b"data: a\n\ndata: b\n"]) == [b"a"]


def test_a_character_may_be_cut_anywhere():
    text = json.dumps({"t": "é🙂漢"}, ensure_ascii=False).encode()
    stream = b"data: " + text + b"\n\n"
    assert read(stream[i : i + 1] for i in range(len(stream))) == [text]


def test_an_endless_event_is_stopped_and_forgotten():
    reader, part = EventReader(), b"x" * 65_536
    for _ in range(sse.MAX_EVENT_BYTES // len(part)):
        assert reader.feed(part) == []
    with pytest.raises(AnswerError, match="one event of over 8,000,000 bytes"):
        reader.feed(part)
    assert reader.feed(b"\n\ndata: next\n\n") == [b"next"]


def test_a_long_event_in_small_pieces_takes_time_in_proportion():
    def seconds(size):
        reader, began = EventReader(), time.thread_time()
        for _ in range(size // 500):
            reader.feed(b"y" * 500)
        return time.thread_time() - began

    seconds(500_000)
    few = seconds(750_000)
    with at_most(60 * max(few, 0.002)):
        seconds(7_500_000)
