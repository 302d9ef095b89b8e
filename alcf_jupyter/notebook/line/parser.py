"""A magic's line, read: options first, with errors of two lines, then the text as it stands."""

from __future__ import annotations

import argparse
import re
import shlex
from typing import TYPE_CHECKING, Any, NoReturn

from alcf_jupyter.errors import UsageError
from alcf_jupyter.names import nearest
from alcf_jupyter.plain import brief

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN = re.compile(r"""\s*((?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s"'])+|\S+)""")
"""A word of a line; within quotation marks it may hold blanks."""

_KINDS: dict[Callable[[str], object], str] = {float: "a number", int: "a whole number"}


class Parser(argparse.ArgumentParser):
    """A parser whose errors are two lines, the second one to type.

    Parameters
    ----------
    magic
        What is typed, such as ``%%alcf_chat``.
    description
        What it does, a sentence.
    words
        What stands on the line besides the options, for its help.
    mixed
        Whether options may also follow words; a prompt is left alone from its first word on.
    """

    def __init__(
        self, magic: str, description: str, *, words: str = "", mixed: bool = False
    ) -> None:
        super().__init__(
            prog=magic, description=description, add_help=False, allow_abbrev=False, usage=None
        )
        self.magic = magic
        self.mixed = mixed
        self.words = words
        self.takes_value: dict[str, bool] = {}

    def option(self, *flags: str, **settings: Any) -> None:
        """Add an option; `settings` are those of `argparse`."""
        self.add_argument(*flags, **settings)
        for flag in flags:
            self.takes_value[flag] = settings.get("action", "store") in ("store", "append")

    def format_usage(self) -> str:
        """Return the line that shows what may be typed; the options follow it in the help."""
        parts = (self.magic, "[options]" if self.takes_value else "", self.words)
        line = " ".join(part for part in parts if part).replace(" \n", "\n")
        return f"usage: {line}\n"

    def format_help(self) -> str:
        """Return the help: the usage, what it does, and each option."""
        made = self._get_formatter()
        made.add_text(self.description)
        for group in self._action_groups:
            made.start_section(group.title)
            made.add_arguments(group._group_actions)  # noqa: SLF001 - as argparse itself does
            made.end_section()
        return f"{self.format_usage()}\n{made.format_help()}"

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        raise UsageError(f"{self.magic}: {message}.", do=self._see)

    @property
    def _see(self) -> str:
        return f"See the options:  %alcf help {self.magic.strip('%').removeprefix('alcf ')}"

    def read(self, line: str) -> tuple[argparse.Namespace, str]:
        """Return the options at the start of `line`, and the text that follows them as it stands.

        Raises
        ------
        UsageError
            An option is unknown (the nearest is named), lacks its value or has a wrong one.
        """
        words: list[str] = []
        plain: list[str] = []
        at = 0
        while token := TOKEN.match(line, at):
            if not token[1].startswith("-") or token[1] == "-":
                if not self.mixed:
                    break
                plain.append(token[1])
                at = token.end()
                continue
            flag, equals, given = token[1].partition("=")
            at = token.end()
            if flag == "--":
                break
            if flag not in self.takes_value:
                flag, given = self._joined(token[1])
            words.append(flag)
            if self.takes_value[flag]:
                if not given:
                    at, given = self._value(flag, line, at)
                self._check_quotes(flag, given, line[at:])
                words[-1] = f"{flag}={self._checked(flag, _unquoted(given))}"
            elif equals:
                self.error(f"{flag} takes no value")
        return self.parse_args(words), " ".join([*plain, line[at:].strip()]).strip()

    def _joined(self, word: str) -> tuple[str, str]:
        """Read ``-n8`` as ``-n 8``, or raise for an option that does not exist."""
        if not word.startswith("--") and self.takes_value.get(word[:2]):
            return word[:2], word[2:]
        flag = word.partition("=")[0]
        near = nearest(flag, self.takes_value)
        raise UsageError(
            f"{self.magic} has no option {brief(flag, 60)}.",
            do=f"Did you mean:  {near[0]}" if near else self._see,
        )

    def _value(self, flag: str, line: str, at: int) -> tuple[int, str]:
        """Return where the value that follows an option ends, and the value."""
        value = TOKEN.match(line, at)
        if value is None or value[1].partition("=")[0] in self.takes_value:
            self.error(f"{flag} needs a value")
        return value.end(), value[1]

    def _check_quotes(self, flag: str, given: str, after: str) -> None:
        """Raise where a quote is opened and not closed: the value would end in the wrong place."""
        try:
            shlex.split(given)
        except ValueError:
            whole = False
        else:
            whole = not after or after[0].isspace()
        if not whole:
            raise UsageError(
                f"{self.magic}: a quotation mark after {flag} is not closed.",
                do=f'Write it like:  {flag} "some words"',
            )

    def _checked(self, flag: str, value: str) -> str:
        """Return a value that argparse will take."""
        action = self._option_string_actions[flag]
        if action.choices and value not in action.choices:
            choices = [str(choice) for choice in action.choices]
            near = nearest(value, choices)
            raise UsageError(
                f"{flag} takes {', '.join(choices[:-1])} or {choices[-1]}, "
                f"not {brief(value, 60)!r}.",
                do=f"Did you mean:  {flag} {near[0]}" if near else self._see,
            )
        for convert, words in _KINDS.items():
            if action.type is convert:
                try:
                    convert(value)
                except ValueError:
                    raise UsageError(
                        f"{flag} takes {words}, not {brief(value, 60)!r}.", do=self._see
                    ) from None
        return value


def _unquoted(word: str) -> str:
    """Take off quotation marks as a shell does, but not those of JSON."""
    if word[0] not in "\"'" and re.search(r"[\[{]", word):
        return word
    return " ".join(shlex.split(word))
