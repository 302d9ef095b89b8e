"""``{{column}}`` in the prompt of a column: names of columns only, and nothing is evaluated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alcf_jupyter.errors import TemplateError
from alcf_jupyter.names import nearest
from alcf_jupyter.plain import brief

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class ColumnTemplate:
    """A prompt with the names of columns in it.

    Attributes
    ----------
    source
        As it was written.
    parts
        Literal text and names of columns, by turns: text first, and text last.
    """

    source: str
    parts: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The names in it, each once, in the order of their first use."""
        return tuple(dict.fromkeys(self.parts[1::2]))

    def fill(self, values: Mapping[str, str]) -> str:
        """Return the prompt of one row, each value put in once and never expanded again.

        Parameters
        ----------
        values
            The text of each of `columns`.
        """
        filled = list(self.parts)
        filled[1::2] = [values[name] for name in filled[1::2]]
        return "".join(filled)


def parse(template: Any, columns: Sequence[object], *, rows_differ: bool = False) -> ColumnTemplate:
    r"""Return a prompt with ``{{column}}`` read as names of `columns`; ``\{{`` is ``{{`` itself.

    Parameters
    ----------
    template
        The prompt.
    columns
        The labels of a frame's columns; one that is no text is meant by what it prints as.
    rows_differ
        Whether each row has something else to show, as an image: no column has to be named then.

    Raises
    ------
    TemplateError
        There is no such column, a ``{{`` has no end, no column is named at all, or the prompt is
        empty.
    """
    if not isinstance(template, str):
        raise TemplateError(
            f"The prompt of a column is a text, not {type(template).__name__}.",
            do=f"Write:  'Classify: {_example(columns)}'",
        )
    known = {str(label): None for label in columns}
    parts, text, at = [], "", 0
    while (start := template.find("{{", at)) >= 0:
        if start > at and template[start - 1] == "\\":
            text += template[at : start - 1] + "{{"
            at = start + 2
            continue
        end = template.find("}}", start + 2)
        if end < 0:
            raise TemplateError(
                f"{brief(template[start : start + 60], 60)} has no end; nothing was sent.",
                do=r"Close it with }}, or for braces as they are write \{{",
            )
        parts += [text + template[at:start], _named(template[start + 2 : end], known)]
        text, at = "", end + 2
    parts.append(text + template[at:])
    if not template.strip():
        raise TemplateError(
            "The prompt is empty; nothing was sent.", do=f"Write:  'Classify: {_example(columns)}'"
        )
    if len(parts) == 1 and not rows_differ:
        raise TemplateError(
            "The prompt names no column, so that every row would ask the same; nothing was sent.",
            do=f"Name one in double braces:  {_example(columns)}",
        )
    return ColumnTemplate(template, tuple(parts))


def _named(inside: str, known: Mapping[str, None]) -> str:
    for name in (inside, inside.strip()):
        if name in known:
            return name
    near = nearest(inside.strip(), known)
    raise TemplateError(
        f"There is no column {brief(inside.strip(), 60)!r}; nothing was sent.",
        why=f"The columns are: {brief(', '.join(known), 200)}." if known else "",
        do=f"Did you mean:  {'  or  '.join(f'{{{{{name}}}}}' for name in near)}"
        if near
        else r"Name one of them, or for braces as they are write \{{",
    )


def _example(columns: Sequence[object]) -> str:
    return "{{" + (brief(columns[0], 40) if len(columns) else "column") + "}}"
