"""Where a batch's files may be, and the laptop that has none of the cluster's."""

import os
import stat
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import alcf_jupyter as alcf
from alcf_jupyter.connection.profiles import resolve
from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.batch import places
from alcf_jupyter.frames.batch.places import Place
from tests.frames.batching import MODEL, connect, sandbox

ALCF = resolve("alcf")


@pytest.fixture
def open_folder(tmp_path):
    """A folder that everybody can come by, as few are under a test's own."""
    for folder in (tmp_path, *tmp_path.parents):
        mode = stat.S_IMODE(folder.stat().st_mode)
        if not mode & 0o001 and folder.stat().st_uid == os.getuid():
            folder.chmod(mode | 0o001)
    return tmp_path


def test_on_a_laptop_the_cluster_is_elsewhere():
    place = places.find("/eagle/project/me", ALCF)
    assert (place.remote, place.local) == ("/eagle/project/me", None)
    assert (place / "x.jsonl").remote == "/eagle/project/me/x.jsonl"
    for given in (None, "results", "~/x"):
        with pytest.raises(UsageError, match="cluster"):
            places.find(given, ALCF)
    with pytest.raises(UsageError, match="upwards"):
        places.find("/eagle/project/../other", ALCF)


def test_the_sandbox_has_a_cluster_of_its_own(tmp_path):
    profile = replace(resolve("sandbox"), mount=str(tmp_path))
    place = places.find("/eagle/project", profile)
    assert (place.remote, place.local) == ("/eagle/project", tmp_path / "eagle" / "project")
    assert places.find(tmp_path / "eagle" / "project", profile) == place
    assert places.find(None, profile).remote == "/eagle/sandbox"
    assert places.local_of("/eagle/../../etc/passwd", profile) is None


def test_a_closed_folder_is_named_with_the_line_that_opens_it(open_folder):
    closed = open_folder / "closed"
    inner = closed / "inner"
    inner.mkdir(parents=True)
    closed.chmod(0o700)
    file = inner / "x.jsonl"
    file.write_text("x")
    file.chmod(0o644)
    with pytest.raises(UsageError) as refused:
        places.check_readable(Place(str(file), file))
    assert f"!chmod o+x {closed}" in str(refused.value)
    closed.chmod(0o711)
    places.check_readable(Place(str(file), file))
    file.chmod(0o600)
    with pytest.raises(UsageError, match="chmod o\\+r "):
        places.check_readable(Place(str(file), file))
    places.check_readable(Place(str(file), file, private=True))


def test_the_output_folder_must_be_writable(open_folder):
    folder = open_folder / "out"
    folder.mkdir(0o755)
    with pytest.raises(UsageError, match="chmod o\\+rwx "):
        places.check_writable(Place(str(folder), folder))
    folder.chmod(0o777)
    places.check_writable(Place(str(folder), folder))


def test_the_project_space_is_the_services_own(open_folder, monkeypatch):
    folder = open_folder / "space" / "mine"
    folder.mkdir(0o700, parents=True)
    (open_folder / "space").chmod(0o700)
    place = Place(str(folder), folder)
    with pytest.raises(UsageError):
        places.check_writable(place)
    monkeypatch.setattr(places, "PROJECT_SPACES", (str(open_folder / "space"),))
    places.check_writable(place)
    beside = open_folder / "space2"
    beside.mkdir(0o700)
    with pytest.raises(UsageError):
        places.check_writable(Place(str(beside), beside))


def test_what_is_said_before_others_can_read_it():
    words = " ".join(places.warnings_for(Place("/eagle/p", None)))
    assert "Others on the cluster can read" in words
    assert "active allocation" in words
    assert places.warnings_for(Place("/x", None, private=True)) == []


def test_paths_that_are_not_there(tmp_path):
    missing = tmp_path / "none" / "x"
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        places.check_readable(Place(str(missing), missing))
    with pytest.raises(UsageError, match="cannot be made"):
        places.make_folder(Place(str(missing), missing))
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        places.make_folder(Place("/f", tmp_path / "file"))


def test_a_batch_from_a_laptop(tmp_path, monkeypatch, capsys):
    """The cluster's files are elsewhere: written here, copied by hand, submitted by their path."""
    (tmp_path / "laptop").mkdir()
    root = tmp_path / "cluster"
    (root / "eagle" / "project").mkdir(parents=True)
    with sandbox(root) as box:
        client = connect(box)
        monkeypatch.chdir(tmp_path / "laptop")
        monkeypatch.setattr(type(client.profile), "is_loopback", property(lambda _: False))
        frame = pd.DataFrame({"text": ["a", "b"]}, index=["x", "y"])
        batch = alcf.submit_batch(frame, "{{text}}", model=MODEL, folder="/eagle/project")
        told = capsys.readouterr().err
        (line,) = [one.strip() for one in told.splitlines() if "scp " in one]
        _, local, there = line.split()
        assert there == f"YOU@sophia.alcf.anl.gov:/eagle/project/{batch.name}.jsonl"
        assert (batch.status, batch.id) == ("transfer", "")
        with pytest.raises(UsageError, match="not on the cluster yet"):
            batch.wait()
        assert stat.S_IMODE(Path(local).stat().st_mode) == 0o644
        (root / "eagle" / "project" / f"{batch.name}.jsonl").write_bytes(Path(local).read_bytes())
        alcf.batch(batch.name).submit()
        batch = alcf.batch(batch.name).wait("60s")
        with pytest.raises(UsageError, match="on the cluster") as refused:
            batch.results()
        there, here = str(refused.value).split("!scp ")[1].split()
        cluster_path = there.partition(":")[2]
        Path(here).write_bytes((root / cluster_path.lstrip("/")).read_bytes())
        assert batch.results()["reply"].to_dict() == {"x": "a", "y": "b"}
