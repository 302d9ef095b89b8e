"""The comm target that the JupyterLab extension opens."""

from __future__ import annotations

import platform
import threading
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

from alcf_jupyter._version import __version__

if TYPE_CHECKING:
    from comm.base_comm import BaseComm
    from IPython.core.interactiveshell import InteractiveShell

    from alcf_jupyter.notebook.panel.hub import Hub

TARGET: Final = "alcf_jupyter.panel"
_PACKAGES: Final = ("ipykernel", "ipywidgets", "anywidget")

_hub: Hub | None = None
_guard = threading.Lock()


def register(shell: InteractiveShell) -> None:
    """Let panels in, where there is a kernel that a browser can talk to."""
    if getattr(shell, "kernel", None) is not None:
        import comm

        comm.get_comm_manager().register_target(TARGET, _opened)


def unregister(shell: InteractiveShell) -> None:
    """Let none in any more, and leave those that are there."""
    global _hub  # noqa: PLW0603 - one for the process, as its kernel is
    if getattr(shell, "kernel", None) is None:
        return
    import comm

    comm.get_comm_manager().targets.pop(TARGET, None)
    if _hub is not None:
        _hub.close()
        _hub = None


def touch() -> None:
    """Note that the notebook is in use."""
    if _hub is not None:
        _hub.touch()


def _opened(opened: BaseComm, message: dict[str, Any]) -> None:
    """Greet a panel, and take it in if it speaks the same protocol."""
    from alcf_jupyter.errors import AlcfError
    from alcf_jupyter.notebook.panel import frontend, messages
    from alcf_jupyter.notebook.panel.channel import Channel

    data = message["content"].get("data")
    channel = Channel(opened, message["header"].get("subshell_id"))
    channel.send(_hello(messages.protocol()))
    if isinstance(data, dict) and data.get("protocol") not in (None, messages.protocol()):
        return
    try:
        told = messages.read(data, "Hello")
    except AlcfError as error:
        channel.send(messages.reply(None, error=error))
        return
    frontend.report(told["extension"], told["frontend"])
    hub = _hub_of_this_kernel()
    hub.join(channel)
    opened.on_msg(lambda came: hub.take(channel, came["content"].get("data")))
    opened.on_close(lambda _: hub.leave(channel))


def _hub_of_this_kernel() -> Hub:
    global _hub  # noqa: PLW0603 - one for the process, as its kernel is
    from alcf_jupyter.notebook.panel.hub import Hub

    with _guard:  # each page opens its comm on a subshell of its own
        if _hub is None:
            _hub = Hub()
        return _hub


def _hello(protocol: int) -> dict[str, Any]:
    environment = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            environment[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            environment[name] = ""
    return {
        "type": "hello",
        "protocol": protocol,
        "package": __version__,
        "environment": environment,
    }
