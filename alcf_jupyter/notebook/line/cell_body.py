"""The text of a cell: what stands below the options, or behind them on one line."""

from __future__ import annotations

from alcf_jupyter.errors import UsageError
from alcf_jupyter.plain import brief


def body(magic: str, rest: str, cell: str | None, example: str) -> str:
    """Return the text under the options, or behind them where there is only one line.

    Parameters
    ----------
    magic
        What was typed, such as ``%%alcf_chat``.
    rest
        What follows the options on their line.
    cell
        What stands below; None for a line of its own.
    example
        A text, for the message.

    Raises
    ------
    UsageError
        There is none, or something follows the options of a cell.
    """
    if cell is None:
        text = rest
    elif rest:
        raise _misplaced(magic, rest, cell)
    else:
        text = cell
    if not text.strip():
        raise UsageError("The cell is empty.", do=f"Write it like:\n  {magic}\n  {example}")
    return text.strip("\n")


def _misplaced(magic: str, rest: str, cell: str) -> UsageError:
    first, *others = rest.split()
    if not others and cell.strip() and _is_model(first):
        return UsageError(
            f"The model goes behind -m; {brief(first, 60)!r} alone is not an option.",
            do=f"Write it like:  {magic} -m {first}",
        )
    return UsageError(
        f"{brief(first, 60)!r} is not an option of {magic}; the text goes below it.",
        do=f"Write it like:\n  {magic}\n  {brief(rest, 60)}",
    )


def _is_model(word: str) -> bool:
    """Tell whether a word is a model or an alias, as far as is known without asking the service."""
    from alcf_jupyter.connection import session

    now = session.current()
    if word in now.aliases or word.count("/") == 1:
        return True
    known = now.client.known.models if now.client else ()
    return any(word.casefold() == model.id.casefold() for model in known)
