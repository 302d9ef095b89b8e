"""The file of recorded answers: readable, without tokens or times, each under its request's hash.

A request is its route, model, cluster and body; what an image holds stands in it as a hash. An
entry that was changed by hand no longer has its hash, and is refused.
"""

from __future__ import annotations

import copy
import difflib
import hashlib
import json
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from alcf_jupyter.connection.record import variable
from alcf_jupyter.errors import ReplayError
from alcf_jupyter.plain import brief
from alcf_jupyter.service.catalog import Catalog

FORMAT = "alcf_jupyter replay 1"
_LARGEST_FILE = 1_000_000_000


class Answered(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """What the service answered: a text, embeddings, or a failure with what had come by then."""

    text: str = ""
    reasoning: str = ""
    finish_reason: str = ""
    tool_calls: list[dict[str, Any]] = []
    vectors: list[Any] = []
    usage: dict[str, int | None] = {}
    served: str = ""
    model: str = ""
    cluster: str = ""
    states: list[str] = []
    failure: str = ""
    """The name of an error's class; `said` is its message."""
    said: list[str] = []


class Entry(msgspec.Struct, forbid_unknown_fields=True):
    """A request, and what was answered each time it was made, in order."""

    key: str
    request: dict[str, Any]
    answers: list[Answered]
    check: str = ""


class _File(msgspec.Struct, forbid_unknown_fields=True):
    format: str
    catalogs: dict[str, list[Catalog]]
    looks: dict[str, list[int]]
    entries: list[Entry]


def digest(value: Any) -> str:
    """Return the hash of a JSON value, the same however it is written."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def request(
    service: str, route: str, model: str, cluster: str | None, body: dict[str, Any]
) -> dict[str, Any]:
    """Return a request as it is recorded."""
    sent = {name: value for name, value in body.items() if name != "stream_options"}
    plain = json.loads(msgspec.json.encode(sent))
    return {
        "service": service,
        "route": route,
        "model": model,
        "cluster": cluster,
        "body": _hashed(plain),
    }


def prompt_of(asked: dict[str, Any]) -> str:
    """Return the text of a recorded request that a person would know it by."""
    body = asked.get("body", {})
    said = body.get("prompt") or body.get("input") or ""
    for message in body.get("messages", []):
        if isinstance(message, dict) and message.get("role") == "user":
            said = message.get("content")
    if isinstance(said, list):
        said = next((one if isinstance(one, str) else one.get("text") for one in said), "")
    return str(said)


def _hashed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _hashed(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_hashed(one) for one in value]
    if isinstance(value, str) and value.startswith("data:"):
        head, _, data = value.partition(",")
        return f"{head},sha256:{hashlib.sha256(data.encode()).hexdigest()}"
    return value


@dataclass
class Record:
    """The answers of one file.

    Attributes
    ----------
    path
        The file.
    catalogs
        The models of each service, each time they had changed.
    looks
        Which of them was seen at each look, in order.
    entries
        Each request with its answers, by the request's hash.
    """

    path: Path
    catalogs: dict[str, list[Catalog]] = field(default_factory=dict)
    looks: dict[str, list[int]] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Record:
        """Read a file.

        Raises
        ------
        ReplayError
            It is not there, not such a file, or was changed by hand.
        """
        try:
            if path.stat().st_size > _LARGEST_FILE:
                raise _unusable(path, "it is too large")
            told = msgspec.json.decode(path.read_bytes(), type=_File)
        except FileNotFoundError:
            raise ReplayError(
                f"There is no file of recorded answers {path}.",
                do="Record it first:  " + variable.then(f"alcf.replay('record', {str(path)!r})"),
            ) from None
        except OSError as error:
            raise _unusable(path, str(error.strerror)) from None
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise _unusable(
                path, f"it is not a file of recorded answers ({brief(error, 80)})"
            ) from None
        if told.format != FORMAT:
            raise _unusable(path, f"its format is {brief(told.format, 40)!r}, not {FORMAT!r}")
        for entry in told.entries:
            if entry.key != digest(entry.request) or entry.check != _check(entry):
                raise _unusable(
                    path,
                    f"the entry of the prompt {brief(prompt_of(entry.request), 60)!r} was changed "
                    "after it was recorded",
                )
        for service, looks in told.looks.items():
            if not all(0 <= look < len(told.catalogs.get(service, ())) for look in looks):
                raise _unusable(path, "it refers to a list of models that is not in it")
        entries = {entry.key: entry for entry in told.entries}
        return cls(path, told.catalogs, told.looks, entries)

    def write(self) -> None:
        """Write the file, whole or not at all, for its owner alone to read.

        Raises
        ------
        ReplayError
            It cannot be written.
        """
        entries = [
            msgspec.structs.replace(entry, check=_check(entry)) for entry in self.entries.values()
        ]
        told = msgspec.to_builtins(_File(FORMAT, self.catalogs, self.looks, entries))
        text = json.dumps(told, indent=1, ensure_ascii=False)
        name = ""
        try:
            # made with mode 0600
            number, name = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)
            with os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(f"{text}\n")
            Path(name).replace(self.path)
            name = ""
        except OSError as error:
            raise ReplayError(
                f"The answers cannot be recorded in {self.path}: {error.strerror}.",
                do="Name another file:  alcf.replay('record', PATH)",
            ) from None
        finally:  # an interrupt leaves nothing behind either
            if name:
                with suppress(OSError):
                    Path(name).unlink()

    def keep_catalog(self, service: str, known: Catalog, *, afresh: bool) -> None:
        """Keep the models of a service as they are seen now.

        Parameters
        ----------
        service, known
            The service, and its models.
        afresh
            Whether this is the first look of a recording, which forgets those of an earlier one.
        """
        if afresh:
            self.catalogs[service], self.looks[service] = [], []
        lasting = [
            replace(one, host="", walltime="", estimated_start="", comment="")
            for one in known.models
        ]
        clusters = tuple(replace(one, free_nodes=None) for one in known.clusters)
        now = Catalog(clusters, tuple(lasting), (), known.complete)
        seen = self.catalogs[service]
        if now not in seen:
            seen.append(now)
        self.looks[service].append(seen.index(now))

    def catalog(self, service: str, look: int) -> Catalog | None:
        """Return the models of a service as they were seen at a look, or at the last one."""
        looks = self.looks.get(service)
        if not looks:
            return None
        return self.catalogs[service][looks[min(look, len(looks) - 1)]]

    def nearest(self, asked: dict[str, Any]) -> str:
        """Say in words which recorded request is nearest to one that is not there."""
        wanted = prompt_of(asked)
        by_prompt = {prompt_of(entry.request): entry.request for entry in self.entries.values()}
        if wanted in by_prompt:
            differ = _changed(by_prompt[wanted], asked)
            return f"The prompt is recorded, but these differ:  {differ}"
        found = difflib.get_close_matches(wanted[:2000], [p[:2000] for p in by_prompt], 1, 0.0)
        if not found:
            return "Nothing is recorded in it."
        return f"The nearest recorded prompt:  {brief(found[0], 100)!r}"


def _changed(known: dict[str, Any], asked: dict[str, Any]) -> str:
    """Name where two requests differ."""
    first, second = copy.copy(known), copy.copy(asked)
    first |= first.pop("body")
    second |= second.pop("body")
    names = [name for name in {**first, **second} if first.get(name) != second.get(name)]
    return ", ".join(brief(name, 40) for name in names) or "none that can be named"


def _check(entry: Entry) -> str:
    return digest(msgspec.to_builtins(entry.answers))


def _unusable(path: Path, why: str) -> ReplayError:
    return ReplayError(
        f"The recorded answers in {path} cannot be used: {why}.",
        do="Record them again in a file of another name:  "
        + variable.then("alcf.replay('record', PATH)"),
    )
