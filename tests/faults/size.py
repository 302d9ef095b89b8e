"""How much is tried: what every change must pass, or what a release must.

``ALCF_JUPYTER_FAULTS`` is empty for every change, ``release`` for a release, or ``seed=NUMBER`` to
try one random schedule again.
"""

import os
from dataclasses import dataclass

ASKED = os.environ.get("ALCF_JUPYTER_FAULTS", "")
RELEASE = ASKED == "release"
NAME = "release" if RELEASE else "change"
SEED = int(ASKED.removeprefix("seed=")) if ASKED.startswith("seed=") else None


@dataclass(frozen=True)
class Size:
    """How many of each; see reliability in docs/guarantees.md.

    Attributes
    ----------
    schedules
        Random fault schedules.
    kills
        Processes ended by SIGKILL.
    interrupts
        Interrupts in each phase.
    steps
        Random sequences on the virtual clock.
    storm_seconds
        How long the storm of 429s goes on.
    rows
        The longest column.
    soak
        Rows of the column that is mapped through faults, kills and expired tokens all at once.
    """

    schedules: int
    kills: int
    interrupts: int
    steps: int
    storm_seconds: float
    rows: int
    soak: int


SIZE = (
    Size(
        schedules=20_000,
        kills=1_000,
        interrupts=100,
        steps=5_000,
        storm_seconds=60,
        rows=150_000,
        soak=100_000,
    )
    if RELEASE
    else Size(
        schedules=1_000,
        kills=40,
        interrupts=2,
        steps=50,
        storm_seconds=8,
        rows=600,
        soak=1_500,
    )
)
