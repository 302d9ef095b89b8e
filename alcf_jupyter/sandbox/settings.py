"""What can be set for a run, on the command line or in a configuration file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any


@dataclass
class Settings:
    """Everything that can be set; a configuration file is a JSON object of these names.

    `clusters` replaces the default catalogue (see `catalog.read_catalog`), `tokens` maps further
    tokens to roles (see `people.ROLES`), `aliases` further model names to the models they stand
    for. Times are service seconds unless their name says real.
    """

    clock_speed: float = 60.0
    seed: int | None = None
    port: int = 0
    batch_root: str | None = None
    log: str | None = None
    models_route: bool = True
    rate_limit: bool = True
    requests_per_second: int = 10
    tokens_per_model: int = 100_000
    tokens_per_user: int = 60_000
    batches_per_user: int = 2
    batch_seconds: float = 60.0
    batch_chunk_lines: int = 20_000
    batch_chunk_seconds: float = 10.0
    latency_real_seconds: float = 0.0
    patience_real_seconds: float = 0.0
    clusters: dict[str, Any] | None = None
    tokens: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)


def read_settings(path: str | Path) -> Settings:
    """Return the settings in a configuration file.

    Raises
    ------
    ValueError
        For a name that is no setting.
    """
    told = json.loads(Path(path).read_text(encoding="utf-8"))
    known = {item.name for item in fields(Settings)}
    if strange := sorted(set(told) - known):
        raise ValueError(
            f"no such setting: {', '.join(strange)}; there are {', '.join(sorted(known))}"
        )
    return Settings(**told)
