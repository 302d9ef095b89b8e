"""A dry run shows what would be sent, and sends nothing."""

import json
import subprocess

import numpy as np
import pytest

import alcf_jupyter as alcf
from alcf_jupyter.errors import UsageError
from tests.controlled import sandbox


def test_nothing_is_sent_and_the_request_is_the_one_that_would_be():
    with sandbox() as stand_in:
        stand_in.connect()
        options = {"model": "sandbox/echo", "temperature": 0, "schema": "a int", "system": "s"}
        dry = alcf.dry_run('it\'s $HOME "x" é', **options)
        assert stand_in.sent("/chat/completions") == []
        alcf.chat('it\'s $HOME "x" é', **options)
        (sent,) = stand_in.sent("/chat/completions")
        assert json.loads(sent["body"]) == dry.body
        assert dry.url.endswith(sent["path"])
        assert stand_in.secret not in str(dry)
        # the command does in a shell what it says
        command = dry.curl.replace("YOUR_TOKEN", stand_in.secret).replace("curl ", "echo_args ", 1)
        script = 'echo_args() { printf "%s\\0" "$@"; }\n' + command
        words = subprocess.run(["sh", "-c", script], capture_output=True, check=True).stdout
        assert json.loads(words.split(b"\0")[-2]) == dry.body


def test_the_code_makes_the_same_request():
    alcf.connect("sandbox")
    dry = alcf.dry_run(
        "hi", model="sandbox/vision", images=np.zeros((2, 2)), extra_body={"use_beam_search": True}
    )
    compile(dry.python, "code", "exec")
    assert '{"extra_body": ' in dry.python.replace("'", '"')
    assert "characters)" in str(dry)
    assert dry.tokens < 50


def test_a_completion_has_one_too():
    with sandbox() as stand_in:
        stand_in.connect()
        dry = alcf.dry_run("Once upon", route="complete", model="sandbox/echo", max_tokens=3)
        assert stand_in.sent("/completions") == []
        alcf.complete("Once upon", model="sandbox/echo", max_tokens=3)
        (sent,) = stand_in.sent("/completions")
        assert json.loads(sent["body"]) == dry.body
        assert dry.url.endswith(sent["path"])
    assert "client.completions.create(" in dry.python
    assert "choices[0].text" in dry.python
    with pytest.raises(UsageError, match="no route 'embed'"):
        alcf.dry_run("x", route="embed", model="sandbox/echo")
    with pytest.raises(UsageError, match="in a completion"):
        alcf.dry_run("x", route="complete", model="sandbox/echo", schema="a int")


def test_it_works_without_a_service_and_refuses_as_a_chat_does():
    alcf.connect("http://127.0.0.1:9/resource_server", token="t")
    assert "/CLUSTER/FRAMEWORK/v1" in alcf.dry_run("hi", model="m").url
    with pytest.raises(UsageError):
        alcf.dry_run("hi", model="m", temperature=3)
