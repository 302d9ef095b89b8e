"""Which names look like the one that was typed."""

import pytest

from alcf_jupyter.names import nearest
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
