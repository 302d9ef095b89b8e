"""How far a run is, as HTML and as text: a bar, and the same in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alcf_jupyter.connection import profiles
from alcf_jupyter.connection.deadline import words as span
from alcf_jupyter.notebook.rendering.bundle import QUIET
from alcf_jupyter.plain import brief, escape_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from alcf_jupyter.frames.live_runs import Left
    from alcf_jupyter.frames.run import Run
    from alcf_jupyter.progress import RunProgress

# of a bar only the colors tell anything: where the system forces its own, it keeps these
_DONE: Final = "forced-color-adjust:none;background-color:var(--jp-brand-color1,#1976d2)"
# hatched, so that it is told apart without its colour
_FAILED: Final = (
    "forced-color-adjust:none;background-color:var(--jp-error-color1,#c62828);background-image:repeating-linear-gradient("
    "45deg,transparent 0 3px,rgba(255,255,255,.6) 3px 6px)"
)
_TRACK: Final = (
    "display:flex;box-sizing:border-box;height:1em;max-width:40em;margin:.3em 0;"
    "border:1px solid var(--jp-border-color1,#bdbdbd);"
    "background-color:var(--jp-layout-color2,#eeeeee)"
)


def state(now: RunProgress) -> str:
    """Return the state of a run in words."""
    words = brief(now.words)
    return f"{now.state.capitalize()}: {words}" if words else now.state.capitalize()


def facts(now: RunProgress) -> str:
    """Return how far a run is, what it used and its times, in one line of text."""
    kinds = {"failed": now.failed, "cut off": now.truncated, "skipped": now.skipped}
    parts = [f"{now.rows - now.pending:,} of {now.rows:,} rows"]
    parts += [f"{count:,} {kind}" for kind, count in kinds.items() if count]
    return " · ".join([*parts, *_costs(now)])


def costs(now: RunProgress) -> str:
    """Return what a run used, and its times."""
    return " · ".join(_costs(now))


def _costs(now: RunProgress) -> Iterator[str]:
    if now.reused:
        yield f"{now.reused:,} from the record"
    if now.prompt_tokens or now.completion_tokens:
        out = f" / {now.completion_tokens:,} out" if now.completion_tokens else ""
        yield f"{now.prompt_tokens:,} in{out} tokens"
    running = now.state == "running"
    if running and now.rate:
        yield f"{_number(now.rate)} rows a second"
    if running and now.left_seconds is not None and now.pending:
        yield f"about {span(now.left_seconds)} left"
    else:
        yield span(now.seconds)


def _number(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.2g}"


def bar(now: RunProgress) -> str:
    """Return the bar: what is done, what failed of it (hatched), and what is left."""
    return bar_of(now.rows - now.pending, now.failed, now.rows, "rows")


def bar_of(done: int, failed_ones: int, total: int, what: str) -> str:
    """Return such a bar for anything that is counted; `what` is a plain word for it."""
    failed = 100 * failed_ones / total if total else 0.0
    good = 100 * done / total - failed if total else 100.0
    told = f"{done:,} of {total:,} {what}, {failed_ones:,} failed"
    return (
        f'<div role="progressbar" aria-label="{what.capitalize()} done" aria-valuemin="0" '
        f'aria-valuemax="{total}" aria-valuenow="{done}" aria-valuetext="{told}" '
        f'style="{_TRACK}"><div style="width:{good:.2f}%;{_DONE}"></div>'
        f'<div style="width:{failed:.2f}%;{_FAILED}"></div></div>'
    )


def title(run: Run) -> str:
    """Return what a run is, in one line of text that does not change while it goes on."""
    return brief(f"Run {run.name} · {whom(run)} · {run.progress.rows:,} rows", 200)


def whom(run: Run | Left) -> str:
    """Return whom a run asks."""
    return brief(profiles.whom(run.model, run.cluster, run.service))


def lines(words: Sequence[str]) -> str:
    """Return quiet lines of HTML."""
    return "".join(f'<div style="{QUIET}">{escape_line(line, 600)}</div>' for line in words)
