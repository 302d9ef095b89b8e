"""The words after ``alcf-jupyter``: where one is unknown, the nearest is told."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from alcf_jupyter.names import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence


class Parser(argparse.ArgumentParser):
    """Knows its options and commands by name, and those of each command."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        self._options: list[str] = []
        self._chosen = self
        self._commands: argparse._SubParsersAction[Parser] | None = None
        super().__init__(*args, **settings)

    def add_argument(self, *args: Any, **settings: Any) -> argparse.Action:
        """Add an argument; see `argparse`."""
        made = super().add_argument(*args, **settings)
        self._options += made.option_strings
        return made

    def add_subparsers(self, **settings: Any) -> Any:
        """Add commands; see `argparse`."""
        self._commands = super().add_subparsers(**settings)
        return self._commands

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Read the words; a command that there is not ends the process with 2."""
        words = sys.argv[1:] if args is None else list(args)
        if self._commands is not None:
            # no option that stands before the command takes a value
            command = next((word for word in words if not word.startswith("-")), None)
            if command is not None and command not in self._commands.choices:
                near = nearest(command, self._commands.choices, 1)
                meant = f". Did you mean:  {self.prog} {near[0]}" if near else f": {self.prog} -h"
                self.error(f"there is no command {command!r}{meant}")
            self._chosen = self._commands.choices[command] if command is not None else self
        return super().parse_known_args(words, namespace)

    def refuse(self, words: Sequence[str]) -> None:
        """End the process with 2 for words that nothing is known of."""
        near = nearest(words[0].partition("=")[0], self._chosen._options, 1)  # noqa: SLF001
        meant = f". Did you mean:  {near[0]}" if near and words[0].startswith("-") else ""
        self._chosen.error(f"unknown: {' '.join(words)}{meant}")
