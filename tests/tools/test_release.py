"""What is published is looked at before anybody tries it."""

import io
import tarfile
import zipfile

import pytest

from tools import release

WHEEL = (
    "alcf_jupyter/__init__.py",
    "alcf_jupyter/notebooks/01_first_prompt.ipynb",
    "alcf_jupyter-0.1.0.data/data/share/jupyter/labextensions/alcf-jupyter/static/remoteEntry.a.js",
)
SDIST = ("alcf_jupyter/__init__.py", "labextension/package.json")


def packed(folder, wheel, sdist):
    with zipfile.ZipFile(folder / "a.whl", "w") as archive:
        for name in wheel:
            archive.writestr(name, "")
    with tarfile.open(folder / "a.tar.gz", "w:gz") as archive:
        for name in sdist:
            archive.addfile(tarfile.TarInfo(f"alcf_jupyter-0.1.0/{name}"), io.BytesIO())
    return folder / "a.whl", folder / "a.tar.gz"


def test_what_is_whole_lacks_nothing(tmp_path):
    assert release.lacking(*packed(tmp_path, WHEEL, SDIST)) == []


@pytest.mark.parametrize(
    ("left_out", "told"),
    [
        (WHEEL[2], "The wheel lacks the built JupyterLab extension."),
        (WHEEL[1], "The wheel lacks the tutorials."),
        (SDIST[0], "The sdist lacks the package."),
        (SDIST[1], "The sdist lacks the extension's source."),
    ],
)
def test_what_is_left_out_is_named(tmp_path, left_out, told):
    wheel = [name for name in WHEEL if name != left_out]
    sdist = [name for name in SDIST if name != left_out]
    assert told in release.lacking(*packed(tmp_path, wheel, sdist))
