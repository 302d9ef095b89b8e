"""%alcf, %%alcf_chat and %%alcf_embed: read the line, call one plain function, show its value."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class, no_var_expand

from alcf_jupyter.errors import UsageError
from alcf_jupyter.names import nearest
from alcf_jupyter.notebook.line import named
from alcf_jupyter.notebook.line.cell_body import body
from alcf_jupyter.notebook.surface import Surface, patience, surface

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell
    from pandas import DataFrame

    from alcf_jupyter.notebook.cells.display import AnswerDisplay
    from alcf_jupyter.notebook.cells.terminal import TerminalDisplay
    from alcf_jupyter.notebook.rendering.bundle import Format
    from alcf_jupyter.prompt.compare import Comparison
    from alcf_jupyter.prompt.reply import Reply

_ELSEWHERE = {
    "chat": "%%alcf_chat, with the prompt below it; on one line:  %alcf_chat PROMPT",
    "embed": "%%alcf_embed, with a text on each line below it; a column:  %alcf_embed df['text']",
}
"""What is no command of ``%alcf`` but a magic of its own, and how that is typed."""


@magics_class
class AlcfMagics(Magics):
    """The magics of one shell.

    Parameters
    ----------
    shell
        The shell they belong to.
    """

    shell: InteractiveShell

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self._shown: Reply | Comparison | None = None

    @no_var_expand
    @line_magic
    def alcf(self, line: str) -> Any:
        """Connect, choose models, look at the state of things: ``%alcf help`` lists it all."""
        from alcf_jupyter.notebook.commands import table
        from alcf_jupyter.typed import CELL, LINES, on_a_line

        word, _, rest = line.strip().partition(" ")
        run: Callable[[str], Any] | None = table.COMMANDS.get(word or "help")
        if run is None:
            near = nearest(word, [*table.COMMANDS, *_ELSEWHERE])
            meant = _ELSEWHERE.get(near[0], f"%alcf {near[0]}") if near else ""
            raise UsageError(
                f"%alcf has no command {word!r}.",
                do=f"Did you mean:  {meant}" if meant else "See them all:  %alcf help",
            )
        with on_a_line(LINES.get(word, CELL)):
            shown = run(rest.strip())
        if isinstance(shown, str):
            # in one piece: a line feed of its own may be sent as an output of its own
            print(f"{shown}\n", end="")  # noqa: T201 - a line of text is what it shows
            return None
        return shown

    @no_var_expand
    @line_cell_magic
    def alcf_chat(self, line: str, cell: str | None = None) -> Reply | Comparison | None:
        """Ask a model: ``%%alcf_chat -m MODEL`` with the prompt below it."""
        from alcf_jupyter.typed import on_a_line

        with on_a_line():
            return self._chat(line, cell)

    @no_var_expand
    @line_cell_magic
    def alcf_embed(self, line: str, cell: str | None = None) -> DataFrame:
        """Embed texts: one on each line of the cell, or any list or column after %alcf_embed."""
        from alcf_jupyter.typed import on_a_line

        with on_a_line():
            return self._embed(line, cell)

    def forget_shown(self, *_: object) -> None:
        """Forget what the cell has shown: shown again in another cell, a Reply is displayed."""
        self._shown = None

    def show_reply(self, reply: Reply | Comparison) -> None:
        """Display answers, unless they are what this cell has just shown."""
        if reply is self._shown:
            self._shown = None
            return
        from alcf_jupyter.prompt.reply import Reply

        if not isinstance(reply, Reply):
            from alcf_jupyter.notebook.cells.chat_cell import show_beside

            show_beside(reply, self._display(quiet=False), lambda one: one.footer)
            return
        from alcf_jupyter.notebook.cells.chat_cell import show

        fmt: Format = "markdown" if reply.data is None else "json"
        show(reply, self._display(quiet=False), reply.footer, fmt)

    def _seen(self, reply: Any) -> None:
        self._shown = reply

    @property
    def _namespace(self) -> dict[str, Any]:
        space: dict[str, Any] = self.shell.user_ns
        return space

    def _chat(self, line: str, cell: str | None) -> Reply | Comparison | None:
        from alcf_jupyter.notebook.cells.chat_cell import ChatCell
        from alcf_jupyter.notebook.line import options

        chosen, rest = options.chat_parser().read(line)
        prompt = body("%%alcf_chat", rest, cell, "What is an exascale computer?")
        named.check_result(chosen.out)
        remarks: list[str] = []
        prompt = self._filled(prompt, chosen, remarks)
        fill = partial(self._filled, chosen=chosen, remarks=remarks)
        asked = ChatCell(self.shell, chosen, fill, self._seen, remarks)
        settings = asked.settings(patience(self.shell))
        display = self._display(
            quiet=chosen.quiet, live=not chosen.no_stream, fmt=chosen.format or "markdown"
        )
        if chosen.dry_run:
            result: Any = asked.rehearse(prompt, settings)
        elif len(chosen.model or ()) > 1:
            result = asked.compare(prompt, settings, display)
        else:
            result = asked.ask(prompt, settings, display)
        if chosen.out:
            self._namespace[chosen.out] = result
        return None if chosen.dry_run else result

    def _embed(self, line: str, cell: str | None) -> DataFrame:
        from alcf_jupyter.notebook.cells.embed_cell import embed
        from alcf_jupyter.notebook.line import options

        chosen, rest = options.embed_parser().read(line)
        named.check_result(chosen.out)
        texts: Any
        if cell is None:
            texts = self._evaluated(rest)
        else:
            text = body("%%alcf_embed", rest, cell, "a text on each line")
            text = self._filled(text, chosen, [], lines=True)
            texts = [one for one in text.splitlines() if one.strip()]
        # a column may be long: it has the time of a run
        return embed(texts, chosen, None if cell is None else patience(self.shell), self.shell)

    def _display(
        self, *, quiet: bool, live: bool = True, fmt: Format = "markdown"
    ) -> AnswerDisplay | TerminalDisplay:
        where = surface(self.shell)
        if where is Surface.TERMINAL:
            from alcf_jupyter.notebook.cells.terminal import TerminalDisplay

            return TerminalDisplay(quiet=quiet)
        from alcf_jupyter.notebook.cells.display import AnswerDisplay

        return AnswerDisplay(live=live and where is Surface.NOTEBOOK, quiet=quiet, fmt=fmt)

    def _filled(
        self, text: str, chosen: Namespace, remarks: list[str], *, lines: bool = False
    ) -> str:
        if chosen.no_vars:
            return text
        from alcf_jupyter.prompt.template import fill

        return fill(text, self._namespace, lines=lines, remarks=remarks)

    def _evaluated(self, expression: str) -> Any:
        if not expression:
            raise UsageError(
                "%alcf_embed needs something to embed.",
                do="Type:  %alcf_embed df['text']  or a list of texts",
            )
        from alcf_jupyter.prompt.template import evaluate

        return evaluate(expression, self._namespace)
