"""What stands behind ``%alcf``: each command takes the rest of its line and returns a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alcf_jupyter.errors import UsageError
from alcf_jupyter.names import nearest
from alcf_jupyter.notebook.commands import (
    batches,
    choosing,
    connecting,
    contacts,
    examining,
    functions,
    map_line,
    queueing,
    records,
    signing,
    status,
)
from alcf_jupyter.notebook.line import options

if TYPE_CHECKING:
    from collections.abc import Callable


def help_(line: str) -> str:
    """See commands, options, functions: ``%alcf help [alcf_chat | COMMAND | FUNCTION]``."""
    topic = line.strip().lstrip("%").removeprefix("alcf ")
    if topic in PARSERS:
        return PARSERS[topic]().format_help().strip()
    if topic == "contacts":
        return contacts.contacts()
    if topic in COMMANDS:
        words, _, usage = (COMMANDS[topic].__doc__ or "").partition(": ")
        return f"usage: {usage.strip('`.')}\n\n{words}."
    if topic.removeprefix("alcf.") in functions.NAMES:
        return functions.described(topic.removeprefix("alcf."))
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
    commands = "\n".join(f"{usage:<{width}}{words}" for usage, words in told)
    return f"{commands}\n\n{functions.listed()}"


COMMANDS: dict[str, Callable[[str], Any]] = {
    "connect": connecting.connect,
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
    "doctor": examining.doctor,
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
TOPICS = (*dict.fromkeys((*PARSERS, *COMMANDS, *functions.NAMES)), "contacts")
"""What ``%alcf help`` knows about."""
