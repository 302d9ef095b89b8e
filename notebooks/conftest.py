"""Run the tutorials as tests, the way Jupyter would: streamed answers, ``;`` and ``Out`` included.

nbval drops ``update_display_data``, so a streamed cell would compare its first frame with the
stored last one, and it runs cells without history. Both are mended here. What remains as a rule:
a display is finished in its own cell, no ``clear_output``, no Output widget in a tutorial.
"""

from __future__ import annotations

import functools
import os
import tempfile
from pathlib import Path

import nbval.kernel
from jupyter_client.manager import KernelManager
from nbformat import from_dict
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell, IPyNbFile

OUTPUT_SECONDS = 60
"""For an output that has been sent: nbval's own five are over where a machine stalls."""


def fold_updates(get_message):
    """Wrap the reading of kernel messages so that an update changes the display it names."""

    @functools.wraps(get_message)
    def get_folded(self, timeout=None, stream="iopub"):
        shown = self.__dict__.setdefault("shown_displays", {})
        while True:
            message = get_message(self, timeout=timeout, stream=stream)
            content = message["content"]
            display_id = content.get("transient", {}).get("display_id")
            if display_id is None:
                return message
            # nbval keeps a NotebookNode as it is and copies a plain dict, which would end the link
            fresh = {key: from_dict(content[key]) for key in ("data", "metadata")}
            for earlier in shown.get(display_id, ()):
                for key, value in fresh.items():
                    earlier[key].clear()
                    earlier[key].update(value)
            if message["msg_type"] != "update_display_data":
                content.update(fresh)
                shown.setdefault(display_id, []).append(fresh)
                return message

    return get_folded


def execute_with_history(self, cell_input, allow_stdin=None):
    """Run a cell as the front end does, so that ``Out`` is kept and a trailing ``;`` honoured."""
    return self.kc.execute(
        cell_input, store_history=True, allow_stdin=allow_stdin, stop_on_error=False
    )


def kernel_at_home(**options):
    """Make a kernel with a home of its own, so that a tutorial sees no runs or batches of others.

    It is reached by files: a port may be taken before the kernel it was chosen for has it.
    """
    home = tempfile.mkdtemp(dir=Path.home())  # which conftest.py made for this run
    manager = KernelManager(transport="ipc", connection_file=f"{home}/kernel.json", **options)
    private = dict.fromkeys(("HOME", "USERPROFILE"), home) | {"IPYTHONDIR": f"{home}/.ipython"}
    manager.start_kernel = functools.partial(manager.start_kernel, env=os.environ | private)
    return manager


def pytest_collection_modifyitems(items):
    """Give every cell's outputs the time to arrive."""
    for item in items:
        if isinstance(item, IPyNbCell):
            item.output_timeout = OUTPUT_SECONDS


nbval.kernel.KernelManager = kernel_at_home
IPyNbFile.get_kernel_message = fold_updates(IPyNbFile.get_kernel_message)
RunningKernel.execute_cell_input = execute_with_history
