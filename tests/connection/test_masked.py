"""The gateway hides a model server's reason inside a stream; it is asked for outside one."""

import pytest

import alcf_jupyter as alcf
from alcf_jupyter.errors import RefusedError, StreamFailedError


@pytest.fixture(autouse=True)
def connected():
    alcf.connect("sandbox")


def test_a_prompt_that_is_too_long_says_so_when_streamed():
    with pytest.raises(RefusedError, match="maximum context length") as caught:
        list(alcf.stream("word " * 40_000, model="sandbox/echo"))
    assert caught.value.do.startswith("Shorten the prompt")


def test_an_error_after_text_is_not_asked_about_again():
    got = []
    with pytest.raises(StreamFailedError):
        got.extend(alcf.stream("Tell me about rings", model="sandbox/stream-error"))
    assert "".join(got)
