"""What each row of a table asks: its prompt and its image, or why nothing is sent for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames import tables
from alcf_jupyter.frames.tables import Unfit
from alcf_jupyter.plain import counted
from alcf_jupyter.prompt.column_template import parse
from alcf_jupyter.typed import typed


@dataclass(slots=True)
class Prompted:
    """The rows of a table: the prompt of each, or why there is none.

    Attributes
    ----------
    prompts
        One for each row.
    images
        One for each row; None where there is no column of them.
    marks
        Their hashes.
    columns
        The columns that are sent, by their names.
    """

    prompts: list[str | Unfit]
    images: list[Any] | None = None
    marks: list[str] = field(default_factory=list)
    columns: tuple[str, ...] = ()


def prompts_of(table: pd.DataFrame, template: str, images: Any = None) -> Prompted:
    """Return what each row asks."""
    made = parse(template, list(table.columns), rows_differ=images is not None)
    cells = {name: tables.texts(tables.column(table, name), formats=True) for name in made.columns}
    prompts: list[str | Unfit] = []
    for at in range(len(table)):
        row = {name: values[at] for name, values in cells.items()}
        unfit = [(name, one) for name, one in row.items() if isinstance(one, Unfit)]
        if unfit:
            name, one = min(unfit, key=lambda pair: pair[1].status)  # failed before skipped
            prompts.append(Unfit(one.status, f"{one.reason} in {name!r}"))
            continue
        prompt = made.fill({name: one for name, one in row.items() if isinstance(one, str)})
        weight = tables.size(prompt)
        prompts.append(weight if isinstance(weight, Unfit) else prompt)
    rows = Prompted(prompts, columns=made.columns)
    return rows if images is None else _with_images(table, rows, images)


def _with_images(table: pd.DataFrame, rows: Prompted, images: Any) -> Prompted:
    if isinstance(images, str):
        shown = tables.column(table, images)
        rows = replace(rows, columns=tuple(dict.fromkeys((*rows.columns, images))))
    elif isinstance(images, Iterable):
        shown = pd.Series(list(images), dtype=object)
    else:
        raise UsageError(
            f"images= is a column, and not {type(images).__name__}; nothing was sent.",
            do="Name a column of the table:  images='figure'",
        )
    if len(shown) != len(table):
        raise UsageError(
            f"The images are {len(shown):,}, for {counted(len(table), 'row')}; nothing was sent.",
            do=f"Name a column of the table:  {typed(images='figure')}",
        )
    made = replace(rows, images=shown.tolist())
    for at, image in enumerate(shown):
        found = _mark(image)
        made.marks.append(found if isinstance(found, str) else "")
        if isinstance(found, Unfit) and not isinstance(made.prompts[at], Unfit):
            made.prompts[at] = found
    return made


def _mark(image: Any) -> str | Unfit:
    from alcf_jupyter.prompt.images import fingerprint

    if image is None or (pd.api.types.is_scalar(image) and pd.isna(image)):
        return Unfit("skipped", "no image")
    try:
        return fingerprint(image)
    except UsageError as error:
        return Unfit("failed", error.what)
