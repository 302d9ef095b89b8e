"""A manifest stays in its folder, whatever name or id it is to be found by."""

import json

import pytest

from alcf_jupyter.connection import state
from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.batch import manifest
from alcf_jupyter.frames.batch.manifest import Manifest, Part

OUTSIDE = ["../../escaped", "/nowhere/escaped", "a/b", "a/", "/", ""]


def campaign(name="a", batch_id=""):
    part = Part(f"{name}.jsonl", 1, batch_id=batch_id)
    return Manifest(name, "chat", "m", "c", "gateway", "/eagle", "/eagle", [part])


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_pointer_is_one_file_in_the_state_directory(tmp_path, name):
    with pytest.raises(UsageError, match="no name of a batch"):
        manifest.point(name, tmp_path / "a.manifest.json")
    assert list(state.folder("batches").parent.rglob("*.path")) == []


@pytest.mark.parametrize("name", OUTSIDE[:-1])
@pytest.mark.parametrize("where", ["name", "batch_id"])
def test_a_manifest_that_names_a_path_is_not_read(tmp_path, where, name):
    path = tmp_path / "a.manifest.json"
    told = json.loads(manifest.state_of(campaign()))
    path.write_text(json.dumps(told))
    assert manifest.read(path) == campaign()
    (told if where == "name" else told["parts"][0])[where] = name
    path.write_text(json.dumps(told))
    with pytest.raises(UsageError, match="cannot be read"):
        manifest.read(path)
