"""Which names look like the one that was typed."""

import inspect

import pytest

import alcf_jupyter as alcf
from alcf_jupyter.errors import UsageError
from alcf_jupyter.names import nearest, spelled
from tests.own_time import at_most


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("gpt-oss-20", ["openai/gpt-oss-20b"]),
        ("GPT-OSS-20B", ["openai/gpt-oss-20b"]),
        ("llama", ["meta/Llama-3.1-8B"]),
        ("openai/gpt-oss", ["openai/gpt-oss-20b"]),
        ("", []),
        ("qqqqqqqq", []),
    ],
)
def test_the_nearest_names(name, found):
    names = ["openai/gpt-oss-20b", "meta/Llama-3.1-8B", "x"]
    assert nearest(name, names)[: len(found) or 3] == found


def test_no_more_names_than_wanted_and_none_twice():
    names = [f"model-{i}" for i in range(50)]
    assert len(nearest("model-1", names)) == 3
    assert len(set(nearest("model", [*names, *names], 5))) == 5
    with at_most(1):
        nearest("y" * 100_000, names)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: alcf.embed(["a"], modle="x"), "alcf.embed has no option 'modle'."),
        (lambda: alcf.embed(["a"], modle="x"), "Did you mean:  model="),
        (lambda: alcf.embed(["a"], normalise=True), "Did you mean:  normalize="),
        (lambda: alcf.explore(None, colour="a"), "Did you mean:  color="),
        (lambda: alcf.models(stat="Live"), "Did you mean:  state="),
        (lambda: alcf.connect("sandbox", tokn="x"), "Did you mean:  token="),
        (lambda: alcf.models(qqqq=1), "It takes: state, cluster, can.\nSee:  help(alcf.models)"),
        (lambda: alcf.whoami(qqqq=1), "See:  help(alcf.whoami)"),
    ],
)
def test_a_misspelled_option_is_told_with_the_nearest(call, said):
    with pytest.raises(UsageError) as told:
        call()
    assert said in str(told.value)
    assert 2 <= len(str(told.value).splitlines()) <= 3


@pytest.mark.parametrize("name", [one for one in alcf.__all__ if one in alcf._HOMES])
def test_every_public_function_does_so_and_looks_as_it_did(name):
    function = getattr(alcf, name)
    if not inspect.isfunction(function):
        return
    plain = inspect.unwrap(function)
    assert inspect.signature(function) == inspect.signature(plain)
    assert (function.__name__, function.__doc__) == (plain.__name__, plain.__doc__)
    hands_on = any(
        one.kind is one.VAR_KEYWORD for one in inspect.signature(plain).parameters.values()
    )
    if not hands_on:
        with pytest.raises(UsageError, match="has no option 'no_such_option'"):
            function(no_such_option=1)


def test_what_hands_its_options_on_is_left_alone():
    assert spelled(inspect.unwrap(alcf.map)) is alcf.map
