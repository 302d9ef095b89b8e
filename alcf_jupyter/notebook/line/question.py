"""A prompt on one line that ends in a question mark, which IPython takes for a call for help."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.inputtransformer2 import EscapedCommand, HelpEnd, MagicAssign, TokenTransformBase

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


class _Question(TokenTransformBase):
    """Finds ``%alcf_chat … ?`` and leaves ``%alcf_chat?`` alone; IPython's own class transforms."""

    priority = HelpEnd.priority - 1
    percent_col: int

    @classmethod
    def find(cls, tokens_by_line: list[list[Any]]) -> Any:
        """Find the first such line of a cell."""
        for line in tokens_by_line:
            words = [token.string for token in line]
            at = words.index("%") if "%" in words else len(words)
            asks = words[at + 1 : at + 2] == ["alcf_chat"] and words[-2] == "?" != words[at + 2]
            found = super().find([line]) if asks else None  # type: ignore[no-untyped-call]
            if found and (found.start_line + 1, found.start_col) == line[at].start:
                # whatever begins first is transformed: the help begins where the line does
                found.percent_col, found.start_col = found.start_col, 0
                return found
        return None

    def transform(self, lines: list[str]) -> list[str]:
        """Transform the line from its ``%`` on."""
        self.start_col = self.percent_col
        changed: list[str] = super().transform(lines)
        return changed


class _Typed(_Question, EscapedCommand):
    """``%alcf_chat What is a beamline?``."""


class _Assigned(_Question, MagicAssign):
    """``reply = %alcf_chat What is a beamline?``."""


def understand(shell: InteractiveShell) -> None:
    """Let questions be prompts."""
    shell.input_transformer_manager.token_transformers += [_Typed, _Assigned]


def leave(shell: InteractiveShell) -> None:
    """Let IPython read every line by itself again."""
    manager = shell.input_transformer_manager
    manager.token_transformers = [
        one for one in manager.token_transformers if one not in (_Typed, _Assigned)
    ]
