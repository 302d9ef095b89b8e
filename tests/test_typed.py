"""What an error tells one to type: options on a magic's line, arguments in Python."""

import threading

from alcf_jupyter.connection import loop
from alcf_jupyter.typed import USE, WAIT, named, on_a_line, typed


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
