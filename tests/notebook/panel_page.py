"""A page's side of the panel: a comm to a real kernel, its messages checked by the protocol."""

import itertools
import queue
import time
import uuid

from alcf_jupyter.notebook.panel import messages
from tests.kernels import start_kernel


class Kernel:
    """A kernel with the extension loaded, and whatever it publishes."""

    def __init__(self, setup=""):
        self.manager, self.client = start_kernel()
        self.seen = []
        self.run(f"%load_ext alcf_jupyter\nimport alcf_jupyter as alcf\n{setup}")

    def take(self, seconds):
        """Take one message, if one comes in so many seconds."""
        try:
            self.seen.append(self.client.get_iopub_msg(timeout=max(0.01, seconds)))
        except queue.Empty:
            return False
        return True

    def listen(self, seconds):
        """Take whatever comes for so many seconds."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.take(left)

    def wait(self, fits, seconds=30, since=0):
        """Return the first message from `since` on that fits; wait for it."""
        until, at = time.monotonic() + seconds, since
        while True:
            while at < len(self.seen):
                if fits(self.seen[at]):
                    return self.seen[at]
                at += 1
            left = until - time.monotonic()
            assert left > 0, [m["content"] for m in self.seen[since:]][-12:]
            self.take(left)

    def start(self, code):
        """Start a cell; return its number."""
        return self.client.execute(code, allow_stdin=False)

    def end(self, cell, seconds=60):
        """Wait until a cell has ended; return what it printed."""

        def ended(message):
            state = message["content"].get("execution_state")
            return message["parent_header"].get("msg_id") == cell and state == "idle"

        self.wait(ended, seconds)
        mine = [m for m in self.seen if m["parent_header"].get("msg_id") == cell]
        for message in mine:
            assert message["msg_type"] != "error", "\n".join(message["content"]["traceback"])
        return "".join(m["content"]["text"] for m in mine if m["msg_type"] == "stream")

    def printed(self, words, cell):
        """Wait until a cell has printed so."""
        self.wait(
            lambda m: m["parent_header"].get("msg_id") == cell and words in str(m["content"]), 60
        )

    def run(self, code, seconds=60):
        """Run a cell to its end; return what it printed."""
        return self.end(self.start(code), seconds)

    def subshell(self):
        """Make a subshell, as JupyterLab does for its comms; return its name."""
        message = self.client.session.msg("create_subshell_request", {})
        self.client.control_channel.send(message)
        return self.client.control_channel.get_msg(timeout=60)["content"]["subshell_id"]

    def delete(self, subshell):
        """Delete a subshell, as JupyterLab does when its page goes."""
        message = self.client.session.msg("delete_subshell_request", {"subshell_id": subshell})
        self.client.control_channel.send(message)
        assert self.client.control_channel.get_msg(timeout=60)["content"]["status"] == "ok"

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()


class Page:
    """One panel in one page.

    Parameters
    ----------
    kernel
        What it talks to.
    hello
        What is other than usual in its greeting; None sends what is no greeting at all.
    """

    def __init__(self, kernel, hello=()):
        self.kernel = kernel
        self.id = uuid.uuid4().hex
        self._shell = kernel.subshell()
        self._numbers = itertools.count(1)
        self._from = len(kernel.seen)
        greeting = {
            "type": "hello",
            "protocol": messages.protocol(),
            "extension": "0.1.0",
            "frontend": {"jupyterlab": "4.6.4"},
        }
        data = hello if hello is None or isinstance(hello, str) else greeting | dict(hello)
        self._publish("comm_open", target_name="alcf_jupyter.panel", data=data)

    def _publish(self, kind, **content):
        message = self.kernel.client.session.msg(kind, {"comm_id": self.id, **content})
        message["header"]["subshell_id"] = self._shell
        self.kernel.client.shell_channel.send(message)

    def raw(self, data):
        """Send whatever it is."""
        self._publish("comm_msg", data=data)

    def send(self, kind, /, **message):
        """Send a message of the protocol; return its id."""
        number = next(self._numbers)
        whole = {"type": kind, "id": number, **message}
        if kind == "watch":
            del whole["id"]
        messages.read(whole, "FromLab")
        self.raw(whole)
        return number

    def ask(self, kind, /, seconds=30, **message):
        """Send a message and return the reply."""
        number = self.send(kind, **message)
        return self.told("reply", lambda reply: reply["to"] == number, seconds)

    def close(self):
        """Close the comm, and wait until the kernel has read that, on the comm's own subshell."""
        self._publish("comm_close", data={})
        self.kernel.run(
            "import comm, time\n"
            f"while {self.id!r} in comm.get_comm_manager().comms: time.sleep(0.02)"
        )

    def vanish(self):
        """Go without a word: what is closed last came too late."""
        self.kernel.delete(self._shell)

    def all(self):
        """Return everything this page was sent so far, each message checked."""
        found = []
        for message in self.kernel.seen[self._from :]:
            if message["msg_type"] == "comm_msg" and message["content"]["comm_id"] == self.id:
                messages.read(message["content"]["data"], "FromKernel")
                found.append(message["content"]["data"])
        return found

    def mark(self):
        """Return a place for `since`, after what has been read so far."""
        return len(self.kernel.seen)

    def told(self, kind, fits=lambda _: True, seconds=30, since=None):
        """Wait for a message of a kind that fits."""

        def mine(message):
            if message["msg_type"] != "comm_msg" or message["content"]["comm_id"] != self.id:
                return False
            data = message["content"]["data"]
            messages.read(data, "FromKernel")
            return data["type"] == kind and fits(data)

        start = self._from if since is None else since
        return self.kernel.wait(mine, seconds, start)["content"]["data"]

    def model(self, name, seconds=30, state=None):
        """Wait until a model is shown, in a state if one is given."""

        def found(message):
            return [m for m in message["models"] if m["id"] == name and state in (None, m["state"])]

        return found(self.told("models", found, seconds))[0]
