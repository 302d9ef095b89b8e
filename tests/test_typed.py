"""What an error tells one to type: options on a magic's line, arguments in Python."""

import ast
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import alcf_jupyter
from alcf_jupyter.connection import loop
from alcf_jupyter.typed import USE, WAIT, in_a_shell, in_python, named, on_a_line, typed


def test_in_python_settings_are_arguments():
    assert typed(model="a/b", cluster="sophia") == "model='a/b', cluster='sophia'"
    assert typed(max_tokens=20) == "max_tokens=20"
    assert named("model") == "model="


def test_on_a_line_they_are_options():
    with on_a_line():
        assert typed(model="a/b", cluster="sophia") == "-m a/b -c sophia"
        assert typed(thread="study", new_thread=True) == "--thread study --new-thread"
        assert typed(schema="name, age int") == '--schema "name, age int"'
        assert named("max_tokens") == "-n"
    assert typed(model="x") == "model='x'"


def test_a_command_has_options_of_its_own():
    with on_a_line(WAIT):
        assert typed(model="a/b", cluster="sophia") == "a/b -c sophia"
    with on_a_line(USE):
        assert typed(model="a/b", cluster="sophia") == "a/b"


def test_what_goes_wrong_on_the_loop_speaks_as_its_caller_does():
    async def asked():
        return typed(model="x"), threading.current_thread() is not threading.main_thread()

    with on_a_line():
        assert loop.run(asked()) == ("-m x", True)
    assert loop.run(asked()) == ("model='x'", True)


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        (
            "Type:  %env https_proxy=http://host:3128  and run the cell again.",
            "Type:  export https_proxy=http://host:3128  and type it again.",
        ),
        ("Unset it:  %env ALCF_AI_TOKEN=", "Unset it:  unset ALCF_AI_TOKEN"),
        (
            (
                "Sign in:  %alcf login   (in a terminal:  alcf-jupyter login)   No account:  %alcf "
                "connect sandbox"
            ),
            "Sign in:  alcf-jupyter login   No account:  alcf-jupyter demo",
        ),
        (
            "To change over:  %alcf logout --all  and then  %alcf login --force",
            "To change over:  alcf-jupyter logout --all  and then  alcf-jupyter login --force",
        ),
        ("Look at the proxy:  %alcf status", "Look at the proxy:  alcf-jupyter doctor"),
        (
            "Take another (%alcf models), or ask:  %alcf help contacts",
            (
                "Take another (%alcf models  (in a notebook)), or ask:  %alcf help contacts"
                "  (in a notebook)"
            ),
        ),
        ("Connect:  %alcf connect alcf", "Connect:  export ALCF_JUPYTER_SERVICE=alcf"),
        ("type:  !chmod 600 /a/file", "type:  chmod 600 /a/file"),
    ],
)
def test_in_a_shell_it_is_what_a_shell_takes(text, typed):
    assert in_a_shell(text) == typed


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        (
            "Type:  %alcf login   (in a terminal:  alcf-jupyter login)  Or:  %alcf connect sandbox",
            "Type:  alcf-jupyter login  Or:  alcf.connect('sandbox')",
        ),
        ("Look at the proxy:  %alcf status", "Look at the proxy:  alcf-jupyter doctor"),
        (
            "Take another (%alcf models), or ask:  %alcf help contacts",
            "Take another (alcf.models()), or ask:  %alcf help contacts  (in a notebook)",
        ),
        ("Connect:  %alcf connect alcf", "Connect:  alcf.connect('alcf')"),
        (
            "  %alcf use a/b-7.5    # Live on sophia\n  %alcf use --embed c    # Live on sophia",
            "  alcf.use('a/b-7.5')    # Live on sophia\n  alcf.use(embed='c')    # Live on sophia",
        ),
        ("Write:  %alcf use MODEL as short-name", "Write:  alcf.use('MODEL', alias='short-name')"),
        ("Wait for it:  %alcf wait a/b.", "Wait for it:  alcf.wait_until_live('a/b')."),
        ("It can:  %alcf models --can see", "It can:  alcf.models(can='see')"),
        ("Take it:  %alcf use a+b/c(fp8)", "Take it:  alcf.use('a+b/c(fp8)')"),
        (
            "Type:  %pip install pillow   and restart the kernel",
            "Type:  python -m pip install pillow",
        ),
        ("It said: wow !important. Type:  !ls /a", "It said: wow !important. Type:  ls /a"),
        ("Unset it:  %env A=  and run the cell again.", "Unset it:  unset A  and run it again."),
        ("… when you have signed in:  %alcf login", "… when you have signed in:  alcf.login()"),
    ],
)
def test_in_a_program_it_is_what_python_takes(text, typed):
    assert in_python(text) == in_python(in_python(text)) == typed


def test_a_program_is_told_what_it_can_write():
    code = (
        "import alcf_jupyter as alcf\n"
        "alcf.connect('sandbox')\n"
        "for ask in (lambda: alcf.chat('x'), lambda: alcf.embed(['x'])):\n"
        "    try:\n"
        "        ask()\n"
        "    except alcf.errors.ModelNotChosenError as error:\n"
        "        print(last := error)\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "print(last)\n"
        "shell = InteractiveShell.instance()\n"
        "print(last)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    program, notebook = done.stdout.rsplit("No model was chosen.", 1)
    assert program.count("No model was chosen.") == 3
    assert "  alcf.use('sandbox/echo')    # Live on sophia" in program
    assert "  alcf.use(embed='sandbox/embed')    # Live on sophia" in program
    assert "%alcf" not in program
    assert "  %alcf use --embed sandbox/embed    # Live on sophia" in notebook


def said(*rooms):
    """Return the texts of the modules that may raise errors in a shell or a program."""
    package = Path(alcf_jupyter.__file__).parent
    modules = [path for room in rooms for path in package.glob(f"{room}/**/*.py")]
    for path in [*modules, package / "notebook" / "sign_in.py"]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                parts = (p.value if isinstance(p, ast.Constant) else "name" for p in node.values)
                yield "".join(map(str, parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_no_message_tells_a_shell_what_only_a_notebook_takes():
    texts = [text for text in said("connection", "service") if re.search(r"%env|%alcf \w", text)]
    assert len(texts) > 50
    for text in texts:
        rest = re.sub(r"%alcf [\w /-]+\(in a notebook\)", "", in_a_shell(text))
        assert not re.search(r"%env \w|%alcf \w", rest), text


def test_no_message_tells_a_program_what_only_a_notebook_takes():
    rooms = "connection", "service", "prompt", "frames"
    notebooks = r"%env|%%?alcf\w* |%pip|  ![a-z]"
    texts = [text for text in said(*rooms) if re.search(notebooks, text)]
    assert len(texts) > 70
    for text in texts:
        told = in_python(text)
        assert not re.search(r"%env \w", told), text
        only = re.findall(r"%alcf \w+(?! ?[\w /-]*  \(in a notebook\))", told)
        assert only == [], text
        for line in re.findall(r"alcf\.\w+\([^)]*\)", told):
            ast.parse(line)
