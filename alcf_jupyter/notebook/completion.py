"""Tab completion of the magics: commands, options and their values, clusters and models by state.

Everything offered is in memory. What was never fetched is not offered, rather than waited for.
"""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from IPython.core.completer import SimpleCompletion
from IPython.core.getipython import get_ipython

from alcf_jupyter.notebook.line import options
from alcf_jupyter.notebook.line.parser import Parser

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from IPython.core.completer import CompletionContext, SimpleMatcherResult

    from alcf_jupyter.connection.session import Session
    from alcf_jupyter.service.catalog import Model

_MAGIC = re.compile(r"\s*(?:[\w\s,.\[\]'\"]+=\s*)?(%%?)(alcf(?:_chat|_embed)?)\s+(.*)", re.DOTALL)
_WORD = re.compile(r"""\s*((?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s"'])+)""")
_DURATIONS = ("1m", "5m", "30m", "2h")


@dataclass(slots=True)
class _Typed:
    """What stands on the line before the cursor.

    Attributes
    ----------
    given
        The options that have a value, and those that take none.
    words
        What is no option.
    expecting
        The option whose value comes next.
    fragment
        The word at the cursor, as far as it is typed.
    quoted
        Whether it stands within quotation marks.
    """

    fragment: str
    quoted: bool = False
    given: dict[str, str] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    expecting: str | None = None


def complete(context: CompletionContext) -> SimpleMatcherResult:
    """Complete a line of ``%alcf``, ``%alcf_chat``, ``%%alcf_chat`` or their like."""
    typed = _MAGIC.fullmatch(context.text_until_cursor)
    if typed is None or (typed[1] == "%%" and context.cursor_line > 0):
        return {"completions": []}
    fragment, found = _complete(typed[2], typed[3])
    return {
        "completions": list(found),
        "matched_fragment": fragment,
        "suppress": True,
        "ordered": True,
    }


def _complete(magic: str, line: str) -> tuple[str, Iterable[SimpleCompletion]]:
    if magic == "alcf":
        from alcf_jupyter.notebook.commands.table import COMMANDS

        command, space, rest = line.partition(" ")
        if not space:
            told = [SimpleCompletion(name, type="command") for name in COMMANDS]
            return line, _starting(told, line)
        make = getattr(options, f"{command}_parser", None)
        parser = make() if make else Parser(f"%alcf {command}", "", mixed=True)
        return _arguments(parser, rest.lstrip(), command)
    parser = options.chat_parser() if magic == "alcf_chat" else options.embed_parser()
    return _arguments(parser, line, magic)


def _arguments(parser: Parser, line: str, command: str) -> tuple[str, Iterable[SimpleCompletion]]:
    typed = _read(parser, line)
    flag, equals, value = typed.fragment.partition("=")
    if typed.expecting is None and equals and parser.takes_value.get(flag):
        typed.expecting, typed.fragment = flag, value
    if typed.expecting is not None:
        return typed.fragment, _values(parser, typed, command)
    if typed.quoted or (typed.words and not parser.mixed):
        return typed.fragment, ()  # the text has begun: it is not ours to complete
    if typed.fragment.startswith("-"):
        return typed.fragment, _flags(parser, typed)
    found = list(_positional(command, typed))
    if not typed.fragment:
        found += _flags(parser, typed)
    return typed.fragment, found


def _read(parser: Parser, line: str) -> _Typed:
    fragment = line.rsplit(maxsplit=1)[-1] if line.strip() and not line[-1].isspace() else ""
    typed = _Typed(fragment)
    head = line[: len(line) - len(fragment)]
    if head.count('"') % 2 or head.count("'") % 2:
        typed.words.append(head)
        typed.quoted = True
        return typed
    for word in _WORD.findall(head):
        if typed.expecting is not None:
            typed.given[typed.expecting] = word.strip("\"'")
            typed.expecting = None
            continue
        flag, _, value = word.partition("=")
        if (typed.words and not parser.mixed) or flag not in parser.takes_value:
            typed.words.append(word)
        elif value or not parser.takes_value[flag]:
            typed.given[flag] = value.strip("\"'")
        else:
            typed.expecting = flag
    return typed


def _flags(parser: Parser, typed: _Typed) -> Iterator[SimpleCompletion]:
    for action in parser._actions:  # noqa: SLF001 - argparse lists them nowhere else
        once = type(action).__name__ != "_AppendAction"
        if once and any(flag in typed.given for flag in action.option_strings):
            continue
        for flag in sorted(action.option_strings, key=len, reverse=True):
            if flag.startswith(typed.fragment):
                yield SimpleCompletion(flag, type="option")
                if not typed.fragment:
                    break  # one spelling of each is enough to choose from


def _values(parser: Parser, typed: _Typed, command: str) -> Iterable[SimpleCompletion]:
    flag = typed.expecting or ""
    action = parser._option_string_actions[flag]  # noqa: SLF001 - as above
    if action.choices:
        return _starting(_plain(action.choices, "value"), typed.fragment)
    if action.dest == "model":
        return _or_itself(_models(typed, embedding=command == "alcf_embed"), typed)
    if action.dest == "cluster":
        return _or_itself(_clusters(typed), typed)
    found = _starting(_plain(_words(action.dest), "value"), typed.fragment)
    return [SimpleCompletion(shlex.quote(one.text), type=one.type) for one in found]


def _words(option: str) -> Iterable[str]:
    """Return what an option takes, where that is one of a few words."""
    if option == "timeout":
        return _DURATIONS
    if option == "state":
        from alcf_jupyter.service.catalog import State

        return [str(state) for state in State]
    if option == "can":
        from alcf_jupyter.service.selection import SKILLS

        return SKILLS
    if option == "thread":
        return _threads()
    if option == "status":
        from alcf_jupyter.service.batches import STATUSES

        return ("waiting", *STATUSES)  # the first is this package's own, for the quota
    return ()


def _positional(command: str, typed: _Typed) -> Iterable[SimpleCompletion]:
    if command in ("use", "wait") and not typed.words:
        found = _models(typed, embedding="--embed" in typed.given)
        return _or_itself(found, typed) if typed.fragment else found
    if command == "use":
        return _starting(_plain(["as"] if len(typed.words) == 1 else [], "word"), typed.fragment)
    if command == "runs":
        return _starting(_plain(_runs(typed), "run"), typed.fragment)
    if command == "batches":
        return _starting([] if typed.words else _batches(), typed.fragment)
    offered = _firsts(command) if not typed.words else ()
    return _starting(_plain(offered, command), typed.fragment)


def _firsts(command: str) -> Iterable[str]:
    """Return what the first word behind a command may be."""
    if command == "connect":
        return ("alcf", "sandbox")
    if command == "map":
        return _tables()
    if command == "threads":
        return _threads()
    if command == "help":
        from alcf_jupyter.notebook.commands.table import TOPICS

        return TOPICS
    return ()


def _runs(typed: _Typed) -> Iterable[str]:
    """Return what can be done with a run, then the names of those that were listed last."""
    from alcf_jupyter.notebook.commands.records import ACTIONS

    if not typed.words:
        return ACTIONS
    listed = sys.modules.get("alcf_jupyter.frames.record.run_list")
    named = len(typed.words) == 1 and typed.words[0] in ACTIONS
    return listed.latest if listed and named else ()


def _batches() -> list[SimpleCompletion]:
    """Return the batches that were listed last, with how they were."""
    listed = sys.modules.get("alcf_jupyter.frames.batches")
    known = listed.latest if listed else {}
    return [SimpleCompletion(name, type=state) for name, state in known.items()]


def _threads() -> Iterable[str]:
    """Return the conversations of this kernel."""
    module = sys.modules.get("alcf_jupyter.prompt.threads")
    return module.names() if module else ()


def _tables() -> Iterable[str]:
    """Return the tables of the notebook, by their variables."""
    shell = get_ipython()
    return [
        name
        for name, value in (shell.user_ns if shell else {}).items()
        if hasattr(value, "columns") and not name.startswith("_") and not isinstance(value, type)
    ]


def _or_itself(found: Iterable[SimpleCompletion], typed: _Typed) -> list[SimpleCompletion]:
    """Return what was found; where nothing was, the word as it is.

    IPython would offer keywords and files where nothing is offered, and none of them is a model.
    """
    return list(found) or [SimpleCompletion(typed.fragment, type="see %alcf models")]


def _plain(words: Iterable[Any], kind: str) -> list[SimpleCompletion]:
    return [SimpleCompletion(str(word), type=kind) for word in words]


def _starting(found: Iterable[SimpleCompletion], fragment: str) -> list[SimpleCompletion]:
    return [one for one in found if one.text.casefold().startswith(fragment.casefold())]


def _session() -> Session | None:
    """Return the session, if there is one: to look at it must not make one."""
    module = sys.modules.get("alcf_jupyter.connection.session")
    return module.current() if module else None


def _known() -> tuple[Model, ...]:
    session = _session()
    return session.client.known.models if session and session.client else ()


def _models(typed: _Typed, *, embedding: bool) -> Iterator[SimpleCompletion]:
    """Yield aliases, then models: those that fit the cluster and the cell, the readiest first."""
    session, seen = _session(), set()
    fragment = typed.fragment.casefold()
    for alias in sorted(session.aliases if session else ()):
        if alias.casefold().startswith(fragment):
            yield SimpleCompletion(alias, type="alias")
    cluster = (typed.given.get("-c") or typed.given.get("--cluster") or "").casefold()
    from alcf_jupyter.service.catalog import State

    ranks = {state: rank for rank, state in enumerate(State)}
    here = [m for m in _known() if cluster in ("", m.cluster.casefold())]
    for model in sorted(
        here,
        key=lambda m: (
            not m.id.casefold().startswith(fragment),
            m.looks_like_embedding != embedding,
            ranks[m.state],
            m.id,
        ),
    ):
        if fragment in model.id.casefold() and model.id not in seen:
            seen.add(model.id)
            where = "" if cluster else f" on {model.cluster}"
            yield SimpleCompletion(model.id, type=f"{model.state}{where}")


def _clusters(typed: _Typed) -> Iterator[SimpleCompletion]:
    """Yield clusters with how many models are Live; with ``-m``, those that serve the model."""
    model = typed.given.get("-m") or typed.given.get("--model")
    live: dict[str, int] = {}
    for known in _known():
        if model is None or known.id.casefold() == model.casefold():
            live[known.cluster] = live.get(known.cluster, 0) + (known.state == "Live")
    for cluster, count in live.items():
        if cluster.casefold().startswith(typed.fragment.casefold()):
            yield SimpleCompletion(cluster, type=f"{count} Live")
