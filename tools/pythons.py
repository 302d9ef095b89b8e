"""Run the quick tests on the other Pythons that are supported, as far as they are on this machine.

``python -m tools.pythons`` takes the versions from pyproject.toml; ``python -m tools.pythons 3.13``
names them. It installs each into build/py3.X, tests them beside each other, and says plainly what
was not tested. With ``--whole`` every test and tutorial runs there.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CHECKOUT = Path(__file__).resolve().parent.parent
# The first imports every module; the others run what is logic, the wire and the record of a run.
TESTS = (
    "tests/test_public_names.py",
    "tests/test_loading.py",
    "tests/service",
    "tests/prompt",
    "tests/connection/test_channel.py",
    "tests/connection/test_wire.py",
    "tests/frames/test_column.py",
    "tests/frames/test_journal.py",
)
_NBVAL = (
    "--nbval",
    "--nbval-current-env",
    "--nbval-cell-timeout=300",
    "--nbval-sanitize-with=notebooks/sanitize.cfg",
)
_CLASSIFIER = re.compile(r"Programming Language :: Python :: (3\.\d+)")
_COMPLETE = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"


def supported() -> list[str]:
    """Return the versions that the package says it supports, like ``3.12``."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"]
    found = (_CLASSIFIER.fullmatch(line) for line in project["classifiers"])
    return [match[1] for match in found if match]


def find(version: str) -> Path | None:
    """Return a program of this version that can make environments, or None.

    Parameters
    ----------
    version
        Like ``3.12``; any release of it will do.
    """
    return next((program for program in _candidates(version) if _is(program, version)), None)


def _candidates(version: str) -> Iterator[Path]:
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield Path(on_path)
    # pyenv's program on PATH answers only for the versions that are switched on
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(root.glob(f"versions/{version}.*/bin/python"), reverse=True)


def _is(program: Path, version: str) -> bool:
    try:
        told = subprocess.run(  # noqa: S603 (a Python found by its name)
            [program, "-c", _COMPLETE], capture_output=True, text=True, timeout=60, check=False
        )
    except OSError:
        return False
    return told.stdout.strip() == version


def main(arguments: Sequence[str] | None = None) -> int:
    """Test on each version; return 0 when no test failed, and say what was not tested."""
    parser = argparse.ArgumentParser(prog="python -m tools.pythons", description=__doc__)
    parser.add_argument("versions", nargs="*", help="default: the supported ones but this")
    parser.add_argument("--whole", action="store_true", help="every test and tutorial")
    chosen = parser.parse_args(arguments)
    this = "{}.{}".format(*sys.version_info)
    versions = chosen.versions or [v for v in supported() if v != this]
    tests = _NBVAL if chosen.whole else TESTS
    # one of them waits while another computes
    with ThreadPoolExecutor() as pool:
        failed = list(pool.map(lambda version: _failed(version, tests), versions))
    return int(any(failed))


def _failed(version: str, tests: Sequence[str]) -> bool:
    program = find(version)
    if program is None:
        print(f"NOT TESTED on Python {version}: there is none on this machine", flush=True)
        return False
    folder = f"build/py{version}"
    install = ["make", "--silent", f"{folder}/.installed", f"PYTHON={program}"]
    test = [f"{folder}/bin/python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2"]
    test += ["--dist", "loadscope"]
    told = [f"Python {version}:"]
    for command in (install, [*test, *tests]):
        done = subprocess.run(  # noqa: S603
            command,
            cwd=CHECKOUT,
            # what this Python made of a tenth of the odd inputs, it makes of the others, too
            env={"FUZZ": "0.1", **os.environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        told.append(done.stdout)
        if done.returncode:
            break
    print("\n".join(told), flush=True)
    return done.returncode != 0


if __name__ == "__main__":
    sys.exit(main())
