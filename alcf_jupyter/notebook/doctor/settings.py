"""The variables that steer this package, those that do not, and whether answers are recorded."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from alcf_jupyter.connection import profiles, session, state
from alcf_jupyter.connection.other_tools import unused
from alcf_jupyter.connection.record import replay
from alcf_jupyter.connection.record.variable import ENV_REPLAY
from alcf_jupyter.connection.sign_in import globus, sources
from alcf_jupyter.errors import AlcfError
from alcf_jupyter.names import nearest
from alcf_jupyter.notebook.doctor.finding import note, ok, problem
from alcf_jupyter.notebook.doctor.lines import same, short, variable
from alcf_jupyter.notebook.doctor.proxies import address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alcf_jupyter.notebook.doctor.finding import Finding

OURS = (
    *(profiles.ENV_SERVICE, session.ENV_CHAT, session.ENV_EMBED),
    *(ENV_REPLAY, state.ENV_STATE, globus.ENV_CLIENT),
)
SECRETS = (sources.ENV_TOKEN, sources.ENV_ACCOUNT, sources.ENV_SECRET)
PREFIX = "ALCF_JUPYTER_"
MEANT = {name.removeprefix(PREFIX): name for name in OURS} | {"TOKEN": sources.ENV_TOKEN}
"""What tells one setting from another, and its whole name."""


def check() -> Iterator[Finding]:
    """Look for variables that are misspelled or meant for other programs, and for a record."""
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in OURS:
            near = nearest(name.removeprefix(PREFIX), MEANT)
            do = same(MEANT[near[0]], name) if near else ""
            yield note("Settings", f"there is no setting {name}", do)
    says, line = unused()
    if says:
        yield note("Settings", says, line)
    yield from _record()


def listed() -> list[tuple[str, str]]:
    """Return the settings that are set; of a secret only that it is."""
    rows = [(name, short(address(os.environ[name]))) for name in OURS if name in os.environ]
    return rows + [(name, "set") for name in SECRETS if os.environ.get(name)]


def _record() -> Iterator[Finding]:
    try:
        tape = replay.active()
    except AlcfError as error:
        yield problem("Replay", error.what, error.do)
        return
    if tape is None:
        return
    off = variable(ENV_REPLAY, "off")
    if tape.mode == "only":
        yield note(
            "Replay", f"answers come from {short(tape.record.path)} alone; nothing is sent", off
        )
    else:
        yield ok("Replay", f"answers are recorded in {short(tape.record.path)}")
