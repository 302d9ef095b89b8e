"""The run of a prompt over the rows of a table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from numbers import Integral
from typing import TYPE_CHECKING, Any

import pandas as pd

from alcf_jupyter.connection.http.incoming import MAX_ANSWER_BYTES
from alcf_jupyter.connection.record.origin import origin, sha256
from alcf_jupyter.errors import AlcfError, InvalidAnswerError
from alcf_jupyter.frames import answer_form
from alcf_jupyter.frames.cost import Estimate
from alcf_jupyter.frames.job import COLUMNS, Landed
from alcf_jupyter.frames.record.journal_lines import Row
from alcf_jupyter.frames.record.row_keys import keys
from alcf_jupyter.frames.sending.packs import Pack
from alcf_jupyter.frames.sending.verdict import is_lasting, reason
from alcf_jupyter.frames.tables import Unfit, series
from alcf_jupyter.plain import brief
from alcf_jupyter.prompt.parameters import check_system
from alcf_jupyter.service import dialect
from alcf_jupyter.service.limits import tokens_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from alcf_jupyter.connection.call import Call
    from alcf_jupyter.connection.profiles import Profile
    from alcf_jupyter.frames.job import Outcome
    from alcf_jupyter.frames.prompts import Prompted
    from alcf_jupyter.prompt.schema import Schema
    from alcf_jupyter.service.dialect import Answer

BOOKKEEPING = ("status", "reason", "finish_reason", "attempts", "tokens", "seconds")
"""The columns beside the answer."""

_CUT = frozenset({"length", "max_tokens"})


@dataclass(frozen=True, slots=True)
class Asking:
    """What all rows have in common.

    Raises
    ------
    UsageError
        The system prompt or the prefix is no text, or a column would be called as one of every
        result.
    """

    template: str
    system: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    schema: Schema | None = None
    prefix: str = ""

    def __post_init__(self) -> None:
        check_system(self.system)
        answer_form.check_prefix(self.prefix)
        if self.schema is not None:
            answer_form.check_names(self.schema, self.prefix, BOOKKEEPING)

    @property
    def body(self) -> dict[str, Any]:
        """What a request holds besides its messages."""
        form = {"response_format": self.schema.response_format} if self.schema else {}
        return {**self.settings, **form}

    @property
    def facts(self) -> dict[str, Any]:
        """What decides an answer besides its row."""
        return {
            "template": self.template,
            "system": self.system,
            "parameters": self.settings,
            "schema": self.schema.schema if self.schema else None,
        }


class PromptColumn:
    """The run of a prompt over rows: each is one request.

    Parameters
    ----------
    asking
        What all rows have in common.
    rows
        What each asks.
    index
        The table's.
    run_identity
        For the keys of the rows.
    profile
        The service.
    """

    kind = "map"
    route = "chat/completions"
    width: int | None = None

    def __init__(
        self,
        asking: Asking,
        rows: Prompted,
        index: pd.Index[Any],
        run_identity: str,
        profile: Profile,
    ) -> None:
        self._asking = asking
        self._index = index
        self._profile = profile
        self._all = rows.prompts
        self._images = rows.images
        self._places = [at for at, one in enumerate(rows.prompts) if isinstance(one, str)]
        self._prompts = [one for one in rows.prompts if isinstance(one, str)]
        self.rows = len(rows.prompts)
        self.columns = brief(", ".join(rows.columns), COLUMNS)
        self.about = brief(asking.template, COLUMNS)
        self.unsent = Counter(one.status for one in rows.prompts if isinstance(one, Unfit))
        self.weights: list[int] | None = None
        self.slow = rows.images is not None
        if rows.images is None:
            self.keys = keys(self._prompts, run_identity)
        else:
            marks = [rows.marks[at] for at in self._places]
            self.keys = keys(zip(self._prompts, marks, strict=True), run_identity)

    def estimate(self, units: Sequence[int], call: Call) -> Estimate:
        """Return what units will take."""
        shared = tokens_in(self._asking.system or "")
        sizes = [shared + tokens_in(self._prompts[unit]) for unit in units]
        settings = self._asking.settings
        most = settings.get("max_tokens") or settings.get("max_completion_tokens")
        return Estimate.of(
            sizes,
            call,
            unsent=self.unsent,
            recorded=len(self.keys) - len(units),
            requests=len(sizes),
            # only the gateway's parameters are known, and checked
            most_tokens=int(most) if isinstance(most, Integral) else None,
        )

    def packs(self, units: Sequence[int]) -> Iterator[Pack]:
        """Yield each unit as a request."""
        for unit in units:
            yield Pack((unit,), tokens_in(self._prompts[unit]))

    def body(self, pack: Pack) -> dict[str, Any]:
        """Return the request of a row."""
        unit = pack.units[0]
        content: Any = self._prompts[unit]
        if self._images is not None:
            from alcf_jupyter.prompt.images import pictures, several

            shown = pictures(several(self._images[self._places[unit]]))
            content = [{"type": "text", "text": content}, *(one.part for one in shown)]
        messages = [{"role": "user", "content": content}]
        if self._asking.system:
            messages.insert(0, {"role": "system", "content": self._asking.system})
        if pack.complaint is not None:
            from alcf_jupyter.prompt.rounds import complaint

            reason, said = pack.complaint
            messages.append({"role": "assistant", "content": said})
            messages.append({"role": "user", "content": complaint(reason)})
        return {"messages": messages, **self._asking.body}

    def longest(self, _pack: Pack) -> int:
        """Return how many bytes an answer may have at the most."""
        return MAX_ANSWER_BYTES

    def read(self, value: Any, _pack: Pack) -> Answer:
        """Return the answer of a row; raises AnswerError where it is none."""
        return dialect.read_chat(value)

    def landed(self, answer: Any, pack: Pack, call: Call) -> Landed:
        """Return what became of a row that was answered.

        Raises
        ------
        InvalidAnswerError
            It has not the form asked for; its `reply` is the text.
        """
        told = (answer.usage.prompt_tokens, answer.usage.completion_tokens)
        status, reason = _status(answer)
        fields, reply = None, answer.text
        if self._asking.schema is not None and status == "ok":
            fields, reply = answer_form.fields(self._asking.schema, answer.text), None
        row = Row(
            self.keys[pack.units[0]],
            status,
            reply,
            fields,
            reason,
            answer.finish_reason,
            None if None in told else sum(told),
            None if call.total_seconds is None else round(call.total_seconds, 3),
            pack.attempts + 1,
        )
        return Landed(pack.units, [row], usage=answer.usage)

    def failed(self, error: AlcfError, pack: Pack) -> Landed:
        """Return what became of a row that is given up."""
        said = error.reply if isinstance(error, InvalidAnswerError) else None
        row = Row(
            self.keys[pack.units[0]],
            "failed",
            said if isinstance(said, str) else None,
            reason=reason(error),
            attempts=pack.attempts,
        )
        return Landed(pack.units, [row], lasting=is_lasting(error))

    def frame(self, found: Sequence[Row | None], outcome: Outcome) -> pd.DataFrame:
        """Return the result."""
        rows: list[Row | Unfit | None]
        rows = [one if isinstance(one, Unfit) else None for one in self._all]
        for place, row in zip(self._places, found, strict=True):
            rows[place] = row
        done = [row if isinstance(row, Row) else None for row in rows]
        columns = self._answers(done) | {
            "status": series([row.status if row else "pending" for row in rows], "str"),
            "reason": series([row.reason if row else "" for row in rows], "str"),
            "finish_reason": series([row.finish_reason if row else "" for row in done], "str"),
            "attempts": series([row.attempts if row else 0 for row in done], "int64"),
            "tokens": series([row.tokens if row else None for row in done], "Int64"),
            "seconds": series([row.seconds if row else None for row in done], "Float64"),
        }
        frame = pd.DataFrame(columns)
        frame.index = self._index
        frame.attrs["alcf"] = self._origin(done, outcome)
        return frame

    def _answers(self, rows: Sequence[Row | None]) -> dict[str, pd.Series[Any]]:
        if self._asking.schema is None:
            found = {"reply": series([row.reply if row else None for row in rows], "str")}
        else:
            told = [row.fields if row else None for row in rows]
            found = answer_form.columns(self._asking.schema, told)
        return {self._asking.prefix + name: column for name, column in found.items()}

    def _origin(self, rows: Sequence[Row | None], outcome: Outcome) -> dict[str, Any]:
        engine, now = outcome.engine, outcome.progress
        call = engine.call
        call.body = self._asking.body
        call.total_seconds = now.seconds
        return origin(
            call,
            self._profile,
            served=engine.served,
            asked_sha256=sha256(*self._prompts),
            answer_sha256=sha256(*((row.reply or repr(row.fields)) if row else "" for row in rows)),
            usage=dialect.Usage(now.prompt_tokens, now.completion_tokens),
            complete=now.ok + now.skipped == now.rows,
            requests=outcome.requests,
            rows=now.by_status,
            reused=now.reused,
        )


def _status(answer: Answer) -> tuple[Any, str]:
    if answer.finish_reason in _CUT:
        return "truncated", "cut off at the limit of tokens"
    if answer.complete:
        return "ok", ""
    if not answer.text:
        return "failed", f"no answer came (finish reason {answer.finish_reason})"
    return "failed", f"stopped before its end (finish reason {answer.finish_reason})"
