"""The command ``alcf-jupyter``: see it work, copy the tutorials, find out what is installed."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from alcf_jupyter._version import __version__
from alcf_jupyter.cli import account
from alcf_jupyter.cli.parser import Parser
from alcf_jupyter.errors import AlcfError
from alcf_jupyter.typed import in_a_shell

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

FAILED, INTERRUPTED = 1, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments`, by default those of the process.

    Parameters
    ----------
    arguments
        The words after ``alcf-jupyter``.

    Returns
    -------
    int
        0 when all went well, 1 when not. Wrong arguments end the process with 2.
    """
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if options.run is _sandbox:
        options.rest = rest  # the stand-in knows its own options
    elif rest:
        parser.refuse(rest)
    try:
        return int(options.run(options))
    except AlcfError as error:
        print(in_a_shell(error.message), file=sys.stderr)
        return FAILED
    except BrokenPipeError:  # the reader has seen enough, as in `alcf-jupyter doctor | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> Parser:
    parser = Parser(prog="alcf-jupyter", description="The ALCF Inference Endpoints in Jupyter.")
    parser.add_argument("--version", action="version", version=f"alcf-jupyter {__version__}")
    parser.set_defaults(run=_help)
    commands = parser.add_subparsers(metavar="COMMAND")

    demo = commands.add_parser("demo", help="the tutorials in JupyterLab, with no account")
    demo.set_defaults(run=_demo)
    demo.add_argument(
        "folder",
        nargs="?",
        type=Path,
        help="where to put the tutorials (default: a temporary folder, kept if you work in it)",
    )
    demo.add_argument(
        "--headless", action="store_true", help="run the first two here and print what they show"
    )
    demo.add_argument("--port", type=int, help="port for JupyterLab (default: a free one)")
    demo.add_argument("--no-browser", action="store_true", help="print the address, open nothing")

    # without help of our own: the stand-in's tells more
    sandbox = commands.add_parser("sandbox", add_help=False, help="the local stand-in service")
    sandbox.set_defaults(run=_sandbox)

    tutorials = commands.add_parser("tutorials", help="copy the tutorials to a folder")
    tutorials.set_defaults(run=_tutorials)
    tutorials.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=Path("alcf-tutorials"),
        help="where to (default: alcf-tutorials); a file you changed is never overwritten",
    )

    account.add_to(commands)

    kernel = commands.add_parser(
        "install-kernel", help="offer this environment in Jupyter, with the proxy written in"
    )
    kernel.set_defaults(run=_install_kernel)
    kernel.add_argument("--name", default="alcf", help="name of the kernel (default: alcf)")
    kernel.add_argument("--display-name", help="what Jupyter shows (default: Python (alcf))")
    kernel.add_argument(
        "--proxy", help="proxy to write in (default: that of the environment, then the site's)"
    )

    labextension = commands.add_parser(
        "install-labextension", help="put the panel into a JupyterLab"
    )
    labextension.set_defaults(run=_install_labextension)
    labextension.add_argument(
        "--user",
        action="store_true",
        help="for every JupyterLab of yours (default: that of this environment)",
    )

    doctor = commands.add_parser("doctor", help="what is wrong here, and what mends it")
    doctor.set_defaults(run=_doctor)
    doctor.add_argument("--offline", action="store_true", help="ask neither the service nor Globus")
    doctor.add_argument("--json", action="store_true", help="for a program to read")
    return parser


def _help(_: argparse.Namespace) -> int:
    _parser().print_help()
    return 0


def _demo(options: argparse.Namespace) -> int:
    from alcf_jupyter.cli import here, lab, terminal, tutorials

    first = tutorials.prepare(options.folder)
    demo = f"{here.command()} demo"
    keep = "" if options.folder else f"; to have them elsewhere:  {demo} FOLDER"
    print(f"The tutorials are in {first.parent}{keep}")
    if not options.headless:
        lab.serve(first, port=options.port, browser=not options.no_browser)
        return 0
    shown = sorted(first.parent.glob("0[12]_*.ipynb"))
    if failed := max(terminal.run(notebook) for notebook in shown):
        return failed
    print(f"\nBoth tutorials ran; the errors above were meant. In JupyterLab:  {demo}")
    return 0


def _sandbox(options: argparse.Namespace) -> int:
    from alcf_jupyter.cli import standin

    return standin.serve(options.rest)


def _tutorials(options: argparse.Namespace) -> int:
    from alcf_jupyter.cli import tutorials

    copied = tutorials.copy(options.folder)
    for name in copied.kept:
        print(f"kept, because it differs from ours: {options.folder / name}")
    print(f"{len(copied.written)} copied, {len(copied.same)} already there: {options.folder}")
    if copied.kept:
        print("Rename or delete a kept file and run this again to get ours.")
    return 0


def _install_kernel(options: argparse.Namespace) -> int:
    from alcf_jupyter.cli import kernel

    told = kernel.install(options.name, options.display_name, options.proxy)
    print("\n".join(told))
    return 0


def _install_labextension(options: argparse.Namespace) -> int:
    from alcf_jupyter.cli import labextension

    print("\n".join(labextension.install(user=options.user)))
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from alcf_jupyter.notebook.doctor import examine

    report = examine(offline=options.offline)
    print(report.as_json() if options.json else report)
    return FAILED if report.problems else 0
