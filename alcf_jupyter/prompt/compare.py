"""One prompt, several models: their answers beside each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from alcf_jupyter.connection.session import client
from alcf_jupyter.errors import AlcfError, AnswerInterrupted, UsageError
from alcf_jupyter.progress import StderrObserver
from alcf_jupyter.prompt import reply as replies
from alcf_jupyter.prompt import request as requests
from alcf_jupyter.service.dialect import Answer
from alcf_jupyter.typed import named

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from alcf_jupyter.connection.call import Call
    from alcf_jupyter.connection.profiles import Profile
    from alcf_jupyter.progress import Observer
    from alcf_jupyter.prompt.reply import Reply

MOST_MODELS = 8


@dataclass(frozen=True, slots=True)
class Comparison:
    """The answers of several models to one prompt.

    Attributes
    ----------
    models
        As they were asked for.
    replies
        One for each model, in order; None where it failed.
    errors
        Why, for each that failed.
    """

    models: tuple[str, ...]
    replies: tuple[Reply | None, ...]
    errors: dict[str, AlcfError] = field(default_factory=dict)

    @property
    def table(self) -> pd.DataFrame:
        """Latency (``seconds``; ``waited`` for the model to be Live) and tokens, by model."""
        import pandas as pd

        rows: list[dict[str, Any]] = []
        for name, reply in zip(self.models, self.replies, strict=True):
            if reply is None:
                rows.append({"model": name, "status": "failed", "reason": self.errors[name].what})
                continue
            rows.append(
                {
                    "model": name,
                    "cluster": reply.cluster,
                    "status": "ok" if reply.complete else "incomplete",
                    "reason": reply.note,
                    "seconds": reply.timing.total,
                    "waited": reply.timing.waited,
                    "prompt_tokens": reply.usage.prompt_tokens,
                    "completion_tokens": reply.usage.completion_tokens,
                }
            )
        columns = ["model", "cluster", "status", "reason", "seconds", "waited"]
        columns += ["prompt_tokens", "completion_tokens"]
        frame = pd.DataFrame(rows, columns=columns).set_index("model")
        counts = {name: "Int64" for name in columns if name.endswith("tokens")}
        times = {"seconds": "float64", "waited": "float64"}
        return frame.astype({**counts, **times}).round(3)

    def __getitem__(self, model: str) -> Reply | None:
        return dict(zip(self.models, self.replies, strict=True))[model]

    def __repr__(self) -> str:
        parts = []
        for name, reply in zip(self.models, self.replies, strict=True):
            parts.append(f"## {name}\n\n{self.errors[name] if reply is None else repr(reply)}")
        return "\n\n".join(parts)


def compare(
    prompt: str,
    models: Sequence[str],
    *,
    observer: Observer | None = None,
    **options: Any,
) -> Comparison:
    """Ask several models at once.

    Parameters
    ----------
    prompt
        What to ask.
    models
        Which models, two to eight.
    observer
        Told how the queue is; stderr by default.
    **options
        As for `chat`, but without a thread, a schema or tools.

    Returns
    -------
    Comparison
        Its `replies` are in the order of `models`; one model's failure leaves the others' answers.

    Raises
    ------
    UsageError
        Before anything is sent.
    AnswerInterrupted
        Its `reply` is a Comparison of the answers that had come.
    """
    names: list[str] = list(models) if isinstance(models, (list, tuple)) else [str(models)]
    if not 1 < len(names) <= MOST_MODELS or len(set(names)) < len(names):
        raise UsageError(
            f"Two to {MOST_MODELS} different models are compared; nothing was sent.",
            do="Write:  -m ONE -m ANOTHER   (in Python:  ['ONE', 'ANOTHER'])",
        )
    for option in ("thread", "new_thread", "schema", "tools"):
        if options.pop(option, None):
            raise UsageError(
                f"Several models at once take no {named(option)}; nothing was sent.",
                do="Ask them one by one.",
            )
    talk = client()
    asked = [requests.chat(prompt, **{**options, "model": name}) for name in names]
    calls = [one.call for one in asked]
    came: list[Answer | AlcfError | None] = [None] * len(calls)
    try:
        answers = talk.chat_many(calls, observer or StderrObserver(), came)
    except KeyboardInterrupt:
        if not any(isinstance(one, Answer) for one in came):
            raise
        stop = AnswerInterrupted()
        stop.reply = _compared(names, calls, [one or _missing() for one in came], talk.profile)
        raise stop from None
    return _compared(names, calls, answers, talk.profile)


def _compared(
    names: Sequence[str],
    calls: Sequence[Call],
    answers: Sequence[Answer | AlcfError],
    profile: Profile,
) -> Comparison:
    found: list[Reply | None] = []
    errors: dict[str, AlcfError] = {}
    for name, call, answer in zip(names, calls, answers, strict=True):
        if isinstance(answer, AlcfError):
            errors[name] = answer
            found.append(None)
        else:
            found.append(replies.of(answer, call, profile))
    return Comparison(tuple(names), tuple(found), errors)


def _missing() -> AlcfError:
    return AlcfError("Interrupted before its answer had come.", do="Run the cell again.")
