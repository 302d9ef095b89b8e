"""The record of a run: what goes in, where, how privately, and what happens where nothing fits."""

import contextlib
import os
import resource
import subprocess
import time

import numpy as np
import pytest

from alcf_jupyter.errors import JournalError, NotWrittenError
from alcf_jupyter.frames.record.journal import Journal
from alcf_jupyter.frames.record.journal_content import LINES, VECTORS, read
from alcf_jupyter.frames.record.journal_lines import FORMAT, Header, Row, line, seed

RUN = "0123456789abcdef0123456789abcdef"
OTHER = "f" * 32
ROWS = [Row(f"k{number}", "ok", "x" * 500) for number in range(100)]


def matrix(rows, width=16, first=0):
    return np.arange(first, first + rows * width, dtype=np.float32).reshape(rows, width)


def test_files_and_folder_are_private_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        with Journal(tmp_path / "run", RUN) as journal:
            journal.append(ROWS[:2], matrix(2))
            modes = {one.name: one.stat().st_mode & 0o777 for one in (tmp_path / "run").iterdir()}
    finally:
        os.umask(before)
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700
    assert modes == dict.fromkeys((LINES, VECTORS, "writer.lock", "writer.lock.guard"), 0o600)


def test_a_folder_that_is_there_keeps_its_mode(tmp_path):
    tmp_path.chmod(0o755)
    with Journal(tmp_path, RUN):
        pass
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_a_link_in_the_place_of_the_record_is_not_followed(tmp_path):
    target = tmp_path / "target"
    target.write_text("kept")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / LINES).symlink_to(target)
    with pytest.raises(JournalError, match="symbolic"):
        Journal(tmp_path / "run", RUN)
    assert target.read_text() == "kept"


def test_the_record_holds_no_path_and_can_be_moved(tmp_path):
    with Journal(tmp_path / "here", RUN, {"kind": "embed"}) as journal:
        journal.append(ROWS[:3], matrix(3))
    held = b"".join(one.read_bytes() for one in (tmp_path / "here").iterdir())
    assert os.fsencode(tmp_path) not in held
    (tmp_path / "here").rename(tmp_path / "there")
    with Journal(tmp_path / "there", RUN) as journal:
        assert list(journal.content.rows) == ["k0", "k1", "k2"]
        assert (journal.content.vectors == matrix(3)).all()
        journal.append(ROWS[3:4], matrix(1, first=900))
        assert (read(journal.folder).vectors[3] == matrix(1, first=900)).all()


def test_vectors_are_mapped_and_are_a_bare_matrix(tmp_path):
    with Journal(tmp_path, RUN) as journal:
        journal.append(ROWS[:50], matrix(50))
        journal.append(ROWS[50:60])
        journal.append(ROWS[60:], matrix(40, first=7))
        found = read(journal.folder).vectors
    assert isinstance(found.base, np.memmap) or isinstance(found, np.memmap)
    bare = np.fromfile(tmp_path / VECTORS, "<f4").reshape(-1, 16)
    assert (bare == np.concatenate([matrix(50), matrix(40, first=7)])).all()
    assert (found == bare).all()


@pytest.mark.parametrize("vectors", [matrix(2, 15), matrix(3), np.empty((2, 0), np.float32)])
def test_vectors_that_do_not_fit_are_refused_and_change_nothing(tmp_path, vectors):
    with Journal(tmp_path, RUN) as journal:
        journal.append(ROWS[:1], matrix(1))
        with pytest.raises(ValueError, match="vectors"):
            journal.append(ROWS[1:3], vectors)
        journal.append(ROWS[3:4], matrix(1))
    assert list(read(tmp_path, RUN).rows) == ["k0", "k3"]


def test_another_run_is_refused_and_not_touched(tmp_path):
    with Journal(tmp_path, RUN) as journal:
        journal.append(ROWS[:1])
    before = (tmp_path / LINES).read_bytes()
    with pytest.raises(JournalError, match=r"another run(.|\n)*checkpoint="):
        Journal(tmp_path, OTHER)
    assert (tmp_path / LINES).read_bytes() == before
    with Journal(tmp_path, OTHER, fresh=True) as journal:
        assert journal.content.rows == {}
    assert (tmp_path / f"{LINES}.old").read_bytes() == before


@pytest.mark.parametrize("content", [b"id,text\n1,a\n", b'{"rows": []}', b"\x89PNG\r\n\x1a\n"])
def test_somebody_elses_file_is_refused_and_not_touched(tmp_path, content):
    (tmp_path / LINES).write_bytes(content)
    with pytest.raises(JournalError, match="is not a record"):
        Journal(tmp_path, RUN)
    assert (tmp_path / LINES).read_bytes() == content


def test_a_file_where_the_folder_would_be(tmp_path):
    (tmp_path / "results.csv").write_text("a")
    with pytest.raises(JournalError, match=r"is a file(.|\n)*checkpoint="):
        Journal(tmp_path / "results.csv", RUN)


@pytest.mark.parametrize(
    ("form", "says"),
    [(FORMAT + 1, "pip install --upgrade"), (99, "newer"), (0, "fresh=True"), (-1, "no longer")],
)
def test_another_format_is_refused_and_not_touched(tmp_path, form, says):
    content = line(Header(RUN, 1.0, {}, form), 0) + line(ROWS[0], seed(RUN))
    assert (b'"format"' in content) is bool(form)
    (tmp_path / LINES).write_bytes(content)
    with pytest.raises(JournalError, match=says) as caught:
        Journal(tmp_path, RUN)
    assert len(str(caught.value).splitlines()) in (2, 3)
    assert (tmp_path / LINES).read_bytes() == content


def test_opening_counts_as_use(tmp_path):
    with Journal(tmp_path, RUN):
        pass
    os.utime(tmp_path / LINES, (1, 1))
    with Journal(tmp_path, RUN):
        pass
    assert time.time() - (tmp_path / LINES).stat().st_mtime < 60


@contextlib.contextmanager
def small_disk(folder):
    """Mount a disk of 64 KB, or skip; yields how to make it large."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root mounts a disk of its own")
    try:
        yield lambda option: subprocess.run(
            ["mount", "-o", f"remount,{option}", folder], check=True, capture_output=True
        )
    finally:
        subprocess.run(["umount", "-l", folder], check=True, capture_output=True)


@contextlib.contextmanager
def small_files(_folder):
    """Let no file grow over 64 KB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, hard))
    try:
        yield lambda _: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("limit", [small_disk, small_files])
@pytest.mark.parametrize("width", [None, 8, 600])
def test_a_full_disk_loses_nothing(tmp_path, limit, width):
    disk, room = tmp_path / "disk", tmp_path / "room"
    disk.mkdir()
    rows, recorded = {}, {}
    with limit(disk) as enlarge:
        with Journal(disk / "run", RUN) as journal:
            for number in range(1000):
                more = [Row(f"{number}.{at}", "ok", "x" * 99) for at in range(20)]
                vectors = None if width is None else matrix(20, width, first=number)
                rows |= {row.key: number for row in more}
                try:
                    journal.append(more, vectors)
                except NotWrittenError as error:
                    failed = error
                    break
                recorded = dict(rows)
            assert str(failed).splitlines()[1].startswith("20 answers are kept in memory")
            assert str(failed).endswith('sys.last_value.save("/folder/with/room")')
            assert [row.key for row in failed.unwritten] == [row.key for row in more]
            assert set(read(disk / "run", RUN).rows) == set(recorded)
            assert not read(disk / "run", RUN).torn

            with pytest.raises(NotWrittenError) as caught:  # still no room: nothing gets lost
                journal.append([Row("late", "ok", "x" * 9999)])
            assert len(caught.value.unwritten) == 21
            rows["late"] = None
            assert set(read(disk / "run", RUN).rows) == set(recorded)

            enlarge("size=4m") if limit is small_files else None
            failed.save(str(room))
            copy = read(room, RUN)
            assert set(copy.rows) == set(rows)

            enlarge("size=4m")
            journal.retry()
            assert journal.unwritten == []
        for content in (read(disk / "run", RUN), copy):
            assert set(content.rows) == set(rows)
            for key, number in rows.items():
                if width and number is not None:
                    place = content.rows[key].vector.place
                    at = int(key.partition(".")[2])
                    assert (content.vectors[place] == matrix(20, width, number)[at]).all()


def test_what_becomes_known_of_a_run_stays_with_it(tmp_path):
    about = {"kind": "map", "model": "m"}
    with Journal(tmp_path / "run", RUN, about) as journal:
        journal.append(ROWS[:1])
        for _ in range(2):
            journal.describe(served="x", served_on="sophia")
        journal.append(ROWS[1:2])
    size = (tmp_path / "run" / LINES).stat().st_size
    with Journal(tmp_path / "run", RUN, {"kind": "another"}) as journal:
        told = about | {"served": "x", "served_on": "sophia"}
        assert journal.content.header.about == told
        assert list(journal.content.rows) == [row.key for row in ROWS[:2]]
        journal.describe(served="x")
        assert (tmp_path / "run" / LINES).stat().st_size == size, "nothing new"
        journal.save(tmp_path / "copy")
    assert read(tmp_path / "copy", RUN).header.about == told
    # a header of another run, put in by hand, says nothing
    with (tmp_path / "run" / LINES).open("ab") as file:
        file.write(line(Header("0" * 32, 1.0, {"model": "y"}, 1), 0))
    assert read(tmp_path / "run", RUN).header.about == told


def test_a_disk_without_any_room_is_told_when_a_record_is_opened(tmp_path):
    with small_disk(tmp_path):
        with contextlib.suppress(OSError):
            (tmp_path / "filler").write_bytes(bytes(10**6))
        with pytest.raises(NotWrittenError, match=r"No space left(.|\n)*checkpoint="):
            Journal(tmp_path / "run", RUN)


def test_a_read_only_folder_can_be_read_and_says_how_to_record_elsewhere(tmp_path):
    with contextlib.ExitStack() as stack:
        remount = None
        if os.geteuid() == 0:
            remount = stack.enter_context(small_disk(tmp_path))
        with Journal(tmp_path, RUN) as journal:
            journal.append(ROWS[:2], matrix(2))
        if remount:
            remount("ro")
        else:
            tmp_path.chmod(0o500)
            stack.callback(tmp_path.chmod, 0o700)
        with pytest.raises(NotWrittenError, match=r"cannot be written(.|\n)*checkpoint=") as caught:
            Journal(tmp_path, RUN)
        assert caught.value.unwritten == ()
        assert list(read(tmp_path, RUN).rows) == ["k0", "k1"]
        assert (read(tmp_path, RUN).vectors == matrix(2)).all()


def test_a_record_of_another_user_can_be_read(tmp_path):
    if os.geteuid():
        pytest.skip("only root gives files away")
    with Journal(tmp_path, RUN) as journal:
        journal.append(ROWS[:1])
    os.chown(tmp_path / LINES, 65534, 65534)
    assert list(read(tmp_path, RUN).rows) == ["k0"]
