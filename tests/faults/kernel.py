"""A real kernel, driven as a notebook drives it: a cell at a time, and interrupted."""

import json
import queue
import time

from tests.kernels import start_kernel


class Kernel:
    """One kernel and the messages it sends."""

    def __init__(self, cwd):
        self.manager, self.client = start_kernel(cwd=str(cwd))
        self.cell = None
        self.busy = False

    @property
    def pid(self):
        """The number of its process."""
        return self.manager.provisioner.pid

    def begin(self, code):
        """Start a cell; return its number."""
        self.busy = True
        self.cell = self.client.execute(code, allow_stdin=False)
        return self.cell

    def end(self, cell, seconds=30):
        """Wait until a cell has ended; return its messages and the moment it was idle."""
        messages, until = [], time.monotonic() + seconds
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=max(0.01, until - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"the cell has not ended: {messages[-3:]}") from None
            if message["parent_header"].get("msg_id") != cell:
                continue
            messages.append((message["msg_type"], message["content"]))
            if message["content"].get("execution_state") == "idle":
                self.busy = False
                return messages, time.monotonic()

    def run(self, code, seconds=60):
        """Run a cell to its end; return what it printed. A cell that fails is an error."""
        messages, _ = self.end(self.begin(code), seconds)
        for kind, content in messages:
            assert kind != "error", "\n".join(content["traceback"])
        return "".join(c["text"] for k, c in messages if k == "stream" and c["name"] == "stdout")

    def value(self, expression):
        """Return the value of an expression, through JSON."""
        return json.loads(self.run(f"import json; print(json.dumps({expression}))"))

    def interrupt(self):
        """Interrupt it, as the button does; return the moment."""
        at = time.monotonic()
        self.manager.interrupt_kernel()
        return at

    def close(self):
        """End it."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()
