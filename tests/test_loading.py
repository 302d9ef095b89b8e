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


def test_a_form_and_the_panel_wait_for_no_grammar():
    """What takes seconds to import beside JupyterLab is not imported by what people wait for."""
    program = (
        "import sys\n"
        "from alcf_jupyter.notebook.panel import hub, orders\n"
        "from alcf_jupyter.prompt import schema\n"
        "schema.of({'type': 'object'}).check({})\n"
        "print(*{'jsonschema', 'rfc3987_syntax', 'nbformat'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout.split() == []
