"""Reading what the gateway says of batches: the list, a status, a result in any of its forms.

The public guide shows a result as an object with nested metrics; the gateway answers with the text
of a flat Python dict, and of several joined by commas for a batch of several tasks (service
contract, 5). All of them are read here.
"""

from __future__ import annotations

import ast
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from alcf_jupyter.errors import AnswerError, UsageError
from alcf_jupyter.plain import brief

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_LINES: Final = 150_000
"""Requests in one input file, as the guide says."""

POLL_SECONDS: Final = 30.0
"""The gateway looks at a batch at most this often, whoever asks."""

CHAT_URL: Final = "/v1/chat/completions"
EMBED_URL: Final = "/v1/embeddings"

ENDED: Final = frozenset({"completed", "failed"})
STATUSES: Final = ("pending", "running", "completed", "failed")

_LARGEST_RESULT: Final = 200_000
_TIMES: Final = ("response_time", "response_time_sec", "duration_sec")
_SPEEDS: Final = ("throughput_tokens_per_second", "throughput_tokens_per_sec")
_FORMS: Final = ("%Y-%m-%d %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%b %d, %Y %H:%M:%S")
_STATUS: Final = re.compile(r"\w{1,40}")
_ONGOING: Final = re.compile(r"ongoing batch ([0-9a-fA-F-]{36})")


@dataclass(frozen=True, slots=True)
class Listed:
    """A batch as the list shows it.

    Attributes
    ----------
    id, cluster, framework, model, input_file
        ``""`` where it is not told; the gateway tells no model.
    status
        In lower case, as the service words it.
    created, ended
        Seconds since 1970; None where they are not told.
    """

    id: str
    status: str
    cluster: str = ""
    framework: str = ""
    model: str = ""
    input_file: str = ""
    created: float | None = None
    ended: float | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """What a task of a batch did; None where it is not told.

    Attributes
    ----------
    results_file, progress_file
        Paths on the cluster's file system, as the service says them.
    total_tokens, responses, lines
        Counts; `responses` are the lines that were answered.
    response_time
        Seconds that the work took.
    throughput
        Tokens a second.
    """

    results_file: str = ""
    progress_file: str = ""
    total_tokens: int | None = None
    responses: int | None = None
    lines: int | None = None
    response_time: float | None = None
    throughput: float | None = None

    @property
    def failed(self) -> int | None:
        """How many lines have no answer."""
        if self.lines is None or self.responses is None:
            return None
        return max(0, self.lines - self.responses)


def read_list(value: Any) -> list[Listed]:
    """Read the answer of ``GET /v1/batches``; a row without an id or a status is no batch.

    Raises
    ------
    AnswerError
        It is not a list of batches.
    """
    rows = value.get("data") if isinstance(value, dict) else value
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _no_answer("list of batches", value)
    return [found for row in rows if (found := _listed(row)) is not None]


def _listed(row: dict[str, Any]) -> Listed | None:
    def word(*names: str) -> str:
        return next((row[n] for n in names if isinstance(row.get(n), str)), "")

    batch_id, status = word("batch_id", "id"), _status(word("status"))
    if not (is_id(batch_id) and status):
        return None
    ended = [moment(row.get(name)) for name in ("completed_at", "failed_at")]
    return Listed(
        batch_id,
        status,
        brief(word("cluster")),
        brief(word("framework")),
        brief(word("model")),
        word("input_file"),  # to be compared, so as it is
        moment(row.get("created_at")) or moment(row.get("in_progress_at")),
        ended[0] or ended[1],
    )


def moment(value: Any) -> float | None:
    """Return a time as seconds since 1970, None where there is none or it cannot be read."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value) if 0 < value < 1e11 else None
    if not isinstance(value, str):
        return None
    for read in (datetime.fromisoformat, *(_by(form) for form in _FORMS)):
        with suppress(ValueError):
            found = read(value.strip())
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    return None


def _by(form: str) -> Callable[[str], datetime]:
    return lambda text: datetime.strptime(text, form).replace(tzinfo=UTC)


def read_status(value: Any) -> str:
    """Read the answer of ``GET /v1/batches/{id}``: a bare word.

    Raises
    ------
    AnswerError
        It is not a status.
    """
    told = value.get("status") if isinstance(value, dict) else value
    if isinstance(told, str) and (status := _status(told)):
        return status
    raise _no_answer("status of a batch", value)


def _status(text: str) -> str:
    """Return a status in lower case, ``""`` where the text is none."""
    told = text.strip()
    return told.casefold() if _STATUS.fullmatch(told) else ""


def read_created(value: Any) -> str:
    """Read the answer to the creation of a batch and return its id.

    Raises
    ------
    AnswerError
        It names none.
    """
    found = value.get("batch_id") or value.get("id") if isinstance(value, dict) else None
    if isinstance(found, str) and is_id(found):
        return found
    raise _no_answer("id of the new batch", value)


def read_result(value: Any) -> list[Summary]:
    """Read the answer of ``GET /v1/batches/{id}/result``: a summary for each task.

    Raises
    ------
    AnswerError
        It cannot be read.
    """
    told = _unpacked(value)
    tasks = list(told) if isinstance(told, (list, tuple)) else [told]
    if not tasks or not all(isinstance(task, dict) and task for task in tasks):
        raise _no_answer("result of a batch", value)
    return [read_summary(task) for task in tasks]


def _unpacked(value: Any) -> Any:
    """Return what stands in a text that is JSON, or the literal of a Python dict, or several."""
    if not isinstance(value, str) or len(value) > _LARGEST_RESULT:
        return value
    for text in (value, f"[{value}]"):
        with suppress(ValueError, RecursionError):
            return json.loads(text)
    with suppress(ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return ast.literal_eval(value.strip())
    return value


def read_summary(task: dict[str, Any]) -> Summary:
    """Read one summary, flat or with nested metrics; also what a progress file ends as."""
    nested = task.get("metrics")
    told = {**task, **nested} if isinstance(nested, dict) else task

    def count(name: str) -> int | None:
        number = told.get(name)
        if not isinstance(number, (int, float)) or isinstance(number, bool):
            return None
        return int(number) if 0 <= number < 1e15 else None

    def figure(names: tuple[str, ...]) -> float | None:
        for name in names:
            number = told.get(name)
            if isinstance(number, (int, float)) and not isinstance(number, bool):
                return float(number) if 0 <= number < float("inf") else None
        return None

    def path(name: str) -> str:
        return told[name] if isinstance(told.get(name), str) else ""

    return Summary(
        path("results_file"),
        path("progress_file"),
        count("total_tokens"),
        count("num_responses"),
        count("lines_processed"),
        figure(_TIMES),
        figure(_SPEEDS),
    )


def is_id(text: object) -> bool:
    """Tell whether this is the id of a batch: anything else makes the gateway fail with a 500."""
    try:
        return isinstance(text, str) and str(UUID(text)) == text.casefold()
    except ValueError:
        return False


def check_id(text: object) -> str:
    """Return the id of a batch, its blanks stripped.

    Raises
    ------
    UsageError
        It is none; nothing was sent.
    """
    given = text.strip() if isinstance(text, str) else text
    if isinstance(given, str) and is_id(given):
        return given.casefold()
    raise UsageError(
        f"{brief(repr(text), 80)} is no id of a batch; nothing was sent.",
        why="An id looks like 73a40f34-4166-4fce-a20e-6dcd9674a34f.",
        do="See your batches:  %alcf batches",
    )


def ongoing_id(message: str) -> str:
    """Return the id that a refusal names whose input file is in use, ``""`` where it names none."""
    found = _ONGOING.search(message)
    return found[1].casefold() if found and is_id(found[1]) else ""


def results_folder(folder: str, input_file: str, model: str, batch_id: str) -> str:
    """Return the folder on the cluster that a batch writes its files into."""
    return f"{folder.rstrip('/')}/{PurePosixPath(input_file).stem}_{_short(model)}_{batch_id}"


def model_of(summary: Summary, batch_id: str) -> str:
    """Return the model's name without its organisation, as a batch's files are named after it."""
    name = PurePosixPath(summary.results_file).parent.name.removesuffix(f"_{batch_id}")
    stem = PurePosixPath(summary.results_file).name.partition(".results.")[0]
    stem = re.sub(r"_\d{8}_\d{6}$", "", stem)
    return name.removeprefix(f"{stem}_") if name.startswith(f"{stem}_") else ""


def _short(model: str) -> str:
    return model.rpartition("/")[2]


def _no_answer(wanted: str, value: Any) -> AnswerError:
    return AnswerError(
        f"The service's answer is no {wanted}.",
        why=brief(repr(value), 160),
        do="Run the cell again; if it goes on:  %alcf help contacts",
    )
