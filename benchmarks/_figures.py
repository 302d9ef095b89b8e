"""Notes the figures of a benchmark where ``python -m tools.figures`` finds them."""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

FOUND = Path(__file__).resolve().parent.parent / "build" / "figures"
_PACKAGES = (
    *("alcf-jupyter", "h11", "httpx", "ipykernel", "msgspec"),
    *("numpy", "openai", "pandas", "pyarrow"),
)


def tell(
    name: str,
    ours: float,
    unit: str,
    *,
    peer: tuple[str, float] | None = None,
    limit: tuple[str, float] | None = None,
    target: str = "",
    reached: bool | None = None,
    cases: str = "",
) -> None:
    """Note one figure, in place of an earlier one of its name.

    Parameters
    ----------
    name
        What was measured, in a few words.
    ours, unit
        The package's own figure.
    peer, limit
        What others need for the same, and what cannot be beaten; a name and a figure in `unit`.
    target
        What it should be, in words such as ``"<= 15"``.
    reached
        Whether it is; None where there is no target.
    cases
        How often it was measured, of how much, and with which seeds.
    """
    script = Path(sys.argv[0]).stem
    path = FOUND / f"{script}.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    found |= _here()
    figures = found.setdefault("figures", {})
    figures.pop(name, None)  # the newest stands last
    figures[name] = {
        "ours": ours,
        "unit": unit,
        "peer": peer,
        "limit": limit,
        "target": target,
        "reached": None if reached is None else bool(reached),
        "cases": cases,
    }
    FOUND.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found), encoding="utf-8")


def _here() -> dict[str, object]:
    """Return where and when this runs."""
    return {
        "day": datetime.now(UTC).date().isoformat(),
        "machine": f"{_processor()}, {os.cpu_count()} cores",
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in _PACKAGES},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    told = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(told, "") or platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
