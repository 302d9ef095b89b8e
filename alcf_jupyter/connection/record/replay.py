"""alcf.replay: record what the service answers, and later answer from the record alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from alcf_jupyter.connection.record import variable
from alcf_jupyter.connection.record.tape import Tape
from alcf_jupyter.connection.record.variable import ENV_REPLAY
from alcf_jupyter.errors import AlcfError, ReplayError, UsageError
from alcf_jupyter.service.dialect import Answer, Piece
from alcf_jupyter.user_warning import warn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Sequence
    from typing import TypeVar

    from alcf_jupyter.connection.call import Call

    T = TypeVar("T")
    E = TypeVar("E")

DEFAULT_PATH = "alcf_replay.json"
MODES = ("record", "only", "off")
_TO_ASK = "To ask the service again:  "

_tape: Tape | None = None
_looked = False


def replay(
    mode: Literal["record", "only", "off"], path: str | os.PathLike[str] | None = None
) -> None:
    """Record the service's answers, or answer from the record alone.

    Parameters
    ----------
    mode
        ``"record"``: ask the service as always, and keep each answer. ``"only"``: answer from the
        file; nothing is sent, so that neither network nor account nor sandbox is needed.
        ``"off"``: neither. The environment variable ``ALCF_JUPYTER_REPLAY`` wins over it, so that
        a notebook that records is tested as it is; a warning says so where it wins over ``"off"``.
    path
        The file, ``alcf_replay.json`` unless given. It holds prompts and answers, but no token,
        and only its owner can read it.

    Raises
    ------
    ReplayError
        The file cannot be used.
    UsageError
        There is no such mode.
    """
    global _tape, _looked
    outside, outer_path = variable.asked()
    chosen = outside or mode
    if chosen not in MODES:
        raise UsageError(
            f"There is no replay mode {chosen!r}; there are {', '.join(MODES)}.",
            do="Type:  " + variable.then("alcf.replay('record', 'answers.json')"),
        )
    if mode == "off" != chosen:
        warn(variable.overruling())
        return
    file, failed = _path(path or outer_path or DEFAULT_PATH), None
    if _tape is not None:
        try:
            _tape.close()  # before the file is read: it may be the same one
        except ReplayError as error:
            failed = error  # told once it is of no more consequence
    _tape, _looked = _made(chosen, file), True
    if failed is not None:
        raise failed


def active() -> Tape | None:
    """Return the tape that records or plays, None where there is none."""
    global _looked  # noqa: PLW0603 - as above
    if not _looked:
        mode, path = variable.asked()
        if mode == "only" and not (file := _path(path or DEFAULT_PATH)).exists():
            raise ReplayError(
                f"{ENV_REPLAY}={mode} asks for recorded answers, but there is no {file}.",
                why="A notebook that names another file has to do so before it asks anything.",
                do=f"Begin with:  alcf.replay('record', PATH)   or set:  {ENV_REPLAY}=only:PATH",
            )
        if mode:
            replay(cast("Any", mode))
        _looked = True
    return _tape


def plays() -> bool:
    """Tell whether nothing is to be sent; the file itself need not have been named yet."""
    return _tape is not None and _tape.mode == "only" if _looked else variable.asked()[0] == "only"


def playing() -> Tape | None:
    """Return the tape if it plays: then nothing is sent."""
    tape = active()
    return tape if tape and tape.mode == "only" else None


def steps(
    service: str, call: Call, start: Callable[[], Generator[E, None, T]]
) -> Generator[E | Piece, None, T]:
    """Run what `start` begins and record what comes of it; or play it, without beginning anything.

    Parameters
    ----------
    service
        Who is asked.
    call
        What is asked.
    start
        Begins to ask.

    Raises
    ------
    ReplayError
        It is played, and was not recorded.
    """
    tape = active()
    if tape is None:
        return (yield from start())
    if tape.mode == "only":
        value, error = tape.play(service, call)
        if isinstance(value, Answer) and (value.text or value.reasoning):
            yield Piece(value.text, value.reasoning)
        if error is not None:
            raise error
        return cast("T", value)
    try:
        found = yield from start()
    except AlcfError as error:
        tape.keep(service, call, error)
        raise
    tape.keep(service, call, cast("Any", found))
    return found


async def one(service: str, call: Call, ask: Callable[[], Awaitable[T]]) -> T:
    """Do on the loop what `steps` does for a caller: ask and record, or play.

    Parameters
    ----------
    service, call
        Who is asked, and what.
    ask
        Asks.
    """
    tape = active()
    if tape is None:
        return await ask()
    if tape.mode == "only":
        value, error = tape.play(service, call)
        if error is not None:
            raise error
        return cast("T", value)
    try:
        found = await ask()
    except AlcfError as error:
        tape.keep(service, call, error)
        raise
    tape.keep(service, call, cast("Any", found))
    return found


def many(
    service: str,
    calls: Sequence[Call],
    ask: Callable[[Sequence[Call]], list[Answer | AlcfError]],
) -> list[Answer | AlcfError]:
    """Do for several calls what `steps` does for one; an error stands in its call's place."""
    tape = active()
    if tape is None:
        return ask(calls)
    if tape.mode == "only":
        played = [tape.play(service, call) for call in calls]
        return [error or cast("Answer", value) for value, error in played]
    found = ask(calls)
    for call, value in zip(calls, found, strict=True):
        tape.keep(service, call, value)
    return found


def pass_over(what: str, instead: str) -> None:
    """Warn, once a recording, that something is not recorded; raise where answers are played.

    Parameters
    ----------
    what, instead
        What is asked in a way that is not recorded, and the way that is.

    Raises
    ------
    ReplayError
        Answers come from a file.
    """
    tape = active()
    if tape is None:
        return
    if tape.mode == "only":
        raise ReplayError(
            f"{what} is not recorded, so that nothing can be played; nothing was sent.",
            why=f"Recorded is {instead}.",
            do=_TO_ASK + variable.then("alcf.replay('off')"),
        )
    if what not in tape.passed_over:
        tape.passed_over.add(what)
        warn(f"{what} is not recorded, and cannot be played. Recorded is {instead}.")


def check_nothing_is_played() -> None:
    """Raise where answers are played: whatever is not recorded is not asked for instead.

    Raises
    ------
    ReplayError
        Answers come from a file.
    """
    if plays():
        raise ReplayError(
            "Nothing is sent while recorded answers are played.",
            do=_TO_ASK + variable.then("alcf.replay('off')"),
        )


def _path(given: str | os.PathLike[str]) -> Path:
    try:
        # what a kernel does in another folder later must not move the file
        return Path(given).expanduser().absolute()
    except TypeError:
        raise UsageError(
            f"A file is named by a text, not by a {type(given).__name__}.",
            do="Type:  alcf.replay('record', 'answers.json')",
        ) from None


def _made(mode: str, path: Path) -> Tape | None:
    if mode == "off":
        return None
    from alcf_jupyter.connection.record.record import Record

    if mode == "only" or path.exists():
        return Tape(mode, Record.read(path))
    if not os.access(path.parent, os.W_OK | os.X_OK):
        # said before anything is asked, whose answer would be lost
        raise ReplayError(
            f"Nothing can be recorded in {path.parent}: it is not there, or not yours to write to.",
            do="Name another file:  alcf.replay('record', PATH)",
        )
    return Tape(mode, Record(path))
