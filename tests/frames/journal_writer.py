"""A process that writes records, to be killed, held up against others, or run without flock."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np

from alcf_jupyter.errors import AlcfError
from alcf_jupyter.frames.record.journal import Journal
from alcf_jupyter.frames.record.journal_content import read
from alcf_jupyter.frames.record.journal_lines import Row

IDENTITY = "0123456789abcdef0123456789abcdef"
WIDTH = 24
FLOCK = {"x86_64": 73, "aarch64": 32}


def row(number: int) -> Row:
    """Return the row of a number: all that is in it follows from the number."""
    return Row(f"key-{number}", "ok", reply=f"answer {number} " * (number % 7), tokens=number)


def vector(number: int) -> np.ndarray:
    return np.full(WIDTH, number, np.float32)


def without_flock() -> None:
    """Make the system call flock fail as a file system without locks does."""

    class Step(ctypes.Structure):
        _fields_ = (
            ("code", ctypes.c_uint16),
            ("yes", ctypes.c_uint8),
            ("no", ctypes.c_uint8),
            ("k", ctypes.c_uint32),
        )

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_uint16), ("steps", ctypes.POINTER(Step)))

    # load the call's number; flock is answered with ENOSYS, anything else goes on
    steps = (Step * 4)(
        Step(0x20, 0, 0, 0),
        Step(0x15, 0, 1, FLOCK[platform.machine()]),
        Step(0x06, 0, 0, 0x00050000 | 38),
        Step(0x06, 0, 0, 0x7FFF0000),
    )
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(Program(4, steps)), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


def tell(what: dict[str, object]) -> None:
    """Say something to the test, on a line of its own."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def hold(folder: Path) -> None:
    """Open the record, say so, and hold it until a line comes."""
    try:
        with Journal(folder, IDENTITY):
            tell({"held": os.getpid()})
            sys.stdin.readline()
    except AlcfError as error:
        tell({"error": type(error).__name__, "text": str(error)})


def write(folder: Path, first: int, told: int, chance: random.Random) -> None:
    """Append groups of rows for ever, and tell each number once it is said to be durable."""
    with Journal(folder, IDENTITY) as journal:
        number = first
        while True:
            numbers = range(number, number + chance.randint(1, 9))
            rows = [row(one) for one in numbers]
            journal.append(rows, np.stack([vector(one) for one in numbers]))
            os.write(told, "".join(f"{one}\n" for one in numbers).encode())
            number = numbers.stop


def kill(folder: Path, times: int, number: int) -> None:
    """Let so many writers, or more, follow each other on one record and kill each.

    What went wrong is printed.
    """
    chance = random.Random(number)
    durable: set[int] = set()
    lost = wrong = inherited = 0
    first = 0
    for turn in range(20 * times):
        if turn >= times < len(durable):  # on a busy machine less is written between two kills
            break
        reader, told = os.pipe()
        child = os.fork()
        if not child:
            os.close(reader)
            try:
                write(folder, first, told, chance)
            finally:
                os._exit(1)
        os.close(told)
        # on a busy machine little is written in that time: the longer it takes, the longer each has
        time.sleep(chance.uniform(0, 0.05 * (1 + turn // times)))
        os.kill(child, signal.SIGKILL)
        with os.fdopen(reader, "rb") as pipe:
            durable |= {int(one) for one in pipe.read().split()}
        _, status = os.waitpid(child, 0)
        inherited += not os.WIFSIGNALED(status)
        content = read(folder, IDENTITY) if (folder / "journal.jsonl").exists() else None
        rows = content.rows if content else {}
        lost += len({f"key-{one}" for one in durable} - set(rows))
        for found in rows.values():
            one = found.tokens
            same = row(one) == Row(found.key, found.status, reply=found.reply, tokens=one)
            wrong += not (same and (content.vectors[found.vector.place] == one).all())
        first = max((found.tokens for found in rows.values()), default=-1) + 1
    report = {"durable": len(durable), "lost": lost, "wrong": wrong, "ended": inherited}
    tell(report)


if __name__ == "__main__":
    how, where, *more = sys.argv[1:]
    if "noflock" in more:
        without_flock()
    if how == "kill":
        kill(Path(where), int(more[0]), int(more[1]))
    else:
        hold(Path(where))
