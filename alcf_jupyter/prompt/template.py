"""``{{expression}}`` in a prompt, evaluated where the user's own code runs."""

from __future__ import annotations

import ast
import builtins
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alcf_jupyter.errors import TemplateError
from alcf_jupyter.names import nearest
from alcf_jupyter.plain import brief

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import CodeType

SHOWN_ROWS = 20
SHOWN_CHARACTERS = 100_000
_SHOWN_NUMBERS = 200
_MOST_KEYS = 10_000
_MOST_ENDS = 100
"""So many ``}}`` are tried as the end of a slot: a dict in a dict needs a few."""

_OPTION = re.compile(r"\s--?[A-Za-z]")
_BRACES = r"For braces as they are write \{{ instead, or add --no-vars to the options."
"""What LaTeX and templates of other languages need."""


@dataclass(frozen=True, slots=True)
class Slot:
    """An ``{{expression}}``: its source and its code."""

    source: str
    code: CodeType

    @property
    def shown(self) -> str:
        """The slot as it is written."""
        return f"{{{{{brief(self.source, 60)}}}}}"


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
    inside = brief(template[start + 2 : first if first >= 0 else start + 60], 60)
    shown = (
        f"{{{{{inside} has no end, which is }}}}"
        if first < 0
        else f"{{{{{inside}}}}} is not a Python expression"
    )
    raise TemplateError(
        f"{shown}; nothing was sent.",
        why="What stands between double braces is evaluated in the notebook.",
        do=_BRACES,
    )


def _compiled(source: str) -> CodeType:
    """Return the code of an expression; raises ValueError for whatever is none."""
    try:
        return compile(source, "<prompt>", "eval", dont_inherit=True)
    except (SyntaxError, MemoryError, RecursionError) as error:  # the last two: nested too deep
        raise ValueError from error


def fill(
    template: str,
    namespace: Mapping[str, Any],
    *,
    lines: bool = False,
    remarks: list[str] | None = None,
) -> str:
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
    remarks
        Is given a line for each value that was too large to be put in whole.

    Raises
    ------
    TemplateError
        A name is not defined, or an expression fails; nothing of it was sent.
    """
    # read to its end first: nothing is evaluated for a prompt that is not sent
    parts = list(parse(template))
    told: list[str] = [] if remarks is None else remarks
    return "".join(
        part if isinstance(part, str) else _shown(part, namespace, told, lines=lines)
        for part in parts
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


def _shown(
    slot: Slot, namespace: Mapping[str, Any], remarks: list[str], *, lines: bool = False
) -> str:
    value = _value(slot, namespace)
    if lines and not isinstance(value, str) and hasattr(value, "__len__"):
        raise TemplateError(
            f"{slot.shown} holds many values, and a line is one text.",
            why="Nothing was sent.",
            do=f"A column goes on a line of its own:  %alcf_embed {brief(slot.source, 60)}",
        )
    try:
        text, cut = _cut(value)
    except Exception as error:  # noqa: BLE001 - the value's own code writes it out
        raise _failed(slot, error) from None
    if cut:
        remarks.append(f"{slot.shown}: {cut}")
    return text


def _value(slot: Slot, namespace: Mapping[str, Any]) -> Any:
    try:
        # the one place where a text is evaluated: it is the user's own, in the user's own cell
        return eval(slot.code, dict(namespace))  # noqa: S307
    except NameError as error:
        name = error.name or slot.source
        own = [n for n in namespace if isinstance(n, str) and not n.startswith("_")]
        near = nearest(name, own, 2) or nearest(name, dir(builtins), 1, likeness=0.8)
        raise TemplateError(
            f"{slot.shown}: the name {brief(name, 60)!r} is not defined; nothing was sent.",
            why=f"Did you mean:  {'  or  '.join(f'{{{{{n}}}}}' for n in near)}" if near else "",
            do=_BRACES,
        ) from None
    except KeyError as error:
        raise _missing(slot, namespace, error) from None
    except Exception as error:  # noqa: BLE001 - the user's own code can raise anything
        raise _failed(slot, error) from None


def _missing(slot: Slot, namespace: Mapping[str, Any], error: KeyError) -> TemplateError:
    """Return what is said of a key or a column that is not there: the nearest that is."""
    key = error.args[0] if error.args else None
    for part in ast.walk(ast.parse(slot.source, mode="eval")):
        match part:
            # a name's value is looked at; anything else would have to be evaluated once more
            case ast.Subscript(ast.Name(holder), ast.Constant(str(asked))) if asked == key:
                near = nearest(asked, _keys(namespace.get(holder)), 2)
                return TemplateError(
                    f"{slot.shown}: there is no {brief(repr(key), 60)} in {brief(holder, 60)}; "
                    "nothing was sent.",
                    why=f"Did you mean:  {'  or  '.join(f'{holder}[{one!r}]' for one in near)}"
                    if near
                    else "",
                    do=f"See what there is:  list({holder})",
                )
    return _failed(slot, error)


def _keys(holder: Any) -> list[str]:
    """Return the columns of a table, or the keys of a mapping, that are texts."""
    try:
        return [key for key in list(holder.keys())[:_MOST_KEYS] if isinstance(key, str)]
    except Exception:  # noqa: BLE001 - it is the user's own object
        return []


def _failed(slot: Slot, error: Exception) -> TemplateError:
    return TemplateError(
        f"{slot.shown} failed with {type(error).__name__}; nothing was sent.",
        why=f"It has no {brief(error)}." if isinstance(error, KeyError) else brief(error),
        do=f"Try it in a cell of its own. {_BRACES}",
    )


def show(value: Any) -> str:
    """Return a value as it stands in a prompt; tables and arrays only up to a size."""
    return _cut(value)[0]


def _cut(value: Any) -> tuple[str, str]:
    """Return a value as it stands in a prompt, and in words what was left out of it."""
    pandas, numpy = sys.modules.get("pandas"), sys.modules.get("numpy")
    if pandas is not None and isinstance(value, (pandas.DataFrame, pandas.Series)):
        text, cut = _capped(value.head(SHOWN_ROWS).to_string())
        if len(value) > SHOWN_ROWS:
            cut = f"{SHOWN_ROWS} of {len(value):,} rows"
            text += f"\n(showing {cut})"
        return text, cut
    if numpy is not None and isinstance(value, numpy.ndarray):
        text, cut = _capped(numpy.array2string(value, threshold=_SHOWN_NUMBERS, edgeitems=5))
        if value.size > _SHOWN_NUMBERS:
            cut = "an array, shortened"
            text += f"\n(an array of shape {value.shape}, shortened)"
        return text, cut
    return (str(value), "") if isinstance(value, str) else _capped(str(value))


def _capped(text: str) -> tuple[str, str]:
    if len(text) <= SHOWN_CHARACTERS:
        return text, ""
    cut = f"{SHOWN_CHARACTERS:,} of {len(text):,} characters"
    return f"{text[:SHOWN_CHARACTERS]}\n(showing {cut})", cut
