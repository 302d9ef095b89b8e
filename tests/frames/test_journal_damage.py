"""A record that was cut, torn or overwritten: every whole line counts, and nothing else does."""

import contextlib
import os
import random
import secrets
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from alcf_jupyter.errors import JournalError
from alcf_jupyter.frames.record import journal_lines
from alcf_jupyter.frames.record.journal import Journal
from alcf_jupyter.frames.record.journal_content import LINES, VECTORS, read
from alcf_jupyter.frames.record.journal_lines import Row
from tests.faults import figures
from tests.faults.size import RELEASE

CASES = int(os.environ.get("ALCF_TEST_DAMAGE", "100000" if RELEASE else "10000"))
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # where syncs cost nothing
ONE, TWO = "1" * 32, "2" * 32
WIDTH = 3
NEW = Row("new", "ok", "new answer")
ROWS = [
    Row("a", "ok", "a reply", finish_reason="stop", tokens=3, seconds=0.25),
    Row("b", "failed", reason="no such model", attempts=3),
    Row("c", "truncated", "half a", finish_reason="length"),
    Row("d", "ok", "line\none\r\ntwo\x00 \u2028 é 🙂"),
    Row("e", "ok", "half a character: \ud83d", fields={"\udc00": 1}),
    Row("b", "ok", "at last"),
    Row("f", "ok", fields={"label": "x", "score": 0.5, "n": 2**70, "deep": [[None, True]]}),
    Row("g", "ok", ""),
]
PLACED = [Row(f"v{number}", "ok") for number in range(4)]
MATRIX = np.arange(1, 4 * WIDTH + 1, dtype=np.float32).reshape(4, WIDTH)


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(dir=MEMORY) as made:
        yield Path(made)


def record(folder):
    """Write the record that is damaged, and return its bytes, and each line's row."""
    with Journal(folder, ONE, {"kind": "map"}) as journal:
        journal.append(ROWS[:3])
        journal.append(PLACED[:2], MATRIX[:2])
        journal.describe(served="x", served_on="y")
        journal.append(ROWS[3:])
        journal.append(PLACED[2:], MATRIX[2:])
        rows = dict(journal.content.rows)
    whole, vectors = (folder / LINES).read_bytes(), (folder / VECTORS).read_bytes()
    written = {}
    for line in whole.splitlines(keepends=True)[1:]:
        value = journal_lines.parse(line[:-1], journal_lines.seed(ONE))
        if isinstance(value, Row):  # a second header stands among them
            written[line] = value
    assert list(written.values())[:3] == ROWS[:3]
    assert rows["v3"].vector.place == 3
    assert len(written) == 12
    return whole, vectors, written


def expected(damaged, vectors, written):
    """What must be read: the rows of the lines that stand there whole, and no others."""
    rows = {}
    for line in damaged.split(b"\n")[:-1]:
        row = written.get(line + b"\n")
        if row:
            rows[row.key] = row
    size = 4 * WIDTH
    bare = MATRIX.tobytes()
    for key, row in list(rows.items()):
        if row.vector:
            part = slice(row.vector.place * size, (row.vector.place + 1) * size)
            if vectors[part] != bare[part]:
                del rows[key]
    return rows


def check(folder, damaged, vectors, written, shown, *, write=True):
    (folder / LINES).write_bytes(damaged)
    (folder / VECTORS).write_bytes(vectors)
    rows = expected(damaged, vectors, written)
    content = None
    with contextlib.suppress(JournalError):
        content = read(folder, ONE)
    if content is None:
        # so much is gone that it cannot be told from somebody's own file: it is not touched
        assert not rows, shown
        return False
    assert content.rows == rows, shown
    for row in rows.values():
        if row.vector:
            place = row.vector.place
            assert (content.vectors[place] == MATRIX[place]).all(), shown
    if not write:
        return True
    number = content.vectors[:1] + 7 if content.vectors.size else MATRIX[:1] + 7
    with Journal(folder, ONE) as journal:
        assert journal.content.rows == rows, shown
        assert len(journal.notes) <= 2
        journal.append([NEW])
        journal.append([Row("w", "ok")], number)
    again = read(folder, ONE)
    placed = again.rows.pop("w")
    assert (again.vectors[placed.vector.place] == number).all(), shown
    assert again.rows == rows | {"new": NEW}, shown
    for row in rows.values():
        if row.vector:
            place = row.vector.place
            assert (again.vectors[place] == MATRIX[place]).all(), shown
    assert not again.torn
    return True


def test_cut_at_every_byte(folder):
    whole, vectors, written = record(folder)
    for size in range(len(whole) + 1):
        assert check(folder, whole[:size], vectors, written, size)
    figures.record("journal cut at every byte", tried=len(whole) + 1)


def test_vectors_cut_at_every_byte(folder):
    whole, vectors, written = record(folder)
    for size in range(len(vectors) + 1):
        assert check(folder, whole, vectors[:size], written, size)
    (folder / LINES).write_bytes(whole)
    (folder / VECTORS).unlink()
    assert set(read(folder, ONE).rows) == {row.key for row in ROWS}


def mutated(data, chance, foreign):
    data = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        at = chance.randrange(len(data) + 1)
        to = min(len(data), at + chance.choice((1, 1, 2, 8, 60, 400)))
        kind = chance.randrange(9)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            data[at:to] = chance.randbytes(to - at)
        elif kind == 2:
            del data[at:to]
        elif kind == 3:
            data[at:at] = chance.randbytes(to - at)
        elif kind == 4:
            data[at:to] = bytes(to - at)
        elif kind == 5:
            data[at:at] = data[at:to]
        elif kind == 6:
            lines = data.splitlines(keepends=True)
            chance.shuffle(lines)
            data = bytearray(b"".join(lines))
        elif kind == 7:
            data[at:at] = foreign
        else:
            data = data[:at]
    return bytes(data)


def test_random_damage(folder):
    whole, vectors, written = record(folder)
    with Journal(folder / "other", TWO) as other:
        other.append([Row("a", "ok", "of another run"), Row("b", "ok", "too")])
    foreign = b"".join((folder / "other" / LINES).read_bytes().splitlines(keepends=True)[1:])
    number = secrets.randbelow(10**9)
    usable = 0
    for case in range(CASES):
        chance = random.Random(number + case)
        damaged = mutated(whole, chance, foreign)
        bare = mutated(vectors, chance, foreign) if chance.random() < 0.3 else vectors
        usable += check(folder, damaged, bare, written, (number, case), write=not case % 5)
        (folder / "damaged.jsonl").unlink(missing_ok=True)
    assert usable > 0.9 * CASES
    figures.record("journal damaged", tried=CASES, seeds=str(number))


def test_damaged_lines_are_kept_aside_and_told_once(folder):
    whole, _, written = record(folder)
    lines = whole.splitlines(keepends=True)
    lines[1] = lines[1].replace(b"a reply", b"A reply")
    lines[5] = b"\x00" * 20 + b"\n"
    (folder / LINES).write_bytes(b"".join(lines))
    with Journal(folder, ONE) as journal:
        assert len(journal.notes) == 1
        assert "2 lines of it are damaged" in journal.notes[0].replace("the record", "it")
        assert "a" not in journal.content.rows
        assert len(journal.content.rows) == len({row.key for row in written.values()}) - 2
    assert len((folder / "damaged.jsonl").read_bytes().splitlines()) == 2
    with Journal(folder, ONE) as journal:
        assert journal.notes == []
        assert len(journal.content.damaged) == 2
    assert (folder / LINES).read_bytes() == b"".join(lines)  # never rewritten


def test_a_place_is_never_another_rows(folder):
    """The line of a vector outlives the vector; a new one comes to stand in its place."""
    with Journal(folder, ONE) as journal:
        journal.append(PLACED[:2], MATRIX[:2])
    (folder / VECTORS).write_bytes(b"")
    with Journal(folder, ONE) as journal:
        assert journal.content.rows == {}
        assert "vectors of 2 recorded rows" in journal.notes[0]
        journal.append(PLACED[2:], MATRIX[2:])
    content = read(folder, ONE)
    assert set(content.rows) == {"v2", "v3"}
    assert [row.vector.place for row in content.rows.values()] == [0, 1]
    assert content.lost == 2


TEXT = st.text(st.characters(exclude_categories=()), max_size=12)
NEXT = st.builds(Row, st.sampled_from("abcdefgh"), st.sampled_from(["ok", "failed"]), TEXT)


class Machine(RuleBasedStateMachine):
    """Appends, crashes and comes back; a plain dictionary knows what must be there."""

    def __init__(self):
        super().__init__()
        self.made = tempfile.TemporaryDirectory(dir=MEMORY)
        self.folder = Path(self.made.name, "run")
        self.model = {}
        self.places = {}
        self.journal = Journal(self.folder, ONE)

    def teardown(self):
        if self.journal:
            self.journal.close()
        self.made.cleanup()

    @precondition(lambda self: self.journal)
    @rule(rows=st.lists(NEXT, max_size=4))
    def append(self, rows):
        self.journal.append(rows)
        for row in rows:
            self.model[row.key] = row.reply
            self.places.pop(row.key, None)

    @precondition(lambda self: self.journal)
    @rule(rows=st.lists(NEXT, max_size=4), number=st.integers(0, 1000))
    def append_vectors(self, rows, number):
        vectors = np.arange(number, number + len(rows) * WIDTH, dtype=np.float32)
        self.journal.append(rows, vectors.reshape(-1, WIDTH))
        for row, vector in zip(rows, vectors.reshape(-1, WIDTH), strict=True):
            self.model[row.key] = row.reply
            self.places[row.key] = vector

    @precondition(lambda self: self.journal)
    @rule(row=NEXT, part=st.floats(0, 1, exclude_max=True), extra=st.integers(0, 40))
    def crash(self, row, part, extra):
        """The process ends in the middle of a write: vectors first, then a part of a line."""
        self.journal.close()
        self.journal = None
        line = journal_lines.line(row, journal_lines.seed(ONE))
        with (self.folder / LINES).open("ab") as file:
            file.write(line[: int(part * len(line))])
        if extra:
            with (self.folder / VECTORS).open("ab") as file:
                file.write(b"\xff" * extra)

    @precondition(lambda self: self.journal)
    @rule(at=st.floats(0, 1, exclude_max=True))
    def damage(self, at):
        """One byte of a line decays; the model reads on from what is left."""
        self.journal.close()
        self.journal = None
        data = bytearray((self.folder / LINES).read_bytes())
        place = int(at * len(data))
        if data[place] == 10:
            return
        lines = bytes(data).splitlines(keepends=True)
        data[place] ^= 0x80
        hit = bytes(data[:place]).count(b"\n")
        kept = [one for number, one in enumerate(lines) if number != hit]
        (self.folder / LINES).write_bytes(data)
        rows = {}
        for one in kept:
            row = journal_lines.parse(one[:-1], journal_lines.seed(ONE))
            if isinstance(row, Row):
                rows[row.key] = row
        bare = (self.folder / VECTORS).read_bytes() if (self.folder / VECTORS).exists() else b""
        matrix = np.frombuffer(bare[: len(bare) // (4 * WIDTH) * 4 * WIDTH], "<f4")
        matrix = matrix.reshape(-1, WIDTH)
        self.model = {key: row.reply for key, row in rows.items()}
        self.places = {key: matrix[row.vector.place] for key, row in rows.items() if row.vector}

    @precondition(lambda self: self.journal)
    @rule()
    def begin_anew(self):
        self.journal.close()
        self.journal = Journal(self.folder, ONE, fresh=True)
        self.model, self.places = {}, {}

    @rule()
    def reopen(self):
        if self.journal:
            self.journal.close()
        self.journal = Journal(self.folder, ONE)

    @invariant()
    def what_is_read_is_what_was_written(self):
        content = read(self.folder, ONE)
        assert {key: row.reply for key, row in content.rows.items()} == self.model
        placed = {key: row.vector for key, row in content.rows.items() if row.vector}
        assert set(placed) == set(self.places)
        for key, vector in placed.items():
            assert (content.vectors[vector.place] == self.places[key]).all()


Machine.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestMachine = Machine.TestCase
