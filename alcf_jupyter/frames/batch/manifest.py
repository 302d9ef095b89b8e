"""What is kept beside a batch's input: the rows' index, the prompt, the parts and their ids."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import msgspec
import pandas as pd
import pyarrow as pa

from alcf_jupyter.connection import state
from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.record.whole_file import replacing
from alcf_jupyter.plain import brief
from alcf_jupyter.typed import typed

if TYPE_CHECKING:
    from collections.abc import Sequence

SUFFIX: Final = ".manifest.json"
_INDEX: Final = ".index.parquet"
_PART: Final = re.compile(r"-\d+of\d+$")
_POINTERS: Final = "batches"
POSITION: Final = "__position"
ROW_STATUS: Final = "__status"
ROW_REASON: Final = "__reason"

Name: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[^/\0]+$")]
"""What is one part of a path, since files are called after it."""


class Part(msgspec.Struct):
    """One input file, and the batch it became.

    Attributes
    ----------
    name
        The file's, beside the manifest.
    lines
        How many requests it holds.
    digest
        Hash of its bytes.
    attempted
        When it was sent last without an answer having come yet, else 0.
    batch_id, status
        ``""`` before it is a batch.
    ended
        When the service noticed that it had ended, else 0.
    """

    name: Name
    lines: int
    digest: str = ""
    attempted: float = 0.0
    batch_id: Annotated[str, msgspec.Meta(pattern=r"^[^/\0]*$")] = ""
    status: str = ""
    reason: str = ""
    created: float = 0.0
    ended: float = 0.0


class Manifest(msgspec.Struct):
    """All that is known of a campaign: the batches that answer one table.

    Attributes
    ----------
    name
        What its files begin with.
    folder, output_folder
        Of the input and of the results, on the cluster.
    rows
        How many the table has, those that are not sent included; 0 where there is no table.
    transferred
        Whether the input is on the cluster's file system.
    retry_of, retries
        Names of the campaign whose failed rows this one sends again, and of those that do so.
    schema, prefix
        The form of the answers as a JSON schema, ``{}`` for none, and what its columns begin with.
    """

    name: Name
    kind: str
    model: str
    cluster: str
    service: str
    folder: str
    output_folder: str
    parts: list[Part]
    rows: int = 0
    template: str = ""
    system: str = ""
    parameters: dict[str, Any] = {}
    created: float = 0.0
    transferred: bool = True
    retry_of: str = ""
    retries: list[str] = []
    version: int = 1
    schema: dict[str, Any] = {}
    prefix: str = ""


def stem_of(input_file: str) -> str:
    """Return what the files of a campaign begin with, from the name of one of its input files."""
    return _PART.sub("", Path(input_file).name.removesuffix(".jsonl"))


def path_of(folder: Path, name: str) -> Path:
    """Return where the manifest of a campaign is."""
    return folder / f"{name}{SUFFIX}"


def read(path: Path) -> Manifest | None:
    """Return a manifest, None where there is none.

    Raises
    ------
    UsageError
        It cannot be read.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(
            f"{path} cannot be read: {brief(error, 120)}",
            why="It says which rows a batch's results belong to.",
            do="Put it aside to go on without it; results then come by their custom ids.",
        ) from None


def write(manifest: Manifest, folder: Path) -> None:
    """Write a manifest in place of its earlier version, and point to it from its name and ids.

    Raises
    ------
    UsageError
        It cannot be written.
    """
    path = path_of(folder, manifest.name)
    replace(path, msgspec.json.format(state_of(manifest)))
    for one in (manifest.name, *(part.batch_id for part in manifest.parts if part.batch_id)):
        point(one, path)


def state_of(manifest: Manifest) -> bytes:
    """Return all that a manifest says, to be compared."""
    return msgspec.json.encode(manifest)


def write_index(index: pd.Index[Any], rows: pd.DataFrame, path: Path) -> None:
    """Keep the rows' index, and what became of those that are not sent.

    Parameters
    ----------
    index
        The table's.
    rows
        Columns `POSITION`, `ROW_STATUS` and `ROW_REASON`.
    path
        The file.

    Raises
    ------
    UsageError
        The index cannot be kept.
    """
    try:
        with replacing(path) as part:
            rows.set_axis(index).to_parquet(part)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise UsageError(
            f"The table's index cannot be kept beside the batch: {brief(error, 120)}",
            do="Give the table a plain one:  df.index = df.index.map(str)",
        ) from None
    except OSError as error:
        raise _not_written(path, error) from None


def read_index(folder: Path, name: str) -> pd.DataFrame | None:
    """Return what `write_index` kept, None where it is not there."""
    path = folder / f"{name}{_INDEX}"
    try:
        return pd.read_parquet(path)
    except FileNotFoundError:
        return None
    except (OSError, pa.ArrowException) as error:
        raise UsageError(
            f"{path} cannot be read: {brief(error, 120)}",
            do="Give the table:  b.results(df)",
        ) from None


def index_path(folder: Path, name: str) -> Path:
    """Return where the index of a campaign is kept."""
    return folder / f"{name}{_INDEX}"


def point(name: str, path: Path) -> None:
    """Remember in the state directory where the manifest of a campaign, or of a batch's id, is.

    Raises
    ------
    UsageError
        This is no name of a file, or none can be written.
    """
    if not name or Path(name).name != name:
        raise UsageError(
            f"{brief(repr(name), 80)} is no name of a batch, and nothing is kept of it.",
            do="See your batches:  %alcf batches",
        )
    pointer = state.folder(_POINTERS) / f"{name}.path"
    text = os.fsencode(path.absolute())
    if not pointer.exists() or pointer.read_bytes() != text:
        replace(pointer, text)


def pointed(name: str) -> Path | None:
    """Return where the manifest of a name or an id is, if this machine knows."""
    try:
        return Path(os.fsdecode((state.folder(_POINTERS) / f"{name}.path").read_bytes()))
    except (OSError, UsageError):
        return None


def all_pointed() -> list[Path]:
    """Return every manifest that this machine knows of."""
    try:
        pointers = sorted(state.folder(_POINTERS).glob("*.path"))
        paths = [Path(os.fsdecode(one.read_bytes())) for one in pointers]
    except (OSError, UsageError):
        return []
    return list(dict.fromkeys(paths))


def replace(path: Path, data: bytes) -> None:
    """Write a private file whole, or leave the one that is there.

    Raises
    ------
    UsageError
        It cannot be written.
    """
    try:
        with replacing(path) as part:
            part.write_bytes(data)
    except OSError as error:
        raise _not_written(path, error) from None


def _not_written(path: Path, error: OSError) -> UsageError:
    return UsageError(
        f"{path} cannot be written: {error.strerror}.",
        do=f"Name a folder that you can write to:  {typed(folder='/eagle/PROJECT/NAME')}",
    )


def now() -> float:
    """Return the time as it is noted."""
    return round(time.time(), 3)


def lines_of(parts: Sequence[Part]) -> int:
    """Return how many requests parts hold together."""
    return sum(part.lines for part in parts)
