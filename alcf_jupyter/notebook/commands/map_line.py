"""%alcf map: a prompt over every row of a table, on one line."""

from __future__ import annotations

import ast
import shlex
from typing import TYPE_CHECKING, Any, Final

from IPython.core.getipython import get_ipython

from alcf_jupyter.errors import UsageError
from alcf_jupyter.notebook.line import named, options
from alcf_jupyter.notebook.line.parser import TOKEN
from alcf_jupyter.plain import brief
from alcf_jupyter.progress import SilentObserver
from alcf_jupyter.typed import MAP, on_a_line

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping

_EXAMPLE: Final = 'Write it like:  %alcf map df "Classify: {{title}}" -m MODEL -o labels'


def map_(line: str) -> Any:
    """Ask about every row of a table: ``%alcf map df "Classify: {{title}}" -m MODEL [-o NAME]``."""
    chosen, rest = options.map_parser().read(line)
    named.check_result(chosen.out)
    shell = get_ipython()
    space: dict[str, Any] = {} if shell is None else shell.user_ns
    expression, prompt = _split(rest)
    template = _template(prompt, space)
    data = _value(expression, space)
    with on_a_line(MAP):
        settings = _settings(chosen, space)
        if chosen.dry_run:
            return _rehearse(data, template, settings)
        result = _map(data, template, settings)
    if chosen.out:
        space[chosen.out] = result
    return result


def _map(data: Any, template: str, settings: dict[str, Any]) -> Any:
    from alcf_jupyter.frames.column import map as over_rows

    return over_rows(data, template, **settings)


def _rehearse(data: Any, template: str, settings: dict[str, Any]) -> Any:
    from alcf_jupyter.frames.estimate import estimate

    return estimate(data, template, **settings)


def _settings(chosen: Namespace, space: Mapping[str, Any]) -> dict[str, Any]:
    given = {
        "timeout": chosen.timeout,
        "checkpoint": chosen.checkpoint,
        "concurrency": chosen.concurrency,
        "on_error": chosen.on_error,
        "out": chosen.file,
        "prefix": chosen.prefix,
        "via": chosen.via,
        "folder": chosen.folder,
        "observer": SilentObserver() if chosen.quiet else None,
    }
    settings = {
        "model": chosen.model,
        "cluster": chosen.cluster,
        "system": named.system(chosen),
        "schema": None if chosen.schema is None else named.value(chosen.schema, space),
        "images": chosen.image,
        "wait": not chosen.no_wait,
        "fresh": chosen.fresh,
        "background": chosen.bg,
        **{name: value for name, value in given.items() if value is not None},
    }
    return options.with_parameters(settings, chosen, "map")


def _split(rest: str) -> tuple[str, str]:
    """Return the table's expression and the prompt, which is the last word or quotation."""
    at = last = 0
    while token := TOKEN.match(rest, at):
        last, at = token.start(1), token.end()
        _words(token[1])
    expression, prompt = rest[:last].strip(), rest[last:].strip()
    if not expression:
        missing = "a prompt" if prompt else "a table and a prompt"
        raise UsageError(f"%alcf map lacks {missing}.", do=_EXAMPLE)
    return expression, prompt


def _template(prompt: str, space: Mapping[str, Any]) -> str:
    """Return the template: what is quoted, or the variable that holds it."""
    if prompt[0] in "\"'":
        return " ".join(_words(prompt))
    found = _value(prompt, space)
    if not isinstance(found, str):
        raise UsageError(
            f"The prompt is a text, and {brief(prompt, 60)} is not.",
            why="It stands last on the line, within quotation marks.",
            do=_EXAMPLE,
        )
    return found


def _words(token: str) -> list[str]:
    """Return what is within quotation marks, or raise where one is not closed."""
    try:
        return shlex.split(token)
    except ValueError:
        raise UsageError("A quotation mark is not closed.", do=_EXAMPLE) from None


def _value(expression: str, space: Mapping[str, Any]) -> Any:
    from alcf_jupyter.prompt.template import evaluate

    try:
        ast.parse(expression, mode="eval")
    except (SyntaxError, ValueError):
        raise UsageError(
            f"{brief(expression, 60)!r} is not a Python expression; nothing was sent.", do=_EXAMPLE
        ) from None
    return evaluate(expression, dict(space))
