"""Run the tutorials again and store what they show, the same bytes every time.

``python -m tools.notebooks`` stores the outputs; ``--check`` compares them with a fresh run.
"""

from __future__ import annotations

import argparse
import difflib
import multiprocessing
import os
import re
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from traitlets.config import Config

from tools.environment import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

CHECKOUT = Path(__file__).resolve().parent.parent
WIDGET = "application/vnd.jupyter.widget-view+json"
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
LONGEST_DIFF = 80

# UUIDs, ids of 32 hexadecimal digits, memory addresses
_RANDOM = re.compile(
    r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{32}\b|\b0x[0-9a-f]{6,16}\b",
    re.IGNORECASE,
)
# fields of the provenance that say when, how long, and what was installed
_CHANGING = re.compile(r"time|timing|versions|.*_(?:at|seconds)")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


class UnstableOutputError(Exception):
    """An output that cannot be the same on another machine."""


def numbered(value: Any, seen: dict[str, str]) -> Any:
    """Return `value` with each random id replaced by its number, in the shape the id had.

    Parameters
    ----------
    value
        A string, or lists and dicts of them; images stay as they are.
    seen
        The ids met so far in this notebook; added to.
    """

    def number(found: re.Match[str]) -> str:
        prefix, digits = ("0x", found[0][2:]) if found[0][:2] == "0x" else ("", found[0])
        if found[0] not in seen:
            count = iter(str(len(seen) + 1).zfill(len(digits.replace("-", ""))))
            seen[found[0]] = prefix + "".join("-" if d == "-" else next(count) for d in digits)
        return seen[found[0]]

    if isinstance(value, str):
        return _RANDOM.sub(number, value)
    if isinstance(value, list):
        return [numbered(item, seen) for item in value]
    if isinstance(value, dict):
        return {
            key: item if key.startswith("image/") else numbered(item, seen)
            for key, item in value.items()
        }
    return value


def frozen(value: Any, *, changing: bool = False) -> Any:
    """Return the provenance `value` with every time, timing and version a constant.

    Parameters
    ----------
    value
        What stands under ``metadata["alcf"]`` of an output.
    changing
        Whether `value` stands in a field of that kind.
    """
    if isinstance(value, dict):
        return {
            key: frozen(item, changing=changing or bool(_CHANGING.fullmatch(key)))
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [frozen(item, changing=changing) for item in value]
    if not changing or value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return "1970-01-01T00:00:00+00:00" if _DATE.match(value) else "0"
    return type(value)(0)


def tidy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Take out of an executed notebook all that differs from run to run, and return it."""
    seen: dict[str, str] = {}
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        cell.metadata = {key: cell.metadata[key] for key in ("tags",) if key in cell.metadata}
        for output in cell.get("outputs", ()):
            if len(output.get("data", ())) > 1:
                output.data.pop(WIDGET, None)  # its state is not stored; what stands beside it is
            if "alcf" in output.get("metadata", ()):
                output.metadata["alcf"] = frozen(output.metadata["alcf"])
            output.update(nbformat.from_dict(numbered(output, seen)))
    return notebook


def rerun(path: Path, *, inside: Path | None = None, timeout: float = 300) -> str:
    """Run the notebook at `path` and return the text to store.

    Parameters
    ----------
    path
        The notebook; it is not changed.
    inside
        The folder to run it in; its own unless given.
    timeout
        Seconds that one cell may take.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        A cell failed that is not tagged ``raises-exception``.
    UnstableOutputError
        An output names a folder of this machine.
    """
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata = nbformat.from_dict(METADATA)
    with tempfile.TemporaryDirectory(prefix="alcf-") as private:
        by_files = {"transport": "ipc", "connection_file": f"{private}/kernel.json"}
        NotebookClient(
            notebook,
            # a port chosen for a kernel may be taken by another program before the kernel has it
            config=Config(KernelManager=by_files),
            timeout=timeout,
            record_timing=False,
            store_widget_state=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(inside or path.parent)}},
        ).execute()
    text: str = nbformat.writes(tidy(notebook)) + "\n"
    for folder in (str(CHECKOUT), str(path.parent), sys.prefix, str(Path.home())):
        if folder in text:
            raise UnstableOutputError(f"An output names a folder of this machine: {folder}")
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Rerun or check notebooks; return 0 when all is well, 1 when not."""
    parser = argparse.ArgumentParser(prog="python -m tools.notebooks", description=__doc__)
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all the tutorials")
    parser.add_argument("--check", action="store_true", help="compare, and change nothing")
    options = parser.parse_args(arguments)
    paths = options.notebooks or sorted((CHECKOUT / "notebooks").glob("*.ipynb"))
    at_once = min(len(paths), os.cpu_count() or 1)
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(at_once, spawned) as pool:
        reruns = [(path, pool.submit(at_home, path)) for path in (one.resolve() for one in paths)]
        failed = [stored(path, rerun.result(), check=options.check) for path, rerun in reruns]
    return int(any(failed))


def at_home(path: Path) -> str | Exception:
    """Rerun a notebook in a process and a home directory of its own; return its text or error."""
    with tempfile.TemporaryDirectory(prefix="alcf-jupyter-home-") as home:
        clean(Path(home))
        try:
            return rerun(path)
        except (CellExecutionError, UnstableOutputError) as error:
            return RuntimeError(str(error))  # nbclient's own does not travel between processes


def stored(path: Path, new: str | Exception, *, check: bool) -> bool:
    """Store a notebook, or only compare it; say what came of it, and tell whether it failed."""
    if isinstance(new, Exception):
        print(f"{path.name}: failed\n{new}", file=sys.stderr)
        return True
    old = path.read_text(encoding="utf-8")
    print(f"{path.name}: {'unchanged' if old == new else 'differs'}")
    if not check:
        path.write_text(new, encoding="utf-8")
        return False
    if old != new:
        lines = difflib.unified_diff(
            old.splitlines(), new.splitlines(), "stored", "fresh", lineterm="", n=1
        )
        print("\n".join(list(lines)[:LONGEST_DIFF]))
        print(f"To store the fresh outputs: make notebooks   ({path.name})")
    return old != new


if __name__ == "__main__":
    sys.exit(main())
