"""The options of the magics: what may stand on their line, read and explained."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from typing import Any, NoReturn

from alcf_jupyter.errors import UsageError, nearest

_TOKEN = re.compile(r"""\s*((?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s"'])+|\S+)""")


class Parser(argparse.ArgumentParser):
    """A parser whose errors are two lines, the second one to type.

    Parameters
    ----------
    magic
        What is typed, such as ``%%alcf_chat``.
    description
        What it does, a sentence.
    mixed
        Whether options may also follow words; a prompt is left alone from its first word on.
    """

    def __init__(self, magic: str, description: str, *, mixed: bool = False) -> None:
        super().__init__(
            prog=magic, description=description, add_help=False, allow_abbrev=False, usage=None
        )
        self.magic = magic
        self.mixed = mixed
        self.takes_value: dict[str, bool] = {}

    def option(self, *flags: str, **settings: Any) -> None:
        """Add an option; `settings` are those of `argparse`."""
        self.add_argument(*flags, **settings)
        for flag in flags:
            self.takes_value[flag] = settings.get("action", "store") in ("store", "append")

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        raise UsageError(
            f"{self.magic}: {message}.", do=f"See the options:  %alcf help {self.magic.strip('%')}"
        )

    def read(self, line: str) -> tuple[argparse.Namespace, str]:
        """Return the options at the start of `line`, and the text that follows them as it stands.

        Raises
        ------
        UsageError
            An option is unknown (the nearest is named), lacks its value or has a wrong one.
        """
        words: list[str] = []
        plain: list[str] = []
        at = 0
        while token := _TOKEN.match(line, at):
            if not token[1].startswith("-") or token[1] == "-":
                if not self.mixed:
                    break
                plain.append(token[1])
                at = token.end()
                continue
            flag, _, given = token[1].partition("=")
            at = token.end()
            if flag == "--":
                break
            if flag not in self.takes_value:
                flag, given = self._joined(token[1])
            words.append(flag)
            if self.takes_value[flag]:
                if not given:
                    value = _TOKEN.match(line, at)
                    if value is None:
                        self.error(f"{flag} needs a value")
                    at, given = value.end(), value[1]
                words[-1] = f"{flag}={_unquoted(given)}"
        return self.parse_args(words), " ".join([*plain, line[at:].strip()]).strip()

    def _joined(self, word: str) -> tuple[str, str]:
        """Read ``-n8`` as ``-n 8``, or raise for an option that does not exist."""
        if not word.startswith("--") and self.takes_value.get(word[:2]):
            return word[:2], word[2:]
        flag = word.partition("=")[0]
        near = nearest(flag, self.takes_value)
        raise UsageError(
            f"{self.magic} has no option {flag}.",
            do=f"Did you mean:  {near[0]}"
            if near
            else f"See the options:  %alcf help {self.magic.strip('%')}",
        )


def _unquoted(word: str) -> str:
    try:
        parts = shlex.split(word)
    except ValueError:
        return word
    return " ".join(parts)


def _common(parser: Parser) -> None:
    parser.option("-c", "--cluster", help="sophia, metis, minerva, ...")
    parser.option("-o", "--out", metavar="NAME", help="keep the result in this variable, too")
    parser.option(
        "--timeout",
        metavar="DURATION",
        help="one limit for everything, the queue included (30m; 5m where nobody watches)",
    )
    parser.option("--no-wait", action="store_true", help="fail at once when the model is not Live")
    parser.option("--no-vars", action="store_true", help="leave {{...}} as it is")
    parser.option("-q", "--quiet", action="store_true", help="no status line, no footer")


def chat_parser() -> Parser:
    """Return the parser of ``%alcf_chat`` and ``%%alcf_chat``."""
    parser = Parser("%%alcf_chat", "Ask a model. The cell is the prompt.")
    parser.option(
        "-m",
        "--model",
        action="append",
        help="model id, or an alias set with %%alcf use; several answer side by side",
    )
    _common(parser)
    parser.option("-s", "--system", help="system prompt")
    parser.option("--system-file", metavar="PATH", help="system prompt from a file")
    parser.option("-t", "--temperature", type=float, help="0 to 2")
    parser.option("-n", "--max-tokens", type=int, help="longest answer, in tokens")
    parser.option("--top-p", type=float, help="0 to 1")
    parser.option("--seed", type=int, help="a number, for answers that can be repeated")
    parser.option("--stop", action="append", help="stop before this text; up to 4 times")
    parser.option("--reasoning-effort", choices=["low", "medium", "high"], help="how long to think")
    parser.option("-P", "--param", action="append", metavar="KEY=VALUE", help="any other parameter")
    parser.option(
        "-f", "--format", choices=["markdown", "text", "code", "json"], help="how it is shown"
    )
    parser.option(
        "--schema",
        help='form of the answer: a variable, a .json file, or "name, age int, tags list[str]"',
    )
    parser.option(
        "-i", "--image", action="append", help="a file or a variable; -i may be given several times"
    )
    parser.option(
        "--tool", action="append", metavar="FUNCTION", help="a function the model may call"
    )
    parser.option("--thread", metavar="NAME", help="go on with this conversation")
    parser.option("--new-thread", action="store_true", help="begin the conversation anew")
    parser.option("--dry-run", action="store_true", help="show the request, and send nothing")
    parser.option("--no-stream", action="store_true", help="show the answer at its end only")
    return parser


def embed_parser() -> Parser:
    """Return the parser of ``%alcf_embed`` and ``%%alcf_embed``."""
    parser = Parser("%%alcf_embed", "Embed texts, one on each line of the cell.")
    parser.option("-m", "--model", help="model id, or an alias set with %%alcf use")
    _common(parser)
    parser.option("--dimensions", type=int, help="length of the embeddings, where it can be set")
    parser.option("--normalize", action="store_true", help="scale each embedding to length 1")
    return parser


def use_parser() -> Parser:
    """Return the parser of ``%alcf use``."""
    parser = Parser(
        "%alcf use", "Choose the model to use where none is named: MODEL [as NAME].", mixed=True
    )
    parser.option("--chat", action="store_true", help="for chat cells (the default)")
    parser.option("--embed", action="store_true", help="for embed cells")
    return parser


def connect_parser() -> Parser:
    """Return the parser of ``%alcf connect``."""
    parser = Parser(
        "%alcf connect", "Choose the service: alcf, sandbox, or an address.", mixed=True
    )
    parser.option("--proxy", help="proxy to use in place of the environment's")
    parser.option("--poll-seconds", type=float, help="pace of the queue, on this machine only")
    return parser


def login_parser() -> Parser:
    """Return the parser of ``%alcf login``."""
    parser = Parser("%alcf login", "Sign in with Globus; the tokens stay in your home directory.")
    parser.option("--force", action="store_true", help="afresh, as a policy asks now and then")
    parser.option("--text", action="store_true", help="a plain prompt, where no panel appears")
    return parser


def logout_parser() -> Parser:
    """Return the parser of ``%alcf logout``."""
    parser = Parser("%alcf logout", "Sign out of the ALCF Inference Endpoints.")
    parser.option("--all", action="store_true", help="also of what else ALCF's tools hold")
    return parser


def models_parser() -> Parser:
    """Return the parser of ``%alcf models``."""
    parser = Parser("%alcf models", "Every model and its state.")
    parser.option("--state", help="Live, Starting, Queued, Offline, ...")
    parser.option("-c", "--cluster", help="sophia, metis, minerva, ...")
    parser.option("--can", help="chat, embed, batch, see, tools or reason")
    parser.option("--table", action="store_true", help="a table in place of the list to click")
    return parser


def wait_parser() -> Parser:
    """Return the parser of ``%alcf wait``."""
    parser = Parser(
        "%alcf wait", "Wait until a model is Live, starting it if a request can.", mixed=True
    )
    parser.option("-c", "--cluster", help="sophia, metis, minerva, ...")
    parser.option("--timeout", metavar="DURATION", help="give up after this long (30m)")
    parser.option("--bg", action="store_true", help="wait while other cells run")
    return parser


def threads_parser() -> Parser:
    """Return the parser of ``%alcf threads``."""
    return Parser("%alcf threads", "The conversations of this notebook, or the turns of one: NAME.")


def cite_parser() -> Parser:
    """Return the parser of ``%alcf cite``."""
    return Parser(
        "%alcf cite", "A paragraph for a methods section and the reference, of a notebook: PATH."
    )


def chat_parameters(options: argparse.Namespace) -> dict[str, Any]:
    """Return the request parameters that were given, and no others.

    Raises
    ------
    UsageError
        ``-P`` is not KEY=VALUE, or names what another option sets.
    """
    given = {
        "temperature": options.temperature,
        "max_tokens": options.max_tokens,
        "top_p": options.top_p,
        "seed": options.seed,
        "stop": options.stop,
        "reasoning_effort": options.reasoning_effort,
    }
    found = {name: value for name, value in given.items() if value is not None}
    for pair in options.param or []:
        name, equals, value = pair.partition("=")
        if not equals or not name.isidentifier() or name in ("model", "messages", "stream"):
            raise UsageError(
                f"-P takes KEY=VALUE for a parameter of the service, not {pair!r}.",
                do="Write it like:  -P presence_penalty=0.5",
            )
        found[name] = _value(value)
    return found


def _value(text: str) -> Any:
    """Read a number, true, false, a list or an object as JSON, anything else as text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
