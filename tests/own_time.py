"""How long code may keep this thread busy, on whatever machine."""

import gc
import time
from contextlib import contextmanager


@contextmanager
def at_most(seconds):
    """Hold the body to a time of its own.

    Other threads do not count, nor does the garbage that other tests left: to collect it takes a
    worker half a second, and comes at any moment.
    """
    collects = gc.isenabled()
    gc.disable()
    began = time.thread_time()
    try:
        yield
        took = time.thread_time() - began
    finally:
        if collects:
            gc.enable()
    assert took < seconds
