"""A wait for a model asks one service, whatever is connected to meanwhile."""

import threading
import time

import pytest

import alcf_jupyter as alcf
from tests.controlled import sandbox


@pytest.fixture(scope="module")
def services():
    with sandbox("--no-rate-limit") as one, sandbox("--no-rate-limit") as other:
        yield one, other


def test_the_service_that_it_began_with_is_the_one_that_is_asked(services):
    one, other = services
    one.fail("slow", match={"route": "/list-endpoints"}, parameters={"seconds": 1})
    one.connect()
    found = []
    wait = threading.Thread(
        target=lambda: found.append(alcf.wait_until_live("sandbox/echo", timeout=60))
    )
    wait.start()
    while not one.control("GET", "/log?route=/list-endpoints")["entries"]:
        time.sleep(0.01)
    other.connect()
    wait.join(60)
    assert [model.id for model in found] == ["sandbox/echo"]
    assert (len(one.sent("/chat/")), other.sent("/chat/")) == (1, [])
