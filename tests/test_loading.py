"""Loading the extension costs next to nothing: what is heavy is imported by the first call."""

import subprocess
import sys

import pytest

HEAVY = [
    *("openai", "httpx", "pandas", "numpy", "globus_sdk", "ipywidgets", "markdown_it", "nh3"),
    *("pyarrow", "msgspec", "pydantic", "requests", "alcf_jupyter.sandbox"),
]
PROGRAM = """\
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
before = set(sys.modules)
shell.run_line_magic("load_ext", "alcf_jupyter")
assert "alcf_chat" in shell.magics_manager.magics["cell"]
print(*sorted(set(sys.modules) - before))
"""


@pytest.fixture(scope="module")
def loaded():
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


def test_the_extension_was_loaded(loaded):
    assert "alcf_jupyter" in loaded


@pytest.mark.parametrize("name", HEAVY)
def test_a_heavy_package_is_not_imported(loaded, name):
    assert [module for module in loaded if f"{module}.".startswith(f"{name}.")] == []
