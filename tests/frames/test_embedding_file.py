"""Embedding frames to a file and back: nothing of them is lost, and pandas reads them, too."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import alcf_jupyter as alcf
from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames import embedding_file

WIDTH = 8
TOLD = {"model": "m", "cluster": "sophia", "states": ["Live"], "dimensions": WIDTH}


def numbers(rows, width=WIDTH):
    return np.random.default_rng(rows).random((rows, width), np.float32)


def made(rows=20, index=None, lacking=()):
    """An embedding frame as `embed` returns it."""
    mask = np.isin(np.arange(rows), lacking)
    flat = pa.array(numbers(rows).reshape(-1))
    column = pa.FixedSizeListArray.from_arrays(flat, WIDTH, mask=pa.array(mask))
    vectors = pd.arrays.ArrowExtensionArray(pa.chunked_array([column]))
    kind = object if mask.any() else "str"
    text = [None if gone else f"text {i}" for i, gone in enumerate(mask)]
    status = ["skipped" if gone else "ok" for gone in mask]
    frame = pd.DataFrame(
        {
            "text": pd.Series(text, dtype=kind, index=index),
            "embedding": pd.Series(vectors, index=index),
            "status": pd.Series(status, dtype="str", index=index),
            "reason": pd.Series(["missing value" if gone else "" for gone in mask], index=index),
            "tokens": pd.array([None, 5] * (rows // 2), dtype="Int64"),
        },
        index=index,
    )
    frame.attrs["alcf"] = dict(TOLD)
    return frame


INDEXES = {
    "range": None,
    "strings": [f"row {i}" for i in range(20)],
    "duplicates": [1, 1] * 10,
    "named": pd.Index(range(5, 25), name="id"),
    "levels": pd.MultiIndex.from_arrays([["a", "b"] * 10, range(20)], names=["letter", None]),
    "times": pd.DatetimeIndex(pd.date_range("2026-01-01", periods=20, tz="UTC"), freq=None),
    "categories": pd.CategoricalIndex(list("ab") * 10),
}


@pytest.mark.parametrize("lacking", [(), (0, 7, 19)], ids=["whole", "failed rows"])
@pytest.mark.parametrize("index", INDEXES.values(), ids=INDEXES)
def test_a_frame_comes_back_as_it_was(tmp_path, index, lacking):
    frame = made(index=index, lacking=lacking)
    path = alcf.save_embeddings(frame, tmp_path / "emb.parquet")
    found = alcf.load_embeddings(path)
    assert list(found.columns) == list(frame.columns)
    assert found.attrs == frame.attrs == {"alcf": TOLD}
    rest = ["status", "reason", "tokens"]
    pd.testing.assert_frame_equal(found[rest], frame[rest])
    assert found["text"].fillna("").tolist() == frame["text"].fillna("").tolist()
    assert found["embedding"].dtype == frame["embedding"].dtype
    assert found["embedding"].isna().tolist() == frame["embedding"].isna().tolist()
    there = found["status"] == "ok"
    wanted = alcf.matrix(frame[(frame["status"] == "ok").array])
    assert np.array_equal(alcf.matrix(found[there.array]), wanted)


@pytest.mark.parametrize("lacking", [(), (3,)], ids=["whole", "failed rows"])
@pytest.mark.parametrize("index", INDEXES.values(), ids=INDEXES)
def test_plain_pandas_reads_it(tmp_path, index, lacking):
    frame = made(index=index, lacking=lacking)
    path = alcf.save_embeddings(frame, tmp_path / "emb.parquet")
    found = pd.read_parquet(path)
    assert found.attrs == {"alcf": TOLD}
    rest = ["status", "reason", "tokens"]
    pd.testing.assert_frame_equal(found[rest], frame[rest])
    rows = [i for i in range(20) if i not in lacking]
    assert np.array_equal(np.stack(found["embedding"].iloc[rows]), numbers(20)[rows])
    assert np.array_equal(alcf.matrix(found.iloc[rows]), numbers(20)[rows])
    again = alcf.load_embeddings(alcf.save_embeddings(found, path))
    assert again["embedding"].dtype == frame["embedding"].dtype


def test_the_matrix_of_what_was_read_is_no_copy(tmp_path):
    frame = alcf.load_embeddings(alcf.save_embeddings(made(5000), tmp_path / "emb.parquet"))
    whole = pa.chunked_array(pa.array(frame["embedding"])).chunk(0)
    assert pa.chunked_array(pa.array(frame["embedding"])).num_chunks == 1
    address = alcf.matrix(frame).__array_interface__["data"][0]
    assert address == whole.flatten().buffers()[1].address
    assert np.array_equal(alcf.matrix(frame), numbers(5000))


def test_a_part_of_a_frame_and_other_columns(tmp_path):
    frame = made(100).assign(year=2026, title="x", when=pd.Timestamp("2026-11-21"))
    parts = [frame.iloc[13:57], frame.iloc[::-3], pd.concat([frame, frame.iloc[:5]]), frame[:0]]
    for part in parts:
        found = alcf.load_embeddings(alcf.save_embeddings(part, tmp_path / "emb.parquet"))
        assert np.array_equal(alcf.matrix(found), alcf.matrix(part))
        assert list(found.columns) == list(part.columns)
        assert found["year"].tolist() == part["year"].tolist()
        assert found.index.tolist() == part.index.tolist()


def test_rows_that_failed_keep_what_can_be_kept_of_their_text(tmp_path):
    frame = made(lacking=(0, 1, 2))
    frame["text"] = [5, "half \ud800", None, *[f"text {i}" for i in range(3, 20)]]
    found = alcf.load_embeddings(alcf.save_embeddings(frame, tmp_path / "emb.parquet"))
    assert found["text"].iloc[:2].tolist() == ["5", "half ?"]
    assert found["text"].isna().tolist() == [False, False, True] + [False] * 17


def test_what_embed_returns(tmp_path):
    alcf.connect("sandbox")
    frame = alcf.embed(["stars", None, "planets", "stars"], model="sandbox/embed")
    found = alcf.load_embeddings(alcf.save_embeddings(frame, tmp_path / "emb.parquet"))
    assert found.attrs == frame.attrs
    assert found["status"].tolist() == ["ok", "skipped", "ok", "ok"]
    good = frame["status"] == "ok"
    assert np.array_equal(alcf.matrix(found[good]), alcf.matrix(frame[good]))


def test_the_file_is_private_and_replaced_whole(tmp_path):
    path = tmp_path / "emb.parquet"
    alcf.save_embeddings(made(), path)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    (tmp_path / "link.parquet").symlink_to(path)
    alcf.save_embeddings(made(4), tmp_path / "link.parquet")
    assert path.stat().st_mode & 0o777 == 0o640, "shared on purpose, it stays shared"
    assert (tmp_path / "link.parquet").is_symlink()
    assert len(alcf.load_embeddings(path)) == 4
    assert {one.name for one in tmp_path.iterdir()} == {"emb.parquet", "link.parquet"}


@pytest.mark.parametrize("room", [100, 30_000])
def test_a_full_disk_leaves_the_old_file_alone(tmp_path, room):
    """A limit on the size of files stands for the disk: a write fails in the middle."""
    path = tmp_path / "emb.parquet"
    alcf.save_embeddings(made(4), path)
    before = path.read_bytes()
    program = (
        "import resource, signal, sys\n"
        "import alcf_jupyter as alcf\n"
        "from tests.frames.test_embedding_file import made\n"
        "frame = made(2000)\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))\n"
        "try:\n"
        "    alcf.save_embeddings(frame, sys.argv[1])\n"
        "except alcf.AlcfError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False
    )
    assert "File too large" in done.stdout, done.stderr
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["emb.parquet"]


def test_memory_does_not_double(tmp_path):
    """Written and read in pieces: 100 MB take little more than themselves."""
    program = (
        "import re, sys\n"
        "import numpy as np, pandas as pd, pyarrow as pa\n"
        "import alcf_jupyter as alcf\n"
        "alcf.save_embeddings, alcf.load_embeddings, alcf.matrix\n"
        # not ru_maxrss, which begins with that of the process that starts this one
        "status = lambda: open('/proc/self/status').read()\n"
        "peak = lambda: int(re.search(r'VmHWM:\\s+(\\d+) kB', status())[1]) * 1024\n"
        "path, what = sys.argv[1:]\n"
        "if what == 'out':\n"
        "    flat = np.random.default_rng(1).random(25_000 * 1024, np.float32)\n"
        "    column = pa.FixedSizeListArray.from_arrays(pa.array(flat), 1024)\n"
        "    vectors = pd.arrays.ArrowExtensionArray(pa.chunked_array([column]))\n"
        "    frame = pd.DataFrame({'embedding': vectors})\n"
        "before = peak()\n"
        "if what == 'out':\n"
        "    alcf.save_embeddings(frame, path)\n"
        "else:\n"
        "    assert alcf.matrix(alcf.load_embeddings(path)).shape == (25_000, 1024)\n"
        "print(peak() - before)\n"
    )
    grew = {}
    for what in ("out", "in"):
        command = [sys.executable, "-c", program, str(tmp_path / "emb.parquet"), what]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        grew[what] = int(done.stdout)
    size = 25_000 * 1024 * 4
    assert grew["out"] < 0.8 * size, grew
    assert grew["in"] < 1.8 * size, grew


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"text": ["a"]}),
        pd.Series([[1.0]], name="embedding"),
        [[1.0]],
        pd.DataFrame({"embedding": ["a", "b"]}),
        pd.DataFrame({"embedding": [1.0, 2.0]}),
        pd.DataFrame({"embedding": [[1.0], [1.0, 2.0]]}),
        pd.DataFrame({"embedding": [[1.0, None], [1.0, 2.0]]}),
        pd.DataFrame({"embedding": [None, None]}),
    ],
)
def test_what_is_no_embedding_frame_is_refused(tmp_path, frame):
    with pytest.raises(UsageError, match=r"alcf\.embed"):
        alcf.save_embeddings(frame, tmp_path / "emb.parquet")
    assert list(tmp_path.iterdir()) == []


def test_columns_and_an_index_that_have_no_place_in_a_file(tmp_path):
    path = tmp_path / "emb.parquet"
    with pytest.raises(UsageError, match="The column 'mixed' cannot be written"):
        alcf.save_embeddings(made(2).assign(mixed=[1, "a"]), path)
    with pytest.raises(UsageError, match="The index cannot be written"):
        alcf.save_embeddings(made(2, index=[1, "a"]), path)
    with pytest.raises(UsageError, match="Two columns have one name"):
        alcf.save_embeddings(pd.concat([made(2), made(2)[["status"]]], axis=1), path)
    assert list(tmp_path.iterdir()) == []


def test_places_where_no_file_can_be_written(tmp_path):
    other = tmp_path / "notes.parquet"
    other.write_text("my notes")
    for path, words in (
        (tmp_path / "missing" / "emb.parquet", "is not there.\nMake it:  !mkdir -p"),
        (tmp_path, f"is a folder; nothing was written.\nWrite:  '{tmp_path}/result.parquet'"),
        (
            tmp_path / "emb.csv",
            f"does not end in .parquet; nothing was written.\nWrite:  '{tmp_path}",
        ),
        (5, "not by int"),
        (other, "is no Parquet file; it is not replaced"),
    ):
        with pytest.raises(UsageError) as caught:
            alcf.save_embeddings(made(2), path)
        assert words in str(caught.value)
    assert other.read_text() == "my notes"
    if os.getuid():
        tmp_path.chmod(0o500)
        with pytest.raises(UsageError, match="Permission denied"):
            alcf.save_embeddings(made(2), tmp_path / "emb.parquet")
        tmp_path.chmod(0o700)


def test_files_that_cannot_be_read(tmp_path):
    good = alcf.save_embeddings(made(3000), tmp_path / "emb.parquet")
    data = good.read_bytes()
    for path, written, words in (
        (tmp_path / "notes.txt", b"my notes", "is no Parquet file"),
        (tmp_path / "empty.parquet", b"", "is no Parquet file"),
        (tmp_path / "cut.parquet", data[: len(data) // 2], "is damaged"),
        (tmp_path / "holed.parquet", data[:100] + bytes(20_000) + data[20_100:], "is damaged"),
    ):
        path.write_bytes(written)
        with pytest.raises(UsageError, match=words):
            alcf.load_embeddings(path)
    with pytest.raises(UsageError) as caught:
        alcf.load_embeddings(tmp_path / "emb.parqet")
    assert str(caught.value).endswith(f"Did you mean:  {good}")
    for path, words in ((tmp_path, "is a folder"), (tmp_path / "no" / "such", "There is no file")):
        with pytest.raises(UsageError, match=words):
            alcf.load_embeddings(path)


def test_parquet_files_of_others(tmp_path):
    path = tmp_path / "theirs.parquet"
    pd.DataFrame({"id": [1, 2, 3], "embedding": [[1.0, 2.0], None, [3.0, 4.0]]}).to_parquet(path)
    found = alcf.load_embeddings(path)
    assert found["embedding"].isna().tolist() == [False, True, False]
    assert alcf.matrix(found.dropna()).tolist() == [[1, 2], [3, 4]]
    for column in ([[1.0], [1.0, 2.0]], [[1.0, None], [1.0, 2.0]], ["a"], [None], [1.0]):
        pd.DataFrame({"embedding": column}).to_parquet(path)
        with pytest.raises(UsageError, match=r"alcf\.save_embeddings"):
            alcf.load_embeddings(path)


def test_it_is_written_in_groups(tmp_path):
    rows = 2 * embedding_file._GROUP_BYTES // (4 * 256) + 1
    flat = pa.array(numbers(rows, 256).reshape(-1))
    column = pa.FixedSizeListArray.from_arrays(flat, 256)
    vectors = pd.arrays.ArrowExtensionArray(pa.chunked_array([column]))
    path = alcf.save_embeddings(pd.DataFrame({"embedding": vectors}), tmp_path / "emb.parquet")
    assert pq.ParquetFile(path).num_row_groups == 3
    assert np.array_equal(alcf.matrix(alcf.load_embeddings(path)), numbers(rows, 256))
