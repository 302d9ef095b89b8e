"""What ``%load_ext`` adds to a shell, and ``%unload_ext`` takes away again."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from IPython.core.completer import context_matcher

from alcf_jupyter import progress
from alcf_jupyter.errors import SignInError
from alcf_jupyter.frames import accessor
from alcf_jupyter.notebook.line import question
from alcf_jupyter.notebook.panel import target

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult
    from IPython.core.interactiveshell import ExecutionResult, InteractiveShell

    from alcf_jupyter.frames.run import Run
    from alcf_jupyter.notebook.magics import AlcfMagics
    from alcf_jupyter.progress import RunObserver

_ANSWERS = (
    ("alcf_jupyter.prompt.reply", "Reply"),
    ("alcf_jupyter.prompt.compare", "Comparison"),
)
_RUN = ("alcf_jupyter.frames.run", "Run")
_FRAMES = (("pandas", "DataFrame"), ("pandas.core.frame", "DataFrame"))
"""As pandas 3 and pandas 2 name it."""
_MAGICS = {"line": ("alcf", "alcf_chat", "alcf_embed"), "cell": ("alcf_chat", "alcf_embed")}

_loaded: dict[int, tuple[AlcfMagics, dict[str, dict[str, Any]]]] = {}


def load(shell: InteractiveShell) -> None:
    """Register the magics and the display of a Reply; a second call changes nothing."""
    if id(shell) in _loaded:
        return
    from alcf_jupyter.notebook.magics import AlcfMagics

    registered = shell.magics_manager.magics
    before = {
        kind: {name: registered[kind][name] for name in names if name in registered[kind]}
        for kind, names in _MAGICS.items()
    }
    magics = AlcfMagics(shell)
    shell.register_magics(magics)
    for hook in (magics.forget_shown, *_AFTER_A_CELL):
        shell.events.register("post_run_cell", hook)
    for name in _ANSWERS:
        _formatter(shell).for_type_by_name(*name, magics.show_reply)
    _formatter(shell).for_type_by_name(*_RUN, partial(show_run, shell))
    for name in _FRAMES:
        if _bundles(shell).for_type_by_name(*name) is None:
            _bundles(shell).for_type_by_name(*name, with_origin)
    progress.report_to(partial(observe, shell))
    shell.Completer.custom_matchers.append(matcher)
    question.understand(shell)
    target.register(shell)
    _loaded[id(shell)] = (magics, before)


def unload(shell: InteractiveShell) -> None:
    """Take out what `load` put in, and put back the magics it stood in for."""
    if id(shell) not in _loaded:
        return
    magics, before = _loaded.pop(id(shell))
    for kind, names in _MAGICS.items():
        for magic in names:
            shell.magics_manager.magics[kind].pop(magic, None)
        shell.magics_manager.magics[kind].update(before[kind])
    shell.magics_manager.registry.pop(type(magics).__name__, None)
    for hook in (magics.forget_shown, *_AFTER_A_CELL):
        shell.events.unregister("post_run_cell", hook)
    target.unregister(shell)
    question.leave(shell)
    if matcher in shell.Completer.custom_matchers:
        shell.Completer.custom_matchers.remove(matcher)
    progress.report_to(None)
    _forget(_formatter(shell), {*_ANSWERS, _RUN})
    _forget(
        _bundles(shell), {n for n in _FRAMES if _bundles(shell).for_type_by_name(*n) is with_origin}
    )


@context_matcher(identifier="alcf_jupyter")  # type: ignore[untyped-decorator]
def matcher(context: CompletionContext) -> SimpleMatcherResult:
    """Complete what stands behind our magics; how is loaded by the first Tab."""
    from alcf_jupyter.notebook.completion import complete

    return complete(context)


def extend_pandas(*_: object) -> None:
    """Give tables and columns their ``.alcf``, once a cell has imported pandas."""
    accessor.register()


def note_use(*_: object) -> None:
    """Let the states in the panel be followed for as long as cells are run."""
    target.touch()


def observe(shell: InteractiveShell) -> RunObserver:
    """Return who shows the call over many rows that begins now."""
    from alcf_jupyter.notebook.runs.run_display import observer

    return observer(shell)


def show_run(shell: InteractiveShell, run: Run) -> None:
    """Show a run in the background: a panel with buttons, or a line of text."""
    from alcf_jupyter.notebook.runs.run_display import show

    show(run, shell)


def with_origin(frame: Any) -> Any:
    """Return what tells, beside a frame on the screen, where its answers come from."""
    from alcf_jupyter.notebook.provenance import of_frame

    return of_frame(frame)


def offer_sign_in(result: ExecutionResult) -> None:
    """Show the sign-in panel below a cell that failed for want of a sign-in."""
    if isinstance(result.error_in_exec, SignInError):
        from alcf_jupyter.notebook.sign_in import offer

        offer(result.error_in_exec)


_AFTER_A_CELL = (offer_sign_in, extend_pandas, note_use)


def _formatter(shell: InteractiveShell) -> Any:
    return shell.display_formatter.ipython_display_formatter  # type: ignore[union-attr]


def _bundles(shell: InteractiveShell) -> Any:
    return shell.display_formatter.mimebundle_formatter  # type: ignore[union-attr]


def _forget(formatter: Any, ours: set[tuple[str, str]]) -> None:
    """Take out what was registered by name, which is by type from the first that was shown on."""
    for name in ours:
        formatter.deferred_printers.pop(name, None)
    for kind in [t for t in formatter.type_printers if (t.__module__, t.__name__) in ours]:
        formatter.type_printers.pop(kind)
