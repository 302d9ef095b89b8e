"""The kernels that Jupyter offers: whether they start, and whether this environment is one."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alcf_jupyter.notebook.doctor.finding import note, ok, problem
from alcf_jupyter.notebook.doctor.lines import pip, quoted, shell, short, terminal
from alcf_jupyter.notebook.doctor.packages import fits, installed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alcf_jupyter.notebook.doctor.finding import Finding

HERE = "this environment"
PYTHONS = {"python", f"python{sys.version_info[0]}", "python{}.{}".format(*sys.version_info)}
"""What Jupyter takes for the Python that it runs on itself."""

LOCAL = "local-provisioner"


def check() -> Iterator[Finding]:
    """Look at each kernel that is registered here, and at ipykernel."""
    specs = _specs()
    if specs is None:
        yield problem("Kernels", "ipykernel is not installed", pip("install ipykernel"))
        return
    for name, spec in specs.items():
        yield from _one(name, spec)
    if HERE not in map(_where, specs.values()):
        says = "none of them is this environment, so a notebook cannot choose it"
        yield note("Kernels", says, terminal("install-kernel"))
    elif all(map(_starts, specs.values())):
        yield ok("Kernels", f"{len(specs)}, this environment among them")
    version = installed("ipykernel")
    if version and not fits(version, ">=7"):
        says = f"ipykernel {version}: the panel and buttons wait while a cell runs"
        yield note("Kernels", says, pip('install --upgrade "ipykernel>=7"'))


def listed() -> list[tuple[str, str]]:
    """Return the kernels by name."""
    return [
        (name, f"{spec['spec'].get('display_name', '')} ({_where(spec)})")
        for name, spec in (_specs() or {}).items()
    ]


def _specs() -> dict[str, dict[str, Any]] | None:
    try:
        from jupyter_client.kernelspec import KernelSpecManager
    except ModuleNotFoundError:
        return None
    return dict(sorted(KernelSpecManager().get_all_specs().items()))


def _one(name: str, spec: dict[str, Any]) -> Iterator[Finding]:
    if not _starts(spec):
        says = f"{name} would start {short(_program(spec))}, which is not there"
        yield problem("Kernels", says, shell(f"jupyter kernelspec remove {name}"))
    path = Path(spec["resource_dir"]) / "kernel.json"
    passwords = any("@" in str(value) for value in (spec["spec"].get("env") or {}).values())
    if passwords and path.stat().st_mode & 0o077:
        says = f"{short(path)} holds a proxy's password and can be read by others"
        yield problem("Kernels", says, shell(f"chmod 600 {quoted(path)}"))


def _program(spec: dict[str, Any]) -> str:
    """Return what would be started, its placeholders filled in as Jupyter does."""
    fills = {"prefix": sys.prefix, "resource_dir": spec["resource_dir"]}
    first = str((spec["spec"].get("argv") or [""])[0])
    return re.sub(r"\{(\w+)\}", lambda found: fills.get(found[1], found[0]), first)


def _starts(spec: dict[str, Any]) -> bool:
    provisioner = (spec["spec"].get("metadata") or {}).get("kernel_provisioner") or {}
    if provisioner.get("provisioner_name", LOCAL) != LOCAL:
        return True  # somewhere else, a compute node perhaps, where nobody can look from here
    return shutil.which(_program(spec)) is not None or _where(spec) == HERE


def _where(spec: dict[str, Any]) -> str:
    program = _program(spec)
    own = program in PYTHONS or os.path.dirname(program) == os.path.dirname(sys.executable)  # noqa: PTH120
    return HERE if own else short(program)
