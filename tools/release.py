"""Build what would be published, from what is committed alone, and try it where nothing else is.

``python -m tools.release`` leaves an sdist and a wheel in dist/. Each supported Python that is on
this machine gets the wheel into an empty environment, as ``pip install`` would, and runs the demo
there.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tools import environment, pythons

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CHECKOUT: Final = Path(__file__).resolve().parent.parent
DIST: Final = CHECKOUT / "dist"
_PIP: Final = ("-m", "pip", "--disable-pip-version-check", "install", "--quiet")
_EXTENSION: Final = "share/jupyter/labextensions/alcf-jupyter/static/remoteEntry"
_TUTORIAL: Final = "alcf_jupyter/notebooks/01_first_prompt.ipynb"


def main(arguments: Sequence[str] | None = None) -> int:
    """Build and try; return 0 when nothing failed, and say what was not tried."""
    parser = argparse.ArgumentParser(prog="python -m tools.release", description=__doc__)
    parser.add_argument("versions", nargs="*", help="the Pythons to try; default: all supported")
    versions = parser.parse_args(arguments).versions or pythons.supported()
    try:
        wheel, sdist = _build()
        _say(f"{sdist.name}: {_size(sdist)}; {wheel.name}: {_size(wheel)}")
        _run([sys.executable, "-m", "twine", "check", "--strict", str(wheel), str(sdist)])
        for missing in lacking(wheel, sdist):
            raise SystemExit(missing)
        for version in versions:
            _try(version, wheel)
    except subprocess.CalledProcessError as error:
        _say(f"FAILED: {' '.join(map(str, error.cmd))}")
        return 1
    return 0


def lacking(wheel: Path, sdist: Path) -> list[str]:
    """Return what ought to be in a wheel and an sdist and is not, each as a sentence."""
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = archive.namelist()
    with tarfile.open(sdist) as source:
        in_sdist = [name.partition("/")[2] for name in source.getnames()]
    wanted = {
        "The wheel lacks the built JupyterLab extension.": any(_EXTENSION in n for n in in_wheel),
        "The wheel lacks the tutorials.": _TUTORIAL in in_wheel,
        "The sdist lacks the package.": "alcf_jupyter/__init__.py" in in_sdist,
        "The sdist lacks the extension's source.": "labextension/package.json" in in_sdist,
    }
    return [sentence for sentence, there in wanted.items() if not there]


def _build() -> tuple[Path, Path]:
    """Build an sdist from what is committed, and the wheel from the sdist."""
    shutil.rmtree(DIST, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        packed = _output(["git", "archive", "HEAD"])
        with tarfile.open(fileobj=io.BytesIO(packed)) as committed:
            committed.extractall(folder, filter="data")
        _run([sys.executable, "-m", "build", "--outdir", str(DIST), folder])
    [wheel], [sdist] = DIST.glob("*.whl"), DIST.glob("*.tar.gz")
    return wheel, sdist


def _try(version: str, wheel: Path) -> None:
    program = pythons.find(version)
    if program is None:
        _say(f"NOT TRIED on Python {version}: there is none on this machine")
        return
    with _empty() as (folder, variables):
        _run([str(program), "-m", "venv", str(folder / "venv")], folder, variables)
        python = str(folder / "venv" / "bin" / "python")
        # pip's own settings say where packages come from
        _run([python, *_PIP, f"{wheel}[lab]"], folder, dict(os.environ))
        demo = [str(folder / "venv" / "bin" / "alcf-jupyter"), "demo", "--headless"]
        _run(demo, folder, variables, quiet=True)
        listed = [python, "-m", "jupyter", "labextension", "list"]
        told = _output(listed, folder, variables, both=True).decode()
        if "alcf-jupyter" not in told or "enabled" not in told:
            raise SystemExit(f"JupyterLab on Python {version} does not see the extension:\n{told}")
    _say(f"Python {version}: installed, the demo ran, JupyterLab sees the extension")


@contextmanager
def _empty() -> Iterator[tuple[Path, dict[str, str]]]:
    """Give an empty folder, and an environment whose home it is."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        changes = environment.changes(folder / "home")
        (folder / "home").mkdir()
        kept = {name: value for name, value in os.environ.items() if name not in changes}
        yield folder, kept | {name: value for name, value in changes.items() if value is not None}


def _run(
    command: Sequence[str],
    cwd: Path = CHECKOUT,
    variables: Mapping[str, str] | None = None,
    *,
    quiet: bool = False,
) -> None:
    shown = subprocess.PIPE if quiet else None
    done = subprocess.run(  # noqa: S603 - our own words
        command, cwd=cwd, env=variables, check=False, stdout=shown, stderr=shown, text=True
    )
    if done.returncode:
        print((done.stdout or "") + (done.stderr or ""))
        raise subprocess.CalledProcessError(done.returncode, command)


def _output(
    command: Sequence[str],
    cwd: Path = CHECKOUT,
    variables: Mapping[str, str] | None = None,
    *,
    both: bool = False,
) -> bytes:
    done = subprocess.run(  # noqa: S603 - our own words
        command,
        cwd=cwd,
        env=variables,
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if both else None,
    )
    return done.stdout


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1000:,.0f} kB"


def _say(words: str) -> None:
    print(words, flush=True)


if __name__ == "__main__":
    sys.exit(main())
