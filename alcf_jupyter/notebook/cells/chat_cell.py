"""A chat cell: its options, its answer while it comes, and what stays of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from alcf_jupyter.errors import AnswerError, AnswerInterrupted, UsageError
from alcf_jupyter.notebook.cells.footer import times
from alcf_jupyter.notebook.line import named, options
from alcf_jupyter.prompt import ask

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Sequence

    from IPython.core.interactiveshell import InteractiveShell

    from alcf_jupyter.notebook.cells.display import AnswerDisplay
    from alcf_jupyter.notebook.cells.terminal import TerminalDisplay
    from alcf_jupyter.notebook.rendering.bundle import Format
    from alcf_jupyter.prompt.compare import Comparison
    from alcf_jupyter.prompt.dry_run import DryRun
    from alcf_jupyter.prompt.reply import Reply

    Display = AnswerDisplay | TerminalDisplay

_NONE_CAME = "Not answered."


class ChatCell:
    """One run of a chat cell.

    Parameters
    ----------
    shell
        The shell it runs in.
    chosen
        Its options.
    fill
        Puts the notebook's values into a text.
    shown
        Told which reply is on the screen.
    remarks
        What was done to the prompt, in words, for the footer.
    """

    def __init__(
        self,
        shell: InteractiveShell,
        chosen: Namespace,
        fill: Callable[[str], str],
        shown: Callable[[Any], None],
        remarks: Sequence[str],
    ) -> None:
        self._shell, self._chosen, self._fill, self._shown = shell, chosen, fill, shown
        self._remarks = remarks

    def settings(self, timeout: str) -> dict[str, Any]:
        """Return what `alcf.chat` is called with, besides the prompt.

        Parameters
        ----------
        timeout
            The deadline where none is given.
        """
        chosen, space = self._chosen, self._shell.user_ns
        given = {
            "model": chosen.model[0] if chosen.model else None,
            "cluster": chosen.cluster,
            "system": self._system(),
            "images": [named.value(word, space) for word in chosen.image or ()],
            "thread": chosen.thread,
            "new_thread": chosen.new_thread,
            "schema": None if chosen.schema is None else named.value(chosen.schema, space),
            "tools": [named.tool(word, space) for word in chosen.tool or ()],
            "timeout": chosen.timeout or timeout,
            "wait": not chosen.no_wait,
        }
        return options.with_parameters(given, chosen, "alcf_chat")

    def ask(self, prompt: str, settings: dict[str, Any], display: Display) -> Reply:
        """Ask, show what happens, and return the reply; what came is kept where it fails."""
        events = ask.replying(prompt, streamed=not self._chosen.no_stream, **settings)
        try:
            reply = self._followed(events, display)
            if self._format == "json" and reply.data is None:
                from alcf_jupyter.prompt.schema import require_json

                reply = replace(reply, data=require_json(reply.text, reply))
        except (AnswerError, AnswerInterrupted) as stop:
            self._keep_partial(stop.reply, display)
            raise
        except BaseException:
            display.fail(_NONE_CAME)
            raise
        return self._finished(reply, display)

    def rehearse(self, prompt: str, settings: dict[str, Any]) -> DryRun:
        """Print the request that would be sent, and return it."""
        from alcf_jupyter.prompt.dry_run import dry_run

        if len(self._chosen.model or ()) > 1:
            raise UsageError("--dry-run takes one model.", do="Leave the other -m out.")
        made = dry_run(prompt, **settings)
        print(made)  # noqa: T201 - what was asked for
        return made

    def compare(self, prompt: str, settings: dict[str, Any], display: Display) -> Comparison:
        """Ask several models, show their answers side by side, and return them."""
        from alcf_jupyter.prompt.compare import compare

        settings = {name: value for name, value in settings.items() if name != "model"}
        try:
            compared = compare(prompt, self._chosen.model, observer=display, **settings)
        except AnswerInterrupted as stop:
            self._keep(self._compared(stop.reply, display))
            raise
        except BaseException:
            display.fail(_NONE_CAME)
            raise
        compared = self._compared(compared, display)
        if compared.errors:
            self._keep(compared)
            raise next(iter(compared.errors.values()))
        return compared

    def _compared(self, compared: Any, display: Display) -> Comparison:
        """Show answers side by side, and return them with the remarks."""
        answers = (one and self._with_remarks(one) for one in compared.replies)
        told: Comparison = replace(compared, replies=tuple(answers))

        def foot(reply: Reply) -> str:
            return "" if self._chosen.quiet else footer(reply, self._shell)

        show_beside(told, display, foot, self._format)
        self._shown(told)
        return told

    @property
    def _format(self) -> Format:
        told: Format | None = self._chosen.format
        return told or ("json" if self._chosen.schema else "markdown")

    def _followed(self, events: Any, display: Display) -> Reply:
        """Show what happens, and return the reply."""
        from alcf_jupyter.connection.call import Status

        try:
            while True:
                event = next(events)
                if event is None:
                    display.tick()
                elif isinstance(event, Status):
                    display.status(event.words)
                else:
                    display.piece(event.text, event.reasoning)
        except StopIteration as stop:
            reply: Reply = stop.value
            return reply
        except AnswerInterrupted:
            raise
        except KeyboardInterrupt as stop:
            # it struck while a piece was being shown: let the call end itself, and tell what came
            events.throw(stop)
            raise

    def _finished(self, reply: Reply, display: Display) -> Reply:
        reply = self._with_remarks(reply)
        show(reply, display, footer(reply, self._shell), self._format)
        self._shown(reply)
        return reply

    def _with_remarks(self, reply: Reply) -> Reply:
        return replace(reply, remarks=(*self._remarks, *reply.remarks))

    def _keep_partial(self, reply: Any, display: Display) -> None:
        """Show what had arrived, marked, and keep it where a whole answer would have been."""
        if reply is None or not (reply.text or reply.reasoning or reply.tool_calls):
            display.fail(_NONE_CAME)
            return
        self._keep(self._finished(reply, display))

    def _keep(self, value: Reply | Comparison) -> None:
        self._shell.displayhook.update_user_ns(value)  # type: ignore[no-untyped-call]
        if self._chosen.out:
            self._shell.user_ns[self._chosen.out] = value

    def _system(self) -> str | None:
        text = named.system(self._chosen)
        return None if text is None else self._fill(text)


def show(reply: Reply, display: Display, foot: str, fmt: Format) -> None:
    """Show a reply for good."""
    display.finish(
        reply.text,
        foot,
        reasoning=reply.reasoning,
        note=reply.note or None,
        metadata=reply.provenance,
        fmt=fmt,
        calls=reply.tool_calls,
    )


def show_beside(
    compared: Comparison,
    display: Display,
    foot: Callable[[Reply], str],
    fmt: Format = "markdown",
) -> None:
    """Show several models' answers for good."""
    from alcf_jupyter.notebook.cells.side_by_side import bundle

    told = [reply.provenance for reply in compared.replies if reply is not None]
    display.put(bundle(compared, foot, fmt), {"alcf": told})


def footer(reply: Reply, shell: InteractiveShell) -> str:
    """Return the footer; where somebody watches, with the times."""
    return reply.footer + times(reply.provenance, shell)
