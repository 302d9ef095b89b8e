"""An interrupt in a real kernel gives control back within a second, with all that had come."""

import ast
import contextlib
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from traitlets.config import Config

from tests.faults import figures
from tests.faults.kernel import Kernel
from tests.faults.others_time import Usable
from tests.faults.server import FaultServer, Served
from tests.faults.size import SIZE
from tests.faults.test_kills import recorded
from tests.kernels import by_files

ROOT = Path(__file__).resolve().parents[2]
SOON = 1.0


ROWS = 12
COLD = ["queued"]
FAILS = ["502"] * 500
PHASES = {
    # phase: what befalls the requests; before the interrupt, how many must have come, and how many
    # answers must have been recorded
    "before the first request": (Served(), 0, 0),
    "waiting for the model": (Served(states=COLD), 0, 0),
    "connecting": (Served(), 0, 0),
    "in flight": (Served(["", "", ""], latency=(0.0, 0.0)), 4, 2),
    "half open": (Served(["", "half-open", "", "half-open-in-body"]), 4, 2),
    "writing the record": (Served(), 1, 0),
    "backing off": (Served(["", "", *FAILS]), 4, 2),
    "out of tokens": (Served(["", "", *["429-tokens"] * 500]), 3, 2),
}
SETUP = """
import os, time, pandas as pd
import alcf_jupyter as alcf
from alcf_jupyter.connection.state import folder
df = pd.DataFrame({"text": [f"row {n}" for n in range(%d)]}, index=[n // 2 for n in range(%d)])
real_sync = os.fdatasync
"""
CELL = """
out = None
alcf.connect({url!r}, token="t")
out = alcf.map(df, "Say {{{{text}}}}!", model="m", concurrency=2, checkpoint={place!r})
"""


@pytest.fixture(scope="module")
def kernel():
    made = Kernel(ROOT)
    made.run(SETUP % (ROWS, ROWS))
    yield made
    made.close()


@contextlib.contextmanager
def full():
    """Give the address of a server whose queue of connections is full."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.settimeout(0)
            with contextlib.suppress(OSError):
                sock.connect(listening.getsockname())
        port = listening.getsockname()[1]
        yield f"http://127.0.0.1:{port}/resource_server", port, connecting(port)
        for sock in waiting:
            sock.close()


def connecting(port):
    """Return how many connections to a port are asked for and not there."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(line.split()[2:4] == [f"0100007F:{port:04X}", "02"] for line in lines)


def wait_until(there, seconds=60):
    until = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < until
        time.sleep(0.01)


def answers_in(place):
    """Return how many answers stand in the record of a run."""
    found = recorded(Path(place))
    return found.total() - found["vectors"]


class Phase:
    """One phase: the server as it must be, the cell begun, and the moment come."""

    def __init__(self, name, dice):
        self.name, self.dice = name, dice
        how, self.count, self.answered = PHASES[name]
        self.server = FaultServer({"m": Served(list(how.faults), list(how.states))})
        if name == "in flight":
            self.server.models["m"].faults = ["", "", *["half-open"] * 2]
        self.url = self.server.url
        self.server.silent = name == "before the first request"
        self.connecting = None

    def begin(self, kernel, place):
        """Start the cell, and return its number once it is in the phase."""
        if self.name == "writing the record":
            # a disk that takes its time, as a full or a far one does
            kernel.run("os.fdatasync = lambda handle: (time.sleep(1.5), real_sync(handle))")
            kernel.run("from alcf_jupyter.frames.record import durable_file")
            kernel.run("durable_file._sync = os.fdatasync")
        cell = kernel.begin(CELL.format(url=self.url, place=str(place)))
        self._wait(place)
        time.sleep(self.dice.uniform(0.2, 0.5))
        return cell

    def _wait(self, place):
        """Wait until it is seen from outside that the phase has come."""
        if self.count:
            self.server.wait_for(self.count)
            wait_until(lambda: answers_in(place) >= self.answered)
        elif self.connecting is not None:
            port, before = self.connecting
            wait_until(lambda: connecting(port) > before)
        else:
            sign = "jobs" if self.name == "waiting for the model" else "list-endpoints"
            wait_until(lambda: any(sign in path for _, path in self.server.ledger.asked_at))

    def close(self, kernel):
        if kernel.busy:
            kernel.interrupt()
            kernel.end(kernel.cell)
        self.server.close()
        if self.name == "writing the record":
            kernel.run("durable_file._sync = real_sync")


@pytest.mark.parametrize("name", PHASES)
def test_an_interrupt_gives_control_back(kernel, name, tmp_path):
    took, by_the_clock, dice = [], [], random.Random(name)
    for turn in range(SIZE.interrupts):
        with contextlib.ExitStack() as stack:
            phase = Phase(name, dice)
            stack.callback(phase.close, kernel)
            if name == "connecting":
                phase.url, *phase.connecting = stack.enter_context(full())
            cell = phase.begin(kernel, tmp_path / f"{turn}")
            with Usable(kernel.pid) as time_of_ours:
                at = kernel.interrupt()
                messages, idle = kernel.end(cell)
                took.append(time_of_ours.took(idle))
                by_the_clock.append(idle - at)
            answered = phase.server.ledger.delivered().total()
            seen = kernel.value("None if out is None else out['status'].tolist()")
            check_frame(name, seen, answered, messages)
    figures.record(
        f"interrupt {name}",
        tried=len(took),
        wrong={"over a second": sum(one > SOON for one in took)},
        told=f"{max(by_the_clock):.2f} s at the most",
    )
    assert max(took) <= SOON, took


def check_frame(name, statuses, answered, messages):
    """See that all that had come is in the frame, or that the interrupt was shown."""
    errors = [content["ename"] for kind, content in messages if kind == "error"]
    if statuses is None:
        assert errors and errors[0].endswith("Interrupt"), messages  # noqa: PT018 - one fact
        return
    assert not errors, messages
    assert len(statuses) == ROWS
    assert set(statuses) <= {"ok", "pending"}, statuses
    if name != "writing the record":  # what is not written down yet may be missing
        assert statuses.count("ok") == answered, (statuses, answered)


@pytest.mark.parametrize("pause", [0.0, 0.05, 0.3])
def test_a_second_interrupt_and_then_the_cell_again(kernel, pause, tmp_path):
    with contextlib.ExitStack() as stack:
        phase = Phase("half open", random.Random(0))
        stack.callback(phase.close, kernel)
        cell = phase.begin(kernel, tmp_path)
        with Usable(kernel.pid) as time_of_ours:
            kernel.interrupt()
            time.sleep(pause)
            kernel.interrupt()
            _, idle = kernel.end(cell)
            assert time_of_ours.took(idle) <= SOON + pause
        phase.server.models["m"].faults = []
        sent = phase.server.ledger.delivered()
        kernel.run(CELL.format(url=phase.url, place=str(tmp_path)))
        assert kernel.value("out['status'].tolist()") == ["ok"] * ROWS
        assert kernel.value("out.index.tolist()") == [n // 2 for n in range(ROWS)]
        again = phase.server.ledger.delivered() - sent
        assert set(sent).isdisjoint(again), "what had come was not sent again"
        assert phase.server.ledger.texts().total() <= ROWS + 2


SCRIPT = """
import sys
import pandas as pd, alcf_jupyter as alcf
alcf.connect(sys.argv[1], token="t")
df = pd.DataFrame({"text": [f"row {n}" for n in range(12)]})
out = alcf.map(df, "Say {{text}}!", model="m", concurrency=2, checkpoint=sys.argv[2])
print(out["status"].value_counts().to_dict(), flush=True)
"""


@pytest.mark.parametrize("name", ["waiting for the model", "half open", "backing off"])
def test_a_script_is_interrupted_the_same_way(name, tmp_path):
    with contextlib.ExitStack() as stack:
        how, count, answered = PHASES[name]
        server = stack.enter_context(FaultServer({"m": Served(list(how.faults), list(how.states))}))
        process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", SCRIPT, server.url, str(tmp_path / "run")],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=ROOT,
            )
        )
        stack.callback(process.kill)
        if count:
            server.wait_for(count)
            wait_until(lambda: answers_in(tmp_path / "run") >= answered)
        else:
            wait_until(lambda: any("jobs" in path for _, path in server.ledger.asked_at))
        time.sleep(0.4)
        with Usable(process.pid) as time_of_ours:
            process.send_signal(signal.SIGINT)
            told = process.stdout.readline()
            took = time_of_ours.took()
        _, errors = process.communicate(timeout=60)
        done = server.ledger.delivered().total()
        if told:
            assert ast.literal_eval(told) == ({"ok": done} if done else {}) | {
                "pending": ROWS - done
            }
            assert process.returncode == 0
        else:
            assert "KeyboardInterrupt" in errors
        assert took <= SOON


def test_a_notebook_without_a_screen_is_interrupted_and_goes_on(tmp_path):
    """A cell that has run for too long is interrupted by whoever runs the notebook."""
    run = CELL.format(url="URL", place=str(tmp_path / "run"))
    cells = [run, "print(out['status'].value_counts().to_dict())"]
    setup = SETUP % (ROWS, ROWS)
    with FaultServer({"m": Served(["", "", *["half-open"] * 4])}) as server:
        cells = [setup, *(cell.replace("URL", server.url) for cell in cells)]
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])

        def seconds(cell):
            """Return for how long a cell may run; asked once it has been begun."""
            if notebook.cells.index(cell) != 1:
                return 60
            wait_until(lambda: answers_in(tmp_path / "run") == 2)
            server.wait_for(4)
            return 1

        client = NotebookClient(
            notebook,
            config=Config(KernelManager=by_files()),
            timeout_func=seconds,
            iopub_timeout=60,
            interrupt_on_timeout=True,
            resources={"metadata": {"path": ROOT}},
        )
        client.execute()
    outputs = [
        output["text"]
        for output in notebook.cells[-1].outputs
        if output.output_type == "stream" and output.name == "stdout"
    ]
    assert ast.literal_eval("".join(outputs)) == {"ok": 2, "pending": ROWS - 2}
