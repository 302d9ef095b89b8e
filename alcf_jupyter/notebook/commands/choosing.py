"""%alcf use: the models to use where none is named, and their short names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alcf_jupyter.errors import UsageError
from alcf_jupyter.notebook.commands import status
from alcf_jupyter.notebook.line import options
from alcf_jupyter.typed import USE, on_a_line

if TYPE_CHECKING:
    from collections.abc import Sequence

_FLAGS = {"--chat": "chat", "--embed": "embed"}
_EXAMPLE = "Type:  %alcf use MODEL   or   %alcf use --chat MODEL --embed MODEL"


@dataclass(slots=True)
class _Choice:
    """A model, the cells it is for, and the short name it is to have."""

    model: str
    kinds: list[str]
    alias: str | None = None


def use(line: str) -> str:
    """Choose the models: ``%alcf use [--chat | --embed] MODEL [as NAME]``."""
    from alcf_jupyter.connection import session

    options.use_parser().read(line)  # names an option that there is not
    choices = _choices(line.split())
    if not choices:
        return status.lines(status.defaults())
    by_kind = {kind: choice.model for choice in choices for kind in choice.kinds}
    if len(by_kind) < sum(len(choice.kinds) for choice in choices):
        raise UsageError("%alcf use takes one model for each kind of cell.", do=_EXAMPLE)
    for choice in choices:
        session.check_alias(choice.alias)
    told = []
    with on_a_line(USE):
        now = session.use(**by_kind)  # all are known before any is set
        for choice in choices:
            if choice.alias:
                session.use(**{choice.kinds[0]: choice.model}, alias=choice.alias)
            cells = " and ".join(f"{kind} cells" for kind in choice.kinds)
            called = f", and is called {choice.alias}" if choice.alias else ""
            told.append(f"{now[choice.kinds[0]]} answers {cells}{called}.")
    return "\n".join(told)


def _choices(words: Sequence[str]) -> list[_Choice]:
    """Read ``[--chat] A [as a] --embed B``; a flag at the end belongs to the model before it."""
    found: list[_Choice] = []
    kinds: list[str] = []
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if word in _FLAGS:
            kinds.append(_FLAGS[word])
        elif word == "as" and found and found[-1].alias is None and at < len(words):
            found[-1].alias = words[at]
            at += 1
        else:
            found.append(_Choice(word, kinds))
            kinds = []
    if kinds and found and not found[-1].kinds:
        found[-1].kinds = kinds
    elif kinds:
        raise UsageError(f"--{kinds[-1]} needs a model behind it.", do=_EXAMPLE)
    for choice in found:
        choice.kinds = choice.kinds or ["chat"]
    return found
