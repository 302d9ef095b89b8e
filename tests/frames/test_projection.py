"""Projection: the components that others find too, the same every time, and slow ways by name."""

from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA

import alcf_jupyter as alcf
from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.explore.points import Points
from tests.frames.embedded import Told, frame, lines

RANDOM = np.random.default_rng(3)
X = (RANDOM.standard_normal((800, 40)) * np.geomspace(3, 0.05, 40) + 2).astype(np.float32)


def plane(emb):
    return emb[["x", "y"]].to_numpy()


def test_pca_is_what_scikit_learn_finds():
    found = alcf.project(frame(X))
    peer = PCA(2, svd_solver="full").fit(X.astype(float))
    right = peer.transform(X.astype(float))
    signs = np.sign((plane(found) * right).sum(axis=0))
    assert np.allclose(plane(found), right * signs, atol=1e-3)
    told = found.attrs["alcf"]["projection"]
    assert told["method"] == "pca"
    assert told["variance"] == pytest.approx(peer.explained_variance_ratio_, abs=1e-3)
    assert found.attrs["alcf"]["model"] == "m"


def test_a_large_mean_does_not_blur_it():
    far = (X + 300).astype(np.float32)
    right = PCA(2, svd_solver="full").fit_transform(far.astype(float))
    found = plane(alcf.project(frame(far)))
    for axis in (0, 1):
        assert abs(np.corrcoef(found[:, axis], right[:, axis])[0, 1]) > 1 - 1e-6


def test_it_is_the_same_every_time_and_in_blocks_of_any_size(monkeypatch):
    once = plane(alcf.project(frame(X)))
    assert np.array_equal(once, plane(alcf.project(frame(X))))
    blocks = Points.blocks
    monkeypatch.setattr(Points, "blocks", lambda self, _size=0: blocks(self, 4 * 40 * 37))
    assert np.allclose(once, plane(alcf.project(frame(X))), atol=1e-4), "its signs, too"


def test_the_frame_gets_two_columns_and_keeps_everything():
    emb = frame(X[:30], index=pd.date_range("2026-01-01", periods=30), missing=[4])
    told = Told()
    found = alcf.project(emb.assign(year=1), observer=told)
    assert list(found.columns) == [*emb.columns, "year", "x", "y"]
    assert found.index.equals(emb.index)
    assert np.flatnonzero(found["x"].isna() | found["y"].isna()).tolist() == [4]
    assert told.words == ["1 of 30 rows is left out: 1 with no embedding."]
    assert "projection" not in emb.attrs["alcf"]


@pytest.mark.parametrize("vectors", [X[:1], np.repeat(X[:1], 5, axis=0)])
def test_one_row_or_equal_ones_are_one_point_and_that_is_said(vectors):
    told = Told()
    assert not plane(alcf.project(frame(vectors), observer=told)).any()
    assert told.words == ["All the embeddings are the same: one point of the map."]


@pytest.mark.parametrize("width", [1, 2])
def test_short_vectors_have_a_map_as_well(width):
    found = plane(alcf.project(frame(X[:, :width])))
    assert np.allclose(found.std(axis=0)[width:], 0)
    assert found[:, 0].std() == pytest.approx(
        np.linalg.svd(X[:, :width] - X[:, :width].mean(0))[1][0] / 800**0.5, rel=1e-3
    )


def test_more_numbers_than_rows():
    wide = RANDOM.standard_normal((12, 300)).astype(np.float32)
    right = PCA(2, svd_solver="full").fit_transform(wide.astype(float))
    found = plane(alcf.project(frame(wide)))
    assert np.allclose(np.abs(found), np.abs(right), atol=1e-3)


@pytest.mark.parametrize(("method", "package"), [("pacmap", "pacmap"), ("umap", "umap-learn")])
def test_a_method_that_is_not_installed_comes_with_its_line(method, package):
    if find_spec(method):
        pytest.skip(f"{method} is installed")
    with pytest.raises(UsageError) as error:
        alcf.project(frame(X), method)
    assert lines(error) == [
        f"method={method!r} needs {package}, which is not installed here.",
        f"Type:  %pip install {package}   and restart the kernel",
    ]


def library(folder, name, source):
    (folder / f"{name}.py").write_text(source)


PACMAP = """
import pathlib, time
class PaCMAP:
    def __init__(self, **settings):
        self.settings = settings
    def fit_transform(self, rows, init):
        assert init == "pca" and rows.dtype == "float32" and rows.shape[1] == 40, rows.shape
        assert self.settings == {
            "n_components": 2, "random_state": 7, "apply_pca": False, "n_neighbors": 5}
        until = time.monotonic() + 60
        while not pathlib.Path(__file__).with_name("followed").exists():
            assert time.monotonic() < until
            time.sleep(0.01)
        return rows[:, :2]
"""


def test_a_slow_method_gets_components_seed_and_options_and_is_followed(tmp_path, monkeypatch):
    library(tmp_path, "pacmap", PACMAP)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("alcf_jupyter.frames.explore.projection._TICK", 0.05)

    class Follower(Told):
        def status(self, words):
            super().status(words)
            if len(self.words) == 4:
                (tmp_path / "followed").touch()

    told = Follower()
    found = alcf.project(frame(X, missing=[0]), "pacmap", seed=7, n_neighbors=5, observer=told)
    assert np.isnan(plane(found)[0]).all()
    assert np.allclose(plane(found)[1:], plane(alcf.project(frame(X, missing=[0])))[1:], atol=1e-3)
    assert found.attrs["alcf"]["projection"] == {"method": "pacmap", "seed": 7, "n_neighbors": 5}
    assert len(told.words) >= 4
    assert told.words[1] == "pacmap of 799 rows: 0s"
    assert told.words[2].startswith("pacmap of 799 rows: ")
    with pytest.raises(UsageError) as error:
        alcf.project(frame(X[:9]), "pacmap")
    assert lines(error)[0] == "pacmap needs at least 10 rows, and there are 9."


def test_a_package_that_lacks_something_of_its_own_says_what(tmp_path, monkeypatch):
    library(tmp_path, "umap", "import a_part_of_umap_that_is_not_there")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="a_part_of_umap"):
        alcf.project(frame(X), "umap")


@pytest.mark.parametrize(
    ("options", "first", "last"),
    [
        ({"method": "pcca"}, "There is no projection 'pcca'.", "Type one of:  method='pca'"),
        ({"method": None}, "There is no projection None.", None),
        ({"n_neighbors": 3}, "PCA takes no n_neighbors=.", None),
    ],
)
def test_what_cannot_be_done_is_said(options, first, last):
    with pytest.raises(UsageError) as error:
        alcf.project(frame(X), **options)
    assert lines(error)[0] == first
    assert last in (None, lines(error)[-1].split(",")[0])
