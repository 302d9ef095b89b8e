"""Looks at the service: one at a time, and never one that is too old for who asks."""

import threading

import pytest

from alcf_jupyter.errors import AlcfError
from alcf_jupyter.notebook.models.look import Look


class Work:
    """A look that takes until it is let go."""

    def __init__(self):
        self.begun, self.done = [], threading.Semaphore(0)
        self.begins = threading.Semaphore(0)

    def __call__(self, fresh):
        self.begun.append(fresh)
        self.begins.release()
        assert self.done.acquire(timeout=60)


@pytest.fixture
def work():
    return Work()


@pytest.fixture
def look(work):
    return Look(work, lambda: 0.0)


def test_who_asks_meanwhile_waits_with_the_others(look, work):
    first = look.now()
    assert work.begins.acquire(timeout=60)
    assert look.now() is first
    work.done.release()
    assert first.result(60) is None
    assert work.begun == [False]
    assert look.at is not None


def test_what_happened_since_a_look_began_is_seen_by_another_after_it(look, work):
    first = look.now()
    assert work.begins.acquire(timeout=60)
    second = look.now(fresh=True)
    assert second is not first
    assert look.now(fresh=True) is look.now() is second, "it has not begun: it sees everything"
    assert work.begun == [False], "one at a time"
    work.done.release()
    assert first.result(60) is None
    assert work.begins.acquire(timeout=60)
    assert look.now() is second
    third = look.now(fresh=True)
    work.done.release(2)
    for one in (second, third):
        assert one.result(60) is None
    assert work.begun == [False, True, True]


def test_who_asks_for_a_fresh_one_has_it_also_where_one_is_about_to_begin(look, work):
    work.done.release(2)
    look.now()
    assert look.now(fresh=True).result(60) is None
    assert work.begun[-1], "the first one itself, or another after it"


def test_one_that_fails_tells_why_and_holds_up_no_other():
    def fail(fresh):
        began.release()
        assert go_on.acquire(timeout=60)
        raise ZeroDivisionError("nobody planned this" if fresh else "nor this")

    began, go_on = threading.Semaphore(0), threading.Semaphore(0)
    look = Look(fail, lambda: 0.0)
    first = look.now()
    assert began.acquire(timeout=60)
    second = look.now(fresh=True)
    go_on.release(2)
    with pytest.raises(AlcfError, match="nor this"):
        first.result(60)
    with pytest.raises(AlcfError, match="nobody planned this"):
        second.result(60)
    assert "nobody planned this" in look.trouble
    assert look.at is None
