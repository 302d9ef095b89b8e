"""What users of the service are told stands in the pages, and what the pages name exists."""

import inspect
import re
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml
from nbclient import NotebookClient
from nbformat import v4
from traitlets.config import Config

import alcf_jupyter as alcf
from alcf_jupyter import cli
from alcf_jupyter.connection import other_tools
from alcf_jupyter.notebook import methods
from alcf_jupyter.notebook.commands import functions, table
from alcf_jupyter.notebook.doctor import settings
from alcf_jupyter.service.catalog import State
from tests.kernels import by_files

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(ROOT.glob("docs/*.md"))
PROSE = [*PAGES, *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"))]
TUTORIALS = sorted(ROOT.glob("notebooks/*.ipynb"))

# a fact of the service, the page that must tell it, and how that can be seen
FACTS = {
    "Live is ready": ("models", r"\| Live \| hot, ready"),
    "Starting has a node and loads": ("models", r"\| Starting \| a node was acquired.*loaded"),
    "Queued waits for resources": ("models", r"\| Queued \| waits for resources"),
    "Offline is queued on request": ("models", r"\| Offline \|.*queued when a request comes"),
    "the filters of the web interface": ("models", r"Live, Starting, Queued, Offline, All"),
    "B is batch": ("models", r"\| B \| batch"),
    "T is tool calling": ("models", r"\| T \| tool calling"),
    "R is reasoning": ("models", r"\| R \| reasoning"),
    "H is always hot": ("models", r"\| H \| always hot"),
    "not all capabilities can be asked for": ("models", r"service does not tell all of it"),
    "a token lives two days": ("sign-in", r"token lives 48 hours"),
    "a token refreshes by itself": ("sign-in", r"refreshed by itself"),
    "a policy forces a new login": ("sign-in", r"Every 30 days a policy.*older pages say 7 days"),
    "how to log out and in again": ("sign-in", r"app\.globus\.org/logout>, then `%alcf login --fo"),
    "how long a cold start takes": ("models", r"cold start on Sophia takes 10 to 15 minutes"),
    "how long a model stays": ("models", r"up to 24 hours.*unloaded after 2 hours"),
    "which nodes are hot": ("models", r"Half of Sophia's ten nodes"),
    "how long a batch may be": ("batches", r"up to 150,000"),
    "a batch needs an allocation": ("models", r"a batch needs an active allocation"),
    "where a batch's files are": ("batches", r"/eagle/argonne_tpc.*open to everybody"),
    "which models take batches": ("models", r"Only models marked B take"),
    "who cancels a batch": ("batches", r"cannot cancel a batch.*support"),
    "guide: Connection Timeout": ("errors", r"\| Connection Timeout \|.*queued.*/jobs"),
    "guide: Permission Denied": ("errors", r"\| Permission Denied \|.*logout.*--force"),
    "guide: Batch Permission Error": ("errors", r"\| Batch Permission Error \|.*cannot read"),
    "guide: IdentityMismatchError": ("errors", r"\| IdentityMismatchError \|.*tokens file"),
}

# people's addresses: ALCF's and Globus's, this machine's, and two conventions of changelogs
HOSTS = re.compile(
    r"(?:[\w-]+\.)*(?:alcf\.anl\.gov|globus\.org)|127\.0\.0\.1|host|example\.org"
    r"|keepachangelog\.com|semver\.org"
)


def on_one_line(page):
    return " ".join((ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8").split())


@pytest.mark.parametrize("fact", FACTS)
def test_what_users_are_told_stands_in_the_pages(fact):
    page, pattern = FACTS[fact]
    assert re.search(pattern, on_one_line(page)), f"docs/{page}.md no longer says: {fact}"


def test_the_page_of_models_has_every_state():
    text = on_one_line("models")
    assert all(f"| {state} |" in text for state in State)


def test_the_reference_has_every_public_name_and_no_other():
    text = (ROOT / "docs" / "functions.md").read_text(encoding="utf-8")
    told = re.findall(r"^\.\. auto\w+:: (\w+)$", text, re.MULTILINE)
    assert len(told) == len(set(told))
    elsewhere = {"Run", "Batch"}  # what map and submit_batch return
    assert set(told) - elsewhere == set(alcf.__all__) - {"__version__"}


def test_methods_of_a_client_in_the_reference_take_what_a_user_has():
    text = (ROOT / "docs" / "functions.md").read_text(encoding="utf-8")
    listed = re.search(r"autoclass:: Client\n   :members: (.+)", text)[1].split(", ")
    for name in listed:
        method = getattr(alcf.Client, name)
        if inspect.isfunction(method):
            assert not re.search(r"\bCall\b", str(inspect.signature(method))), name


def test_help_lists_every_function_and_tells_of_each():
    listed = [name for names in functions.FUNCTIONS.values() for name in names]
    told = table.help_("").partition("In Python")[2]
    assert all(re.search(rf"\b{name}\b", told) for name in listed)
    public = {name for name in alcf.__all__ if inspect.isfunction(getattr(alcf, name))}
    assert set(listed) == public - {"load_ipython_extension", "unload_ipython_extension"}
    for name in listed:
        said = table.help_(f"alcf.{name}")
        assert said.startswith(f"usage: alcf.{name}(")
        assert said.splitlines()[2].endswith(".")
    assert table.help_("neighbors").splitlines()[0].startswith("usage: alcf.neighbors(emb, query")


def test_the_page_of_connecting_has_every_variable():
    text = on_one_line("connecting")
    for name in (*settings.OURS, *settings.SECRETS, *other_tools.NAMES):
        assert f"`{name}`" in text, name


def code_of(text):
    """Return the `alcf.name` that a page uses."""
    return set(re.findall(r"\balcf\.([a-z]\w*)", text))


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.name)
def test_functions_that_a_page_names_exist(path):
    text = re.sub(r"[\w/.]*\balcf\.anl\.gov\S*", "", path.read_text(encoding="utf-8"))
    for name in code_of(text):
        assert hasattr(alcf, name), f"{path.name}: alcf.{name}"


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.name)
def test_files_that_a_page_links_to_exist(path):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{path.name}: {target}"


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.name)
def test_files_that_a_tutorial_links_to_exist(path):
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            for target in re.findall(r"\]\(([^)#:]+)\)", cell.source):
                assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", [*PROSE, *TUTORIALS], ids=lambda path: path.name)
def test_addresses_are_those_of_the_service(path):
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        text = "\n".join(c.source for c in nbformat.reads(text, as_version=4).cells)
    for host in re.findall(r"https?://([^\s/:\"'`)>…]+)", text):
        assert HOSTS.fullmatch(host), f"{path.name}: {host}"


def test_the_picture_names_every_layer():
    picture = (ROOT / "docs" / "images" / "architecture.svg").read_text(encoding="utf-8")
    names = set(re.findall(r'class="name"[^>]*>([^<]+)<', picture))
    layers = {p.name for p in (ROOT / "alcf_jupyter").iterdir() if (p / "__init__.py").exists()}
    assert layers - {"cli"} <= names
    assert "prefers-color-scheme: dark" in picture


def test_contributing_is_short_and_maps_every_folder():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 60
    layers = {p.name for p in (ROOT / "alcf_jupyter").iterdir() if (p / "__init__.py").exists()}
    assert all(f"`{layer}/`" in text for layer in layers)
    targets = set(re.findall(r"^([a-z0-9-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z0-9-]+)", text))
    assert named <= targets


def test_the_citation_is_of_this_version():
    told = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert told["version"] == alcf.__version__
    assert told["title"] == "alcf_jupyter"
    (service,) = told["references"]
    assert service["doi"] in methods.BIBTEX
    names = [author["family-names"] for author in service["authors"]]
    assert len(names) == methods.BIBTEX.count(" and ") + 1


@pytest.mark.parametrize("name", ["bug", "dialect", "idea"])
def test_issue_templates_can_be_read(name):
    path = ROOT / ".github" / "ISSUE_TEMPLATE" / f"{name}.yml"
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= set(form)
    for field in form["body"]:
        assert field["type"] in {"markdown", "textarea", "input", "dropdown"}
        assert "label" in field["attributes"] or field["type"] == "markdown"


def typed(path):
    """Return what a page shows as typed: its code, on lines and in blocks."""
    text = path.read_text(encoding="utf-8")
    blocks = re.findall(r"^ *```[^\n]*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    inline = re.findall(
        r"`([^`\n]+)`", re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    )
    return [*inline, *(line for block in blocks for line in block.splitlines())]


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.name)
def test_commands_and_options_that_a_page_shows_exist(path):
    parsers = {name: make() for name, make in table.PARSERS.items()}
    (words,) = (a.choices for a in cli._parser()._actions if isinstance(a.choices, dict))
    for line in typed(path):
        for word in re.findall(r"%alcf (\w+)", line):
            assert word in table.COMMANDS, line
        for word in re.findall(r"(?<!install )\balcf-jupyter ([a-z][\w-]*)", line):
            assert word in words, line
        magic = re.match(r"%{1,2}(alcf_\w+|alcf \w+)(.*)", line)
        name = magic[1].removeprefix("alcf ") if magic else ""
        for flag in re.findall(r"(?<!\S)--?[a-zA-Z][\w-]*", magic[2] if magic else ""):
            known = {flag for action in parsers[name]._actions for flag in action.option_strings}
            assert flag in known, line


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.name)
def test_variables_that_a_page_names_are_read(path):
    code = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "alcf_jupyter").rglob("*.py"))
    text = path.read_text(encoding="utf-8")
    for name in re.findall(r"\b(?:ALCF|GLOBUS)_[A-Z_]+[A-Z]\b", text):
        assert f'"{name}"' in code, name


def test_the_answer_in_the_readme_is_one_that_came():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    answer, footer = re.findall(r"^> (\S.*)$", text, re.MULTILINE)
    tutorial = nbformat.read(TUTORIALS[0], as_version=4)
    shown = [
        o.data["text/plain"] for c in tutorial.cells for o in c.get("outputs", ()) if "data" in o
    ]
    (whole,) = (one for one in shown if one.startswith(answer))
    told = re.sub(r"</?sub>", "", footer).partition(" · first token")[0]
    assert whole.endswith(told)


@pytest.mark.parametrize("page", ["README.md", "docs/index.md", "docs/start.md"])
def test_a_page_that_begins_tells_how_to_install_with_and_without_an_index(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for requirement in ('".[lab]"', '"alcf-jupyter[lab]"'):
        assert re.search(rf"(pip install\s+|`){re.escape(requirement)}", text), requirement


@pytest.mark.parametrize("path", [*PROSE, *TUTORIALS], ids=lambda path: path.name)
def test_extras_that_a_page_names_exist(path):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for extra in re.findall(
        r"(?:alcf-jupyter|\.|\.whl)\[(\w+)\]", path.read_text(encoding="utf-8")
    ):
        assert extra in project["optional-dependencies"], extra


def test_what_the_readme_shows_runs_as_it_stands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    cells = [code for language, code in blocks if code.startswith("%") or language == "python"]
    assert len(cells) == 3
    table = "import pandas as pd\ndf = pd.read_csv('data/abstracts.csv').head(3)"
    column = 'assert (alcf.map(df, "Classify: {{title}}").status == "ok").all()'
    sources = (table, *cells, column)
    notebook = v4.new_notebook(cells=[v4.new_code_cell(source) for source in sources])
    # a cell that fails raises
    NotebookClient(
        notebook,
        config=Config(KernelManager=by_files()),
        timeout=60,
        resources={"metadata": {"path": str(ROOT / "notebooks")}},
    ).execute()
