"""A notebook run in the terminal: each cell and what it shows, as it comes."""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from alcf_jupyter.cli.here import require
from alcf_jupyter.errors import AlcfError
from alcf_jupyter.plain import clean
from alcf_jupyter.progress import without_clock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jupyter_client.blocking.client import BlockingKernelClient

CELL_SECONDS = 120.0


class Screen:
    """Prints the outputs of a cell; of a display that grows, only what is new.

    Parameters
    ----------
    out
        Where to print.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._shown: dict[str, str] = {}
        self._last: object = None
        self._fresh = True

    def markdown(self, text: str) -> None:
        """Print a cell of text."""
        self.end()
        self._write(f"\n{text.strip()}\n")

    def code(self, number: int, source: str) -> None:
        """Print a cell of code, as IPython does."""
        prompt = f"In [{number}]: "
        indent = "...: ".rjust(len(prompt))
        first, *others = source.rstrip().split("\n")
        self.end()
        self._write("\n" + "\n".join([prompt + first, *(indent + line for line in others)]) + "\n")

    def output(self, message: dict[str, Any]) -> None:
        """Print what a message of the kernel shows, if it shows anything."""
        kind, content = message["msg_type"], message["content"]
        if kind == "stream":
            self._start(content["name"])
            self._write(clean(content["text"]))
        elif kind in {"display_data", "execute_result", "update_display_data"}:
            text = clean(content["data"].get("text/plain", ""))
            self._display(content.get("transient", {}).get("display_id"), text)
        elif kind == "error":
            self._start(kind)
            self._write(clean(f"{content['ename']}: {content['evalue']}\n"))

    def _display(self, display_id: str | None, text: str) -> None:
        before = self._shown.get(display_id or "", "")
        if before and _is_no_news(before, text):
            return
        grows = bool(before) and self._last == display_id and text.startswith(before)
        if not grows:
            self.end()
        self._write(text[len(before) :] if grows else text)
        if display_id:
            self._shown[display_id] = text
        self._last = display_id

    def end(self) -> None:
        """End the line, so that what follows starts a new one."""
        if not self._fresh:
            self._write("\n")
        self._last = None

    def _start(self, what: object) -> None:
        if what != self._last:
            self.end()
        self._last = what

    def _write(self, text: str) -> None:
        if text:
            self._fresh = text.endswith("\n")
            self._out.write(text)
            self._out.flush()


def _is_no_news(before: str, text: str) -> bool:
    """Tell whether nothing is new, or only a clock went on; an answer may grow by digits alone."""
    if text.startswith(before):
        return text == before
    return without_clock(before) == without_clock(text)


def run(path: Path) -> int:
    """Run the notebook at `path` with the kernel of this environment, and print it.

    Parameters
    ----------
    path
        The notebook; it is not changed.

    Returns
    -------
    int
        0, or 1 when a cell failed that was not meant to.

    Raises
    ------
    AlcfError
        What runs notebooks is not installed, or a cell took longer than two minutes.
    """
    screen, number = Screen(sys.stdout), 0
    with _kernel(path.parent) as client:
        try:
            for kind, source, tags in _cells(path):
                if kind != "code":
                    screen.markdown(source)
                    continue
                number += 1
                screen.code(number, source)
                reply = client.execute_interactive(
                    source,
                    # a kernel that may ask is one where a person watches: answers stream
                    allow_stdin=True,
                    stdin_hook=lambda _: client.input(""),
                    output_hook=screen.output,
                    timeout=CELL_SECONDS,
                )
                if reply["content"]["status"] != "ok" and "raises-exception" not in tags:
                    return 1
        except TimeoutError:
            raise AlcfError(
                f"Cell {number} took longer than {CELL_SECONDS:.0f} s.",
                do="Open it in JupyterLab:  alcf-jupyter demo",
            ) from None
        finally:
            screen.end()
    return 0


def _cells(path: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Give the kind, the source and the tags of each cell.

    The tutorials are of format 4 as they are stored; nbformat would take seconds to import.
    """
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        yield cell["cell_type"], "".join(cell["source"]), cell["metadata"].get("tags", [])


@contextmanager
def _kernel(folder: Path) -> Iterator[BlockingKernelClient]:
    """Run a kernel of this environment in `folder`, reached by files that only its owner can."""
    require("Running a notebook", "ipykernel", "jupyter_client")
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import KernelManager

    with tempfile.TemporaryDirectory(prefix="alcf-") as private:
        manager = KernelManager(
            # without folders to look in, only this environment's own kernel is left
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),
            # a port chosen for a kernel may be taken by another program before the kernel has it
            transport="ipc",
            connection_file=f"{private}/kernel.json",
        )
        manager.start_kernel(cwd=str(folder))
        client = manager.client()
        try:
            client.start_channels()
            client.wait_for_ready(timeout=60)
            yield client
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
