"""What was asked is counted by one thread, and read by another."""

import threading

from alcf_jupyter.connection.meter import Count, Meter
from alcf_jupyter.service.catalog import Model
from alcf_jupyter.service.dialect import Usage

ONE = Model(id="one", cluster="sophia")
TWO = Model(id="two", cluster="metis")


def test_answers_and_tokens_are_counted_by_model():
    meter = Meter("the test")
    for model, usage in ((ONE, Usage(2, 3)), (ONE, Usage(4, None)), (TWO, Usage())):
        meter.add(model, usage)
    assert meter.counts() == {("sophia", "one"): Count(2, 6, 3), ("metis", "two"): Count(1)}
    assert meter.lately() == (3, 9)
    assert meter.lately("one") == (2, 9)
    assert meter.lately("none") == (0, 0)


def test_it_is_read_while_it_is_added_to():
    meter, ended = Meter("the test"), threading.Event()
    for _ in range(20_000):
        meter.add(ONE, Usage(1, 1))

    def add():
        while not ended.wait(0.0001):
            meter.add(ONE, Usage(1, 1))

    thread = threading.Thread(target=add)
    thread.start()
    try:
        for _ in range(40):
            answers, tokens = meter.lately()
            assert tokens == 2 * answers >= 40_000
    finally:
        ended.set()
        thread.join()
