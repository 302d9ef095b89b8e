"""Threads: what was said before, for cells that ask for a memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from alcf_jupyter.connection.record.cell import running
from alcf_jupyter.errors import UsageError
from alcf_jupyter.names import nearest
from alcf_jupyter.plain import brief
from alcf_jupyter.typed import typed

if TYPE_CHECKING:
    import pandas as pd

    from alcf_jupyter.connection.record.cell import Cell
    from alcf_jupyter.prompt.reply import Reply

LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class Turn:
    """A prompt and its answer, and the cell they belong to.

    Attributes
    ----------
    asked
        The content of the user's message: a text, or a list of parts with images.
    answered
        The text of the answer; its reasoning is not kept, since the gateway refuses it.
    """

    asked: str | list[dict[str, Any]]
    answered: str
    model: str
    cell: Cell

    @property
    def prompt(self) -> str:
        """The text that was asked."""
        if isinstance(self.asked, str):
            return self.asked
        return " ".join(part["text"] for part in self.asked if part["type"] == "text")


@dataclass(slots=True)
class Thread:
    """A conversation: its system prompt and its turns."""

    name: str
    system: str | None = None
    turns: list[Turn] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a thread a new turn goes.

    Attributes
    ----------
    before
        The turns that the model is reminded of.
    dropped
        How many other cells' turns came later, and go when this one is answered.
    """

    name: str
    system: str | None
    before: tuple[Turn, ...]
    dropped: int
    cell: Cell

    def messages(self) -> list[dict[str, Any]]:
        """Return the earlier turns as the service takes them: role and content only."""
        found: list[dict[str, Any]] = []
        for turn in self.before:
            found.append({"role": "user", "content": turn.asked})
            found.append({"role": "assistant", "content": turn.answered})
        return found

    @property
    def remark(self) -> str:
        """What is to be said about this place, in words."""
        words = f"thread {self.name}, turn {len(self.before) + 1}"
        if self.dropped:
            words += f" ({self.dropped} later {'turn' if self.dropped == 1 else 'turns'} dropped)"
        return words

    def keep(self, asked: str | list[dict[str, Any]], reply: Reply) -> None:
        """Add the turn if it was answered in full; else the thread stays as it was."""
        if not (reply.complete and reply.text):
            return
        turn = Turn(asked, reply.text, reply.model, self.cell)
        _threads[self.name] = Thread(self.name, self.system, [*self.before, turn])


_threads: dict[str, Thread] = {}


def place(name: str, system: str | None = None, *, fresh: bool = False) -> Place:
    """Return where in the thread `name` the running cell's turn goes.

    A cell that is run again replaces its own turn, and what followed it no longer follows.

    Parameters
    ----------
    name
        The thread; it begins with its first turn.
    system
        Its system prompt from now on, ``""`` for none; None leaves the one it has.
    fresh
        Begin it anew.

    Raises
    ------
    UsageError
        The name cannot be one.
    """
    if not isinstance(name, str) or not name.strip() or brief(name, LONGEST_NAME) != name:
        raise UsageError(
            f"{brief(repr(name), 60)} cannot be the name of a thread.",
            do=f"Write:  {typed(thread='study')}",
        )
    known = _threads.get(name) or Thread(name)
    cell = running()
    if fresh:
        return Place(name, system, (), 0, cell)
    mine = [
        n
        for n, turn in enumerate(known.turns)
        if cell.id is not None and turn.cell.id == cell.id and turn.cell.run != cell.run
    ]
    cut = mine[0] if mine else len(known.turns)
    dropped = sum(turn.cell.id != cell.id for turn in known.turns[cut:])
    told = known.system if system is None else system
    return Place(name, told, tuple(known.turns[:cut]), dropped, cell)


def names() -> list[str]:
    """Return the names of the threads of this kernel."""
    return list(_threads)


def turns(name: str) -> list[Turn]:
    """Return the turns of a thread.

    Raises
    ------
    UsageError
        There is no such thread; the message names the nearest.
    """
    if name not in _threads:
        near = nearest(str(name), _threads)
        raise UsageError(
            f"There is no thread {brief(name, 60)!r}.",
            do=f"Did you mean:  {near[0]}" if near else "See them:  %alcf threads",
        )
    return list(_threads[name].turns)


def threads(name: str | None = None) -> pd.DataFrame:
    """Return the threads of this kernel, or the turns of one.

    Parameters
    ----------
    name
        A thread; all of them where not given.

    Returns
    -------
    pandas.DataFrame
        Of each thread: ``thread``, ``turns``, ``last_prompt``. Of each turn: ``turn``, ``prompt``,
        ``answer``, ``model``.

    Raises
    ------
    UsageError
        There is no such thread.
    """
    import pandas as pd

    if name is not None:
        rows = [
            (number, turn.prompt, turn.answered, turn.model)
            for number, turn in enumerate(turns(name), 1)
        ]
        frame = pd.DataFrame(rows, columns=["turn", "prompt", "answer", "model"])
        return frame.set_index("turn")
    told = [(t.name, len(t.turns), brief(t.turns[-1].prompt, 60)) for t in _threads.values()]
    return pd.DataFrame(told, columns=["thread", "turns", "last_prompt"]).set_index("thread")
