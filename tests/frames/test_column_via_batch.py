"""``alcf.map`` by way of the service's batches."""

import pandas as pd
import pytest

import alcf_jupyter as alcf
from alcf_jupyter.connection import session
from alcf_jupyter.errors import UsageError
from alcf_jupyter.progress import SilentObserver
from tests.frames.batching import MODEL, connect, created, sandbox, table


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    before = session.current().client
    with sandbox(tmp_path_factory.mktemp("root")) as made:
        session.current().client = connect(made)
        yield made
    session.current().client = before


def test_a_table_goes_through_a_batch_once(box, tmp_path):
    folder = box.root / "project"
    folder.mkdir()
    data = table(7)
    how = {"model": MODEL, "via": "batch", "folder": folder, "observer": SilentObserver()}
    out = alcf.map(data, "Say: {{text}}", out=tmp_path / "out.parquet", **how)
    assert out["reply"].tolist() == [f"Say: {text}" for text in data["text"]]
    assert out["status"].eq("ok").all()
    assert out.index.equals(data.index)
    assert len(pd.read_parquet(tmp_path / "out.parquet")) == 7
    assert alcf.map(data, "Say: {{text}}", **how)["reply"].equals(out["reply"])
    assert len(created(box)) == 1, "the same call finds the same batch"
    assert alcf.map(data, "Say: {{text}}", background=True, **how).id


def test_the_fields_of_a_form_are_columns_on_either_way(box):
    folder = box.root / "forms"
    folder.mkdir()
    data = pd.DataFrame({"label": ["x", "y"], "n": [1, 2]}, index=[7, 7])
    template = '{"label": "{{label}}", "n": {{n}}}'
    how = {"model": MODEL, "schema": "label, n int", "prefix": "p_", "observer": SilentObserver()}
    one_by_one = alcf.map(data, template, **how)
    together = alcf.map(data, template, via="batch", folder=folder, **how)
    columns = ["p_label", "p_n", "status", "reason"]
    pd.testing.assert_frame_equal(together[columns], one_by_one[columns])
    assert together["p_n"].tolist() == [1, 2]


@pytest.mark.parametrize(
    "options",
    [
        {"via": "pigeon"},
        {"folder": "/eagle/x"},
        {"via": "batch", "images": "figure"},
        {"via": "batch", "concurrency": 4},
        {"via": "batch", "checkpoint": "x"},
        {"via": "batch", "images": pd.Series([b"", b"", b""])},
        {"via": "batch", "on_error": "raise"},
        {"via": "batch", "wait": False},
        {"via": "batch", "out": "x.csv"},
        {"via": "batch", "out": "x.parquet", "background": True},
    ],
    ids=str,
)
def test_what_is_not_for_batches(box, options):
    created(box)
    with pytest.raises(UsageError) as told:
        alcf.map(table(3), "Say: {{text}}", model=MODEL, **options)
    assert 2 <= len(str(told.value).splitlines()) <= 3
    assert created(box) == []
