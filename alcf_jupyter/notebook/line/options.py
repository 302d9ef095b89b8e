"""The options of the magics: what may stand on their line, read and explained."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from alcf_jupyter.errors import UsageError
from alcf_jupyter.notebook.line.parser import Parser

if TYPE_CHECKING:
    from argparse import Namespace


def _common(parser: Parser, limit: str = "30m; 5m where nobody watches") -> None:
    parser.option("-c", "--cluster", help="sophia, metis, minerva, ...")
    parser.option("-o", "--out", metavar="NAME", help="keep the result in this variable, too")
    parser.option(
        "--timeout",
        metavar="DURATION",
        help=f"one limit for everything, the queue included ({limit})",
    )
    parser.option("--no-wait", action="store_true", help="fail at once when the model is not Live")
    parser.option("--no-vars", action="store_true", help="leave {{...}} as it is")
    parser.option("-q", "--quiet", action="store_true", help="no status line, no footer")


def chat_parser() -> Parser:
    """Return the parser of ``%alcf_chat`` and ``%%alcf_chat``."""
    parser = Parser("%%alcf_chat", "Ask a model. The cell is the prompt.", words="\n  the prompt")
    parser.option(
        "-m",
        "--model",
        action="append",
        help="model id, or an alias set with %%alcf use; several answer side by side",
    )
    _common(parser)
    parser.option("-s", "--system", help="system prompt")
    parser.option("--system-file", metavar="PATH", help="system prompt from a file")
    _answering(parser)
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


def map_parser() -> Parser:
    """Return the parser of ``%alcf map``."""
    parser = Parser(
        "%alcf map",
        "Ask about every row of a table; {{column}} stands for the row's value.",
        words='TABLE "PROMPT"',
        mixed=True,
    )
    parser.option("-m", "--model", help="model id, or an alias set with %%alcf use")
    parser.option("-c", "--cluster", help="sophia, metis, minerva, ...")
    parser.option("-o", "--out", metavar="NAME", help="keep the result in this variable, too")
    parser.option("--file", metavar="PATH", help="write it to this Parquet file, too")
    parser.option("-s", "--system", help="system prompt, the same for all rows")
    parser.option("--system-file", metavar="PATH", help="system prompt from a file")
    _answering(parser)
    parser.option(
        "--schema",
        help='form of each answer: a variable, a .json file, or "label, score float"; '
        "its fields become columns",
    )
    parser.option("--prefix", help="put before the names of the answer's columns")
    parser.option("-i", "--image", metavar="COLUMN", help="a column with an image for each row")
    parser.option(
        "--checkpoint", metavar="FOLDER", help="record the run here, and go on from what is there"
    )
    parser.option("--fresh", action="store_true", help="begin anew; what is recorded is set aside")
    parser.option("--concurrency", type=int, help="requests at once; found by itself")
    parser.option("--on-error", choices=["keep", "raise"], help="failed rows: keep them, or stop")
    parser.option(
        "--timeout", metavar="DURATION", help="for the whole run, the queue included (24h)"
    )
    parser.option("--no-wait", action="store_true", help="fail at once when the model is not Live")
    parser.option("--via", choices=["requests", "batch"], help="send it as a batch of the service")
    parser.option("--folder", metavar="PATH", help="with --via batch: where the cluster reads it")
    parser.option("--bg", action="store_true", help="run while other cells run, with buttons")
    parser.option("--dry-run", action="store_true", help="say what it takes, and send nothing")
    parser.option("-q", "--quiet", action="store_true", help="no progress")
    return parser


def _answering(parser: Parser) -> None:
    parser.option("-t", "--temperature", type=float, help="0 to 2")
    parser.option("-n", "--max-tokens", type=int, help="longest answer, in tokens")
    parser.option("--top-p", type=float, help="0 to 1")
    parser.option("--seed", type=int, help="a number, for answers that can be repeated")
    parser.option("--stop", action="append", help="stop before this text; up to 4 times")
    parser.option("--reasoning-effort", choices=["low", "medium", "high"], help="how long to think")
    parser.option("-P", "--param", action="append", metavar="KEY=VALUE", help="any other parameter")


def batches_parser() -> Parser:
    """Return the parser of ``%alcf batches``."""
    parser = Parser(
        "%alcf batches",
        "Your batches and what they did; or how one is: ID or name.",
        mixed=True,
    )
    parser.option("--status", help="waiting, pending, running, completed or failed")
    return parser


def runs_parser() -> Parser:
    """Return the parser of ``%alcf runs``."""
    parser = Parser(
        "%alcf runs",
        "The recorded runs; open the rows of one, export them to a file, or delete them.",
        words="[open NAME | export NAME FILE | delete NAME]",
        mixed=True,
    )
    parser.option("-o", "--out", metavar="NAME", help="keep what is opened in this variable, too")
    return parser


def embed_parser() -> Parser:
    """Return the parser of ``%alcf_embed`` and ``%%alcf_embed``."""
    parser = Parser(
        "%%alcf_embed",
        "Embed texts, one on each line of the cell.",
        words="\n  a text on each line",
    )
    parser.option("-m", "--model", help="model id, or an alias set with %%alcf use")
    _common(parser, "30m; 5m where nobody watches; 24h for a column")
    parser.option("--dimensions", type=int, help="length of the embeddings, where it can be set")
    parser.option("--normalize", action="store_true", help="scale each embedding to length 1")
    return parser


def use_parser() -> Parser:
    """Return the parser of ``%alcf use``."""
    parser = Parser(
        "%alcf use",
        "Choose the models to use where none is named, and give them short names.",
        words="MODEL [as NAME]",
        mixed=True,
    )
    parser.option("--chat", action="store_true", help="the model that follows is for chat cells")
    parser.option("--embed", action="store_true", help="the model that follows is for embed cells")
    return parser


def connect_parser() -> Parser:
    """Return the parser of ``%alcf connect``."""
    parser = Parser(
        "%alcf connect",
        "Choose the service to talk to; alcf where nothing is named.",
        words="alcf | sandbox | ADDRESS | FILE",
        mixed=True,
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
    parser.option("--table", action="store_true", help="a DataFrame in place of the list to click")
    return parser


def wait_parser() -> Parser:
    """Return the parser of ``%alcf wait``."""
    parser = Parser(
        "%alcf wait",
        "Wait until a model is Live; where a request can start it, start it.",
        words="MODEL",
        mixed=True,
    )
    parser.option("-c", "--cluster", help="sophia, metis, minerva, ...")
    parser.option(
        "--timeout",
        metavar="DURATION",
        help="give up after this long (30m; 5m where nobody watches)",
    )
    parser.option("--bg", action="store_true", help="wait while other cells run")
    return parser


def doctor_parser() -> Parser:
    """Return the parser of ``%alcf doctor``."""
    parser = Parser("%alcf doctor", "Find what is wrong here, and what mends it.")
    parser.option("--offline", action="store_true", help="ask neither the service nor Globus")
    return parser


def threads_parser() -> Parser:
    """Return the parser of ``%alcf threads``."""
    return Parser(
        "%alcf threads", "The conversations of this notebook, or the turns of one.", words="[NAME]"
    )


def cite_parser() -> Parser:
    """Return the parser of ``%alcf cite``."""
    return Parser(
        "%alcf cite",
        "A paragraph for a methods section and the reference, of this kernel or of a notebook.",
        words="[NOTEBOOK]",
    )


def with_parameters(settings: dict[str, Any], options: Namespace, topic: str) -> dict[str, Any]:
    """Return settings with the request parameters that were given.

    Parameters
    ----------
    settings
        What has an option of its own, by the names of the arguments in Python.
    options
        Those of a line.
    topic
        The help that lists them.

    Raises
    ------
    UsageError
        As `chat_parameters`; or ``-P`` names what has an option of its own.
    """
    parameters = chat_parameters(options)
    twice = sorted(settings.keys() & parameters.keys())
    if twice:
        raise UsageError(f"-P {twice[0]} is an option of its own.", do=f"See:  %alcf help {topic}")
    return {**settings, **parameters}


def chat_parameters(options: Namespace) -> dict[str, Any]:
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
        if name in found:
            raise UsageError(
                f"{name} is given twice.", do="Leave one of them out; an option sets it already."
            )
        found[name] = _value(value)
    return found


def _value(text: str) -> Any:
    """Read a number, true, false, a list or an object as JSON, anything else as text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
