"""Looking at an input file before it is submitted: one broken line fails thousands."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import msgspec

from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.batch.requests import KINDS
from alcf_jupyter.frames.batch.writer import DIGEST
from alcf_jupyter.plain import brief
from alcf_jupyter.service.batches import MOST_LINES

if TYPE_CHECKING:
    from pathlib import Path

_URLS: Final = {url: kind for kind, url in KINDS.items()}


class _Request(msgspec.Struct):
    custom_id: str
    method: str
    url: str
    body: msgspec.Raw


class _Body(msgspec.Struct):
    model: str
    messages: list[dict[str, Any]] | None = None
    input: str | list[Any] | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """What an input file holds: how many lines, of which kind, for which model."""

    lines: int
    kind: str
    model: str
    digest: str


def check_file(path: Path, model: str | None) -> Checked:
    """Look at every line of an input file: one that is broken fails all lines around it.

    Parameters
    ----------
    path
        The file.
    model
        The model that it is for; None: the one that its first line names.

    Raises
    ------
    UsageError
        It cannot be read, is empty or too long, or a line is no request; the message names the
        first such line.
    """
    read, inside = msgspec.json.Decoder(_Request).decode, msgspec.json.Decoder(_Body).decode
    seen: set[str] = set()
    kinds: set[str] = set()
    made = sha256()
    lines = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                made.update(line)
                if not line.strip():
                    continue
                lines += 1
                try:
                    one = read(line)
                    body = inside(one.body)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    raise _broken(path, number, brief(error, 160)) from None
                model = model or body.model
                wrong = _wrong(one, body, model, seen)
                if wrong:
                    raise _broken(path, number, wrong)
                seen.add(one.custom_id)
                kinds.add(_URLS[one.url])
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}; nothing was submitted.",
            do=f"Look at it:  !ls -l {path}",
        ) from None
    if not lines or lines > MOST_LINES:
        raise UsageError(
            f"{path} holds {lines:,} requests; a batch takes 1 to {MOST_LINES:,}.",
            why="Nothing was submitted.",
            do="Give the table and let it be cut:  alcf.submit_batch(df, …)",
        )
    return Checked(
        lines, "embed" if kinds == {"embed"} else "chat", model or "", made.hexdigest()[:DIGEST]
    )


def _wrong(one: _Request, body: _Body, model: str, seen: set[str]) -> str:
    """Return what is wrong with a line, ``""`` where nothing is."""
    kind = _URLS.get(one.url)
    if kind is None:
        return f"its url is {brief(one.url, 60)!r}, and a batch takes {' or '.join(_URLS)}"
    if one.method != "POST":
        return f"its method is {brief(one.method, 20)!r}, and not 'POST'"
    if body.model != model:
        return f"it names the model {brief(body.model, 60)!r}, and not {model!r}"
    if one.custom_id in seen:
        return f"its custom_id {brief(one.custom_id, 60)!r} was used before"
    lacks = not body.messages if kind == "chat" else body.input is None
    return f"it has no {'messages' if kind == 'chat' else 'input'}" if lacks else ""


def _broken(path: Path, number: int, why: str) -> UsageError:
    return UsageError(
        f"Line {number:,} of {path.name} is no request for a batch; nothing was submitted.",
        why=f"{why[0].upper()}{why[1:]}. One broken line fails the 20,000 around it.",
        do=f"Look at it:  !sed -n {number}p {path}",
    )
