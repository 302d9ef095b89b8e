"""alcf.provenance: where the answers of a notebook came from, read from the notebook itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alcf_jupyter.errors import UsageError
from alcf_jupyter.plain import brief

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    import pandas as pd

KEY = "alcf"
"""Under this name an output's metadata holds the provenance."""

_FIRST = (
    *("cell", "execution_count", "route", "model", "model_served", "cluster", "service", "url"),
    *("parameters", "complete", "finish_reason", "prompt_tokens", "completion_tokens"),
    *("waited_seconds", "first_token_seconds", "total_seconds", "states", "time"),
    *("prompt_sha256", "answer_sha256", "versions"),
)
_LARGEST_FILE = 2_000_000_000
_NOT_TOLD = {"template", "repeated", "unknown", "groups", "projection"}
"""What a frame knows of its rows, and no reader of a methods section asks for."""


def provenance(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Return where each answer in a notebook came from.

    Parameters
    ----------
    path
        A notebook, saved after its cells were run.

    Returns
    -------
    pandas.DataFrame
        One row for each recorded answer, and one for each run over a column or batch whose frame
        was shown, in the notebook's order and where it was shown first: the cell's place (from 0)
        and its number, what was asked for and what answered, the parameters, whether the answer
        is whole, tokens, seconds, the time in UTC, and hashes of what was asked and of what came.

    Raises
    ------
    UsageError
        It is not a notebook.
    """
    import pandas as pd

    rows = list(_rows(_read(_path(path))))
    more = sorted({name for row in rows for name in row} - set(_FIRST))
    frame = pd.DataFrame(rows, columns=[*_FIRST, *more])
    for name in ("execution_count", "prompt_tokens", "completion_tokens"):
        frame[name] = pd.to_numeric(frame[name], errors="coerce").astype("Int64")
    # in a notebook's metadata a text is a text, whatever wrote it
    frame["time"] = pd.to_datetime(frame["time"], errors="coerce", utc=True)
    return frame


def of_frame(frame: pd.DataFrame) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the output that shows a frame holds besides: in its metadata, its provenance.

    Parameters
    ----------
    frame
        Any; of those that `map`, `embed` and batches return, ``attrs["alcf"]`` tells it.
    """
    own = getattr(frame, "_repr_mimebundle_", None)  # a kind of frame with a look of its own
    shown = (own() if own else None) or {}
    data, metadata = shown if isinstance(shown, tuple) else (shown, {})
    told = frame.attrs.get(KEY)
    if not isinstance(told, dict) or "model" not in told:
        return data, metadata
    plain = {name: value for name, value in told.items() if name not in _NOT_TOLD}
    return data, {**metadata, KEY: json.loads(json.dumps(plain, default=str))}


def _path(given: str | os.PathLike[str]) -> Path:
    try:
        return Path(given).expanduser()
    except TypeError:
        raise UsageError(
            f"A notebook is named by its path, not by a {type(given).__name__}.",
            do="Type:  alcf.provenance('study.ipynb')",
        ) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise _unusable(path, "it is too large")
        told = json.loads(path.read_bytes())
    except OSError as error:
        raise _unusable(path, str(error.strerror)) from None
    except (ValueError, RecursionError) as error:
        raise _unusable(path, brief(error, 100)) from None
    if not isinstance(told, dict) or not isinstance(told.get("cells"), list):
        raise _unusable(path, "it holds no cells, as notebooks of format 4 do")
    return told


def _rows(notebook: dict[str, Any]) -> Iterator[dict[str, Any]]:
    seen = set()  # what is shown twice is one answer
    for place, cell in enumerate(notebook["cells"]):
        outputs = cell.get("outputs") if isinstance(cell, dict) else None
        for output in outputs if isinstance(outputs, list) else []:
            metadata = output.get("metadata") if isinstance(output, dict) else None
            told = metadata.get(KEY) if isinstance(metadata, dict) else None
            for one in told if isinstance(told, list) else [told]:
                if isinstance(one, dict) and (key := json.dumps(one, sort_keys=True)) not in seen:
                    seen.add(key)
                    yield {"cell": place, "execution_count": cell.get("execution_count"), **one}


def _unusable(path: Path, why: str) -> UsageError:
    return UsageError(
        f"{path} cannot be read as a notebook: {why}.", do="Save the notebook, and name its file."
    )
