"""``{{expression}}`` in a prompt, evaluated where the user's own code runs."""

from __future__ import annotations

import builtins
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alcf_jupyter.errors import TemplateError, nearest
from alcf_jupyter.plain import brief

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import CodeType

SHOWN_ROWS = 20
SHOWN_CHARACTERS = 100_000
_MOST_ENDS = 100
_OPTION = re.compile(r"\s--?[A-Za-z]")
"""So many ``}}`` are tried as the end of a slot: a dict in a dict needs a few."""


@dataclass(frozen=True, slots=True)
class Slot:
    """An ``{{expression}}``: its source and its code."""

    source: str
    code: CodeType


def parse(template: str) -> Iterator[str | Slot]:
    r"""Cut a template into literal text and slots.

    A slot ends at the first ``}}`` that makes its inside a Python expression, so that a dict or a
    nested set inside it works. ``\{{`` stands for ``{{`` itself.

    Raises
    ------
    TemplateError
        A ``{{`` has no end, or what stands inside is no expression.
    """
    at = 0
    while (start := template.find("{{", at)) >= 0:
        if start > at and template[start - 1] == "\\":
            yield template[at : start - 1] + "{{"
            at = start + 2
            continue
        if start > at:
            yield template[at:start]
        slot, at = _slot(template, start)
        yield slot
    if at < len(template):
        yield template[at:]


def _slot(template: str, start: int) -> tuple[Slot, int]:
    first = end = template.find("}}", start + 2)
    for _ in range(_MOST_ENDS):
        if end < 0:
            break
        source = template[start + 2 : end].strip()
        try:
            return Slot(source, _compiled(source)), end + 2
        except ValueError:
            end = template.find("}}", end + 1)
    inside = template[start + 2 : first if first >= 0 else start + 60]
    what = "has no end" if first < 0 else "is not a Python expression"
    raise TemplateError(
        f"{{{{{brief(inside, 60)} {what}; nothing was sent.",
        why="Text between double braces is evaluated in the notebook.",
        do=r"For braces as they are write \{{, or add:  --no-vars",
    )


def _compiled(source: str) -> CodeType:
    """Return the code of an expression; raises ValueError for whatever is none."""
    try:
        return compile(source, "<prompt>", "eval", dont_inherit=True)
    except (SyntaxError, MemoryError, RecursionError) as error:  # the last two: nested too deep
        raise ValueError from error


def fill(template: str, namespace: Mapping[str, Any], *, lines: bool = False) -> str:
    """Return `template` with the value of each ``{{expression}}`` put in its place, once.

    Parameters
    ----------
    template
        The text.
    namespace
        Where names are looked up.
    lines
        Whether each line stands for itself: a table or a list, which would be cut or written out
        as Python does, is then refused.

    Raises
    ------
    TemplateError
        A name is not defined, or an expression fails; nothing of it was sent.
    """
    # read to its end first: nothing is evaluated for a prompt that is not sent
    parts = list(parse(template))
    return "".join(
        part if isinstance(part, str) else _shown(part, namespace, lines=lines) for part in parts
    )


def evaluate(expression: str, namespace: Mapping[str, Any]) -> Any:
    """Return the value of one expression; raises as `fill` does."""
    try:
        code = _compiled(expression.strip())
    except ValueError:
        late = _OPTION.search(expression)
        hint = "Options go first:  %alcf_embed -m MODEL df['text']" if late else ""
        raise TemplateError(
            f"{brief(expression, 60)!r} is not a Python expression; nothing was sent.",
            do=hint or "Name a list or a column, such as:  %alcf_embed df['text']",
        ) from None
    return _value(Slot(expression.strip(), code), namespace)


def _shown(slot: Slot, namespace: Mapping[str, Any], *, lines: bool = False) -> str:
    value = _value(slot, namespace)
    if lines and not isinstance(value, str) and hasattr(value, "__len__"):
        raise TemplateError(
            f"{{{{{brief(slot.source, 60)}}}}} holds many values, and a line is one text.",
            why="Nothing was sent.",
            do=f"A column goes on a line of its own:  %alcf_embed {brief(slot.source, 60)}",
        )
    try:
        return show(value)
    except Exception as error:  # noqa: BLE001 - the value's own code writes it out
        raise _failed(slot, error) from None


def _value(slot: Slot, namespace: Mapping[str, Any]) -> Any:
    try:
        # the one place where a text is evaluated: it is the user's own, in the user's own cell
        return eval(slot.code, dict(namespace))  # noqa: S307
    except NameError as error:
        name = error.name or slot.source
        own = [n for n in namespace if isinstance(n, str) and not n.startswith("_")]
        near = [*nearest(name, own, 2), *nearest(name, dir(builtins), 1)]
        raise TemplateError(
            f"{{{{{brief(slot.source, 60)}}}}}: the name {brief(name, 60)!r} is not defined; "
            "nothing was sent.",
            do=f"Did you mean:  {'  or  '.join(f'{{{{{n}}}}}' for n in near)}"
            if near
            else r"To send it as it is write \{{",
        ) from None
    except Exception as error:  # noqa: BLE001 - the user's own code can raise anything
        raise _failed(slot, error) from None


def _failed(slot: Slot, error: Exception) -> TemplateError:
    return TemplateError(
        f"{{{{{brief(slot.source, 60)}}}}} failed with {type(error).__name__}; nothing was sent.",
        why=brief(error),
        do=f"Try it in a cell of its own:  {brief(slot.source, 80)}",
    )


def show(value: Any) -> str:
    """Return a value as it stands in a prompt; tables and arrays only up to a size."""
    pandas, numpy = sys.modules.get("pandas"), sys.modules.get("numpy")
    if pandas is not None and isinstance(value, (pandas.DataFrame, pandas.Series)):
        note = f"\n(showing {SHOWN_ROWS} of {len(value):,} rows)"
        table = _capped(value.head(SHOWN_ROWS).to_string())
        return f"{table}{note if len(value) > SHOWN_ROWS else ''}"
    if numpy is not None and isinstance(value, numpy.ndarray):
        text = _capped(numpy.array2string(value, threshold=200, edgeitems=5))
        note = f"\n(an array of shape {value.shape}, shortened)"
        return f"{text}{note if value.size > 200 else ''}"
    return str(value) if isinstance(value, str) else _capped(str(value))


def _capped(text: str) -> str:
    if len(text) <= SHOWN_CHARACTERS:
        return text
    return text[:SHOWN_CHARACTERS] + f"\n(showing {SHOWN_CHARACTERS:,} of {len(text):,} characters)"
