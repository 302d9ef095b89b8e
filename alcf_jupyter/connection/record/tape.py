"""A tape: recorded answers in the order in which they are asked for again, and new ones added."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from alcf_jupyter import errors
from alcf_jupyter.connection.meter import Meter
from alcf_jupyter.connection.record import variable
from alcf_jupyter.connection.record.cell import Cell, running
from alcf_jupyter.connection.record.saver import Saver
from alcf_jupyter.errors import AlcfError, ReplayError
from alcf_jupyter.plain import clean
from alcf_jupyter.service.catalog import Catalog, Model, State
from alcf_jupyter.service.dialect import Answer, AnswerStream, Usage, Vectors

if TYPE_CHECKING:
    from alcf_jupyter.connection.call import Call
    from alcf_jupyter.connection.record.record import Answered, Record

# what depends on where and by whom the notebook is run
_NOT_RECORDED = (errors.NoConnectionError, errors.SignInError, errors.UsageError)


@dataclass
class Tape:
    """What is recorded, or played.

    Attributes
    ----------
    mode
        ``"record"`` or ``"only"``.
    record
        The file.
    passed_over
        What was asked meanwhile in ways that are not recorded.
    """

    mode: str
    record: Record
    passed_over: set[str] = field(default_factory=set)
    _asked: Counter[str] = field(default_factory=Counter)
    _looks: Counter[str] = field(default_factory=Counter)
    _meters: dict[str, Meter] = field(default_factory=dict)
    _cells: dict[str, list[Cell]] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _saver: Saver = field(init=False)

    def __post_init__(self) -> None:
        self._saver = Saver(self.record.write, self._lock)

    def close(self) -> None:
        """Write what is not written yet."""
        self._saver.now()

    def keep(self, service: str, call: Call, value: Answer | Vectors | AlcfError) -> None:
        """Record what came.

        A request that was recorded in an earlier session is begun anew; what a cell recorded is
        replaced when the cell runs again.
        """
        if isinstance(value, _NOT_RECORDED):
            return
        from alcf_jupyter.connection.record.record import Entry, digest

        asked = self._request(service, call)
        key = digest(asked)
        with self._lock:
            if not self._asked[key]:
                self.record.entries[key] = Entry(key, asked, [])
            self._asked[key] += 1
            place = self._place(key, running())
            self.record.entries[key].answers.insert(place, _answered(call, value))
            self._saver.soon()

    def _place(self, key: str, cell: Cell) -> int:
        """Return where an answer belongs, once what an earlier run of its cell got is gone.

        A notebook is played from top to bottom: the answers of a cell stay where the first were.
        """
        cells = self._cells.setdefault(key, [])
        place = len(cells)
        if cells and cells[-1] != cell:
            mine = [at for at, one in enumerate(cells) if one.id == cell.id]
            stale = [at for at in mine if cells[at].run != cell.run]
            for at in reversed(stale):
                del cells[at], self.record.entries[key].answers[at]
            if mine:
                place = mine[0] if stale else mine[-1] + 1
        cells.insert(place, cell)
        return place

    def keep_catalog(self, service: str, known: Catalog) -> None:
        """Record the models of a service, as they are seen now."""
        with self._lock:
            first = not self._looks[service]
            self._looks[service] += 1
            self.record.keep_catalog(service, known, afresh=first)
            self._saver.soon()

    def catalog(self, service: str) -> Catalog:
        """Return the recorded models of a service.

        Raises
        ------
        ReplayError
            They were not recorded.
        """
        with self._lock:
            found = self.record.catalog(service, self._looks[service])
            self._looks[service] += 1
        if found is None:
            raise ReplayError(
                f"The models of {service} are not recorded in {self.record.path}.",
                do=f"Record them:  {variable.then(self._recording)}",
            )
        return found

    def known(self, service: str) -> Catalog:
        """Return the models of a service as they were seen last, without looking again."""
        return self.record.catalog(service, max(0, self._looks[service] - 1)) or Catalog()

    def play(self, service: str, call: Call) -> tuple[Answer | Vectors, AlcfError | None]:
        """Return what was recorded for a request, and the error it ended with.

        A request made several times gets its answers in their order, and then the last one again.

        Raises
        ------
        ReplayError
            There is none; the message names the cell and the nearest recorded prompt.
        """
        from alcf_jupyter.connection.record.record import digest

        asked = self._request(service, call)
        key = digest(asked)
        with self._lock:
            entry = self.record.entries.get(key)
            if entry is None or not entry.answers:
                if (known := self.known(service)).models:
                    # a model that does not exist is the same error as it was
                    known.find(call.model, call.cluster)
                raise self._missing(asked)
            told = entry.answers[min(self._asked[key], len(entry.answers) - 1)]
            self._asked[key] += 1
            value, error = self._restored(service, call, told)
            if error is None and call.served is not None:
                self._meter(service).add(call.served, value.usage)
        return value, error

    def _meter(self, service: str) -> Meter:
        """Return what counts the answers played; what a service lets one ask is another matter."""
        # whoever cites the answers need not know a server's address
        name = service.partition(" ")[0]
        if name not in self._meters:
            self._meters[name] = Meter(name)
        return self._meters[name]

    def _restored(
        self, service: str, call: Call, told: Answered
    ) -> tuple[Answer | Vectors, AlcfError | None]:
        call.replayed = True
        found = [
            model
            for model in self.known(service).models
            if (model.id, model.cluster) == (told.model, told.cluster)
        ]
        call.served = found[0] if found else Model(id=told.model, cluster=told.cluster)
        call.wait.states[:] = [State(state) for state in told.states if state in set(State)]
        usage = Usage(
            *(told.usage.get(n) for n in ("prompt_tokens", "completion_tokens", "total_tokens"))
        )
        if call.route == "embeddings":
            value: Answer | Vectors = Vectors(told.vectors, usage, told.served)
        else:
            value = Answer(
                told.text, told.reasoning, told.finish_reason, usage, told.tool_calls, told.served
            )
            if told.failure:
                call.reading = _heard(told)
        return value, _failure(told) if told.failure else None

    @property
    def _recording(self) -> str:
        return f"alcf.replay('record', {str(self.record.path)!r})"

    def _request(self, service: str, call: Call) -> dict[str, Any]:
        from alcf_jupyter.connection.record.record import request

        return request(service, call.route, call.model, call.cluster, call.body)

    def _missing(self, asked: dict[str, Any]) -> ReplayError:
        number = running().number
        where = f"Cell [{number}] asks" if number is not None else "This asks"
        path = self.record.path
        return ReplayError(
            f"{where} what is not recorded in {path.name}; nothing was sent.",
            why=self.record.nearest(asked),
            do=f"Record it:  {variable.then(self._recording)}",
        )


def _answered(call: Call, value: Answer | Vectors | AlcfError) -> Answered:
    from alcf_jupyter.connection.record.record import Answered

    served = call.served
    place: dict[str, Any] = {
        "model": served.id if served else call.model,
        "cluster": served.cluster if served else call.cluster or "",
        "states": [str(state) for state in call.wait.states],
    }
    failed: dict[str, Any] = {}
    if isinstance(value, AlcfError):
        failed = {"failure": type(value).__name__, "said": [value.what, value.why, value.do]}
        value = call.reading.answer if call.reading else Answer()
    told = {name: count for name, count in asdict(value.usage).items() if count is not None}
    if isinstance(value, Vectors):
        vectors = [one if isinstance(one, str) else list(one) for one in value.data]
        return Answered(vectors=vectors, usage=told, served=value.model, **place)
    return Answered(
        text=value.text,
        reasoning=value.reasoning,
        finish_reason=value.finish_reason,
        tool_calls=value.tool_calls,
        usage=told,
        served=value.model,
        **place,
        **failed,
    )


def _heard(told: Answered) -> AnswerStream:
    """Return a stream that has given what had come before a failure."""
    import json

    reading = AnswerStream()
    if told.text or told.reasoning:
        delta = {"content": told.text, "reasoning": told.reasoning}
        event = {
            "model": told.served,
            "choices": [{"delta": delta, "finish_reason": told.finish_reason or None}],
        }
        reading.feed(json.dumps(event).encode())
    return reading


def _failure(told: Answered) -> AlcfError:
    """Return the error that was recorded: one of ours, with its message."""
    kind = getattr(errors, told.failure, None)
    if not (isinstance(kind, type) and issubclass(kind, AlcfError)):
        kind = AlcfError
    # the file may be somebody else's: its lines are shown as any server's are
    what, why, do = [*map(clean, told.said), "", "", ""][:3]
    return kind(what, why=why, do=do)
