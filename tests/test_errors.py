"""What a failure says: what happened, why, the next line to type."""

import inspect
import re
from types import SimpleNamespace

import pytest

from alcf_jupyter import errors
from alcf_jupyter.errors import AlcfError, ServiceError

CLASSES = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and value.__module__ == errors.__name__
]


def test_the_tree_in_the_docstring_is_the_tree():
    drawn, above = {}, {}
    for line in errors.__doc__.splitlines():
        if found := re.match(r"    ([│├└─ ]*)([A-Z]\w+)(?:\((\w+)\))?", line):
            depth = len(found[1]) // 4
            above[depth] = found[2]
            drawn[found[2]] = found[3] or (above[depth - 1] if depth else "Exception")
    assert drawn == {kind.__name__: kind.__bases__[0].__name__ for kind in CLASSES}


@pytest.mark.parametrize("kind", [k for k in CLASSES if issubclass(k, AlcfError)])
def test_a_message_is_what_why_and_what_to_do(kind):
    error = kind("It broke.", why="It was old.", do="Type:  fix()")
    assert str(error) == "It broke.\nIt was old.\nType:  fix()"
    assert str(kind("It broke.", do="fix()")) == "It broke.\nfix()"
    assert str(kind("It broke.")) == "It broke."
    assert (error.what, error.why, error.do) == ("It broke.", "It was old.", "Type:  fix()")
    shown = error._render_traceback_()
    assert shown[0].startswith(f"{kind.__name__}: It broke.")
    assert shown[-1] == "Type:  fix()"
    assert len(shown) == 3
    assert kind.__doc__


def test_a_failure_of_the_service_keeps_its_status():
    error = ServiceError("x", status=503, code="offline")
    assert (error.status, error.code) == (503, "offline")
    assert errors.RateLimitError("x").scope == "requests"
    assert errors.RateLimitError("x").status == 429


def test_an_interrupt_is_one():
    stop = errors.AnswerInterrupted()
    assert isinstance(stop, KeyboardInterrupt)
    assert not isinstance(stop, Exception), "except Exception lets it through"
    assert stop.reply is None
    assert stop._render_traceback_() == ["Interrupted."], "nothing had come"
    stop.reply = SimpleNamespace(text="half", reasoning="")
    assert "incomplete" in stop._render_traceback_()[0]
