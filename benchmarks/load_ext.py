"""What ``%load_ext alcf_jupyter`` costs in a fresh kernel, beside its peers and its limit.

Each figure is the median over fresh kernels, one load in each; the four kinds take turns.
"""

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path

from _figures import tell
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

TARGET_MS = 15
WHY = {
    "`%load_ext alcf_jupyter`": "What is left is importing the package's own modules, on a machine "
    "on which IPython's autoreload takes longer still.",
    "the same beside IPython's own": "As above.",
}
HEAVY = ("openai", "httpx", "pandas", "numpy", "globus_sdk", "ipywidgets", "pyarrow", "msgspec")
EMPTY = """\
def load_ipython_extension(shell):
    shell.register_magic_function(lambda line, cell: None, "cell", "empty")
"""
EAGER = "import globus_sdk, httpx, ipywidgets, markdown_it, msgspec, nh3, openai, pandas, pyarrow\n"
KINDS = {
    "alcf_jupyter": "this package",
    "bench_empty": "limit: an empty extension",
    "autoreload": "peer: IPython's autoreload",
    "bench_eager": "peer: the same packages, imported eagerly",
}
CELL = """\
import json, sys, time
shell = get_ipython()
start = time.perf_counter()
shell.run_line_magic("load_ext", {name!r})
took = time.perf_counter() - start
print(json.dumps([took * 1000, [name for name in {heavy!r} if name in sys.modules]]))
"""


def load(name: str) -> tuple[float, list[str]]:
    """Return the milliseconds that loading `name` takes in a fresh kernel, and what it imports."""
    printed: list[str] = []
    with tempfile.TemporaryDirectory() as private:
        manager = KernelManager(
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),
            transport="ipc",
            connection_file=f"{private}/kernel.json",
        )
        manager.start_kernel()
        client = manager.client()
        try:
            client.start_channels()
            client.wait_for_ready(timeout=60)
            reply = client.execute_interactive(
                CELL.format(name=name, heavy=HEAVY),
                output_hook=lambda message: printed.append(message["content"].get("text", "")),
                timeout=60,
            )
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
    if reply["content"]["status"] != "ok":
        raise SystemExit(f"%load_ext {name} failed: {reply['content']['evalue']}")
    took, heavy = json.loads("".join(printed))
    return took, heavy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernels", type=int, default=15, help="fresh kernels for each figure")
    kernels = parser.parse_args().kernels
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "bench_empty.py").write_text(EMPTY)
        Path(folder, "bench_eager.py").write_text(EAGER + EMPTY)
        os.environ["PYTHONPATH"] = folder
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # who installs a package has its bytecode
        for name in KINDS:
            load(name)  # once uncounted: bytecode is written, files are in the page cache
        rounds = [{name: load(name) for name in KINDS} for _ in range(kernels)]
    times = {name: [loads[name][0] for loads in rounds] for name in KINDS}
    ours = statistics.median(times["alcf_jupyter"])
    print(f"%load_ext, median of {kernels} fresh kernels each\n")
    print(f"{'':43}{'ms':>8}{'min':>8}{'max':>8}{'to ours':>9}")
    for name, title in KINDS.items():
        median = statistics.median(times[name])
        print(
            f"{title:43}{median:8.1f}{min(times[name]):8.1f}{max(times[name]):8.1f}"
            f"{median / ours:8.2f}x"
        )
    others = {
        name: (KINDS[name].partition(": ")[2], statistics.median(times[name])) for name in KINDS
    }
    told = {"limit": others["bench_empty"], "target": f"<= {TARGET_MS} ms"}
    told |= {"reached": ours <= TARGET_MS, "cases": f"median of {kernels} fresh kernels"}
    tell("`%load_ext alcf_jupyter`", ours, "ms", peer=others["bench_eager"], **told)
    tell("the same beside IPython's own", ours, "ms", peer=others["autoreload"], **told)
    heavy = rounds[0]["alcf_jupyter"][1]
    print(f"\ntarget: at most {TARGET_MS} ms: {'reached' if ours <= TARGET_MS else 'MISSED'}")
    print(f"heavy packages imported by it: {', '.join(heavy) or 'none'}")


if __name__ == "__main__":
    main()
