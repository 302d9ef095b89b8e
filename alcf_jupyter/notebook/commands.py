"""What stands behind ``%alcf``: each command takes the rest of its line and returns a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alcf_jupyter.errors import AlcfError, UsageError, nearest
from alcf_jupyter.notebook import (
    batches,
    choosing,
    map_line,
    options,
    queueing,
    records,
    signing,
    status,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from alcf_jupyter.connection.client import Client
    from alcf_jupyter.notebook.doctor.report import Report


def connect(line: str) -> str:
    """Choose the service: ``%alcf connect [alcf | sandbox | ADDRESS | FILE]``."""
    from alcf_jupyter.connection import session

    chosen, rest = options.connect_parser().read(line)
    words = rest.split()
    if len(words) > 1:
        raise UsageError(
            f"%alcf connect takes one service, not {len(words)}.", do="Type:  %alcf connect sandbox"
        )
    client = session.connect(
        words[0] if words else None, proxy=chosen.proxy, poll_seconds=chosen.poll_seconds
    )
    lines = [f"Connected to {client.profile}."]
    if session.current().overridden:
        lines.append(
            f"ALCF_JUPYTER_SERVICE asks for this in place of {session.current().overridden!r}."
        )
    lines += _unused_variables()
    return "\n".join([*lines, _summary(client)])


def doctor(line: str) -> Report:
    """Find what is wrong here, and what mends it: ``%alcf doctor [--offline]``."""
    from alcf_jupyter.notebook.doctor import examine

    chosen, rest = options.doctor_parser().read(line)
    if rest:
        raise UsageError("%alcf doctor takes no words.", do="Type:  %alcf doctor")
    return examine(offline=chosen.offline)


def help_(line: str) -> str:
    """See the commands, options and contacts: ``%alcf help [alcf_chat | COMMAND | contacts]``."""
    topic = line.strip().lstrip("%").removeprefix("alcf ")
    if topic in PARSERS:
        return PARSERS[topic]().format_help().strip()
    if topic == "contacts":
        return _contacts()
    if topic in COMMANDS:
        words, _, usage = (COMMANDS[topic].__doc__ or "").partition(": ")
        return f"usage: {usage.strip('`.')}\n\n{words}."
    if topic:
        near = nearest(topic, TOPICS)
        raise UsageError(
            f"There is no help on {topic!r}.",
            do=f"Did you mean:  %alcf help {near[0]}" if near else "Type:  %alcf help",
        )
    told = [("%%alcf_chat -m MODEL", "Ask a model; the cell is the prompt")]
    told.append(("%%alcf_embed -m MODEL", "Embed texts, one on each line of the cell"))
    for command in COMMANDS.values():
        words, _, usage = (command.__doc__ or "").partition(": ")
        told.append((usage.strip("`."), words))
    width = max(len(usage) for usage, _ in told) + 2
    return "\n".join(f"{usage:<{width}}{words}" for usage, words in told)


COMMANDS: dict[str, Callable[[str], Any]] = {
    "connect": connect,
    "login": signing.login,
    "logout": signing.logout,
    "whoami": signing.whoami,
    "models": queueing.models,
    "use": choosing.use,
    "wait": queueing.wait,
    "status": status.status,
    "map": map_line.map_,
    "runs": records.runs,
    "batches": batches.batches,
    "threads": records.threads,
    "usage": records.usage,
    "cite": records.cite,
    "doctor": doctor,
    "help": help_,
}


PARSERS = {
    "alcf_chat": options.chat_parser,
    "alcf_embed": options.embed_parser,
    "use": options.use_parser,
    "connect": options.connect_parser,
    "login": options.login_parser,
    "logout": options.logout_parser,
    "models": options.models_parser,
    "wait": options.wait_parser,
    "map": options.map_parser,
    "runs": options.runs_parser,
    "batches": options.batches_parser,
    "threads": options.threads_parser,
    "cite": options.cite_parser,
    "doctor": options.doctor_parser,
}
TOPICS = (*dict.fromkeys((*PARSERS, *COMMANDS)), "contacts")
"""What ``%alcf help`` knows about."""


def _contacts() -> str:
    """Return whom to write to; a site may set addresses of its own."""
    from alcf_jupyter.connection import site_file
    from alcf_jupyter.service import support

    addresses = support.contacts(site_file.read().contacts)
    by_address: dict[str, list[str]] = {}
    for subject, address in addresses.items():
        by_address.setdefault(address, []).append(support.SUBJECTS[subject])
    lines = []
    for address, subjects in by_address.items():
        lines += [address, *(f"  for {subject}" for subject in subjects)]
    return "\n".join([*lines, f"The service itself: {status.WEB_INTERFACE} · {status.STATUS_PAGE}"])


def _summary(client: Client) -> str:
    """Say what there is, or why it could not be asked for: connecting itself sends nothing."""
    try:
        known = client.models(timeout="20s")
    except AlcfError as error:
        return str(error)
    if not client.profile.is_gateway:
        return f"{len(known.models)} models." if known.models else "It does not list its models."
    if not known.models:
        return f"It shows you no models. {_other_identity(client)}".strip()
    names = ", ".join(cluster.name for cluster in known.clusters)
    live = sum(model.state == "Live" for model in known.models)
    return f"{len(known.models)} models on {names}; {live} are Live."


def _other_identity(client: Client) -> str:
    """Say who one is, where there is nothing to see for that reason perhaps."""
    who = client.who()
    return f"You are signed in as {who}; another of your identities may see them." if who else ""


def _unused_variables() -> list[str]:
    """Name variables of other tools that people expect to count here."""
    import os

    found: dict[str, Any] = {
        name: os.environ[name] for name in ("OPENAI_BASE_URL", "MODEL_NAME") if name in os.environ
    }
    if not found:
        return []
    names = " and ".join(found)
    return [f"{names} are not used here; to talk to that server:  alcf.connect(ADDRESS, token=…)"]
