"""Packing covers every item once, in order, within the limits."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alcf_jupyter.errors import TooLargeError
from alcf_jupyter.service import limits
from tests.service.effort import thorough


@thorough(300)
@given(st.lists(st.integers(0, 50), max_size=60), st.integers(1, 12), st.integers(1, 90))
def test_packs_cover_every_item_once_in_order_within_the_limits(sizes, items, weight):
    packs = list(limits.pack(sizes, items, weight))
    assert [i for pack in packs for i in pack] == list(range(len(sizes)))
    for pack in packs:
        assert 1 <= len(pack) <= items
        assert sum(sizes[i] for i in pack) <= weight or len(pack) == 1
    for pack, following in itertools.pairwise(packs):
        together = sum(sizes[i] for i in pack) + sizes[following.start]
        assert len(pack) == items or together > weight, "no pack is smaller than it must be"


def test_the_service_s_own_limits():
    assert [len(pack) for pack in limits.pack([1] * 5000)] == [2048, 2048, 904]
    assert [len(pack) for pack in limits.pack([1_000_000] * 5)] == [2, 2, 1]
    assert [len(pack) for pack in limits.pack([9, 9_000_000, 9])] == [1, 1, 1]
    assert list(limits.pack([])) == []
    assert limits.SAFE_BODY_BYTES < limits.MAX_BODY_BYTES


def test_a_body_over_the_limit_is_refused():
    limits.check_body(limits.MAX_BODY_BYTES)
    with pytest.raises(TooLargeError, match="2,621,441 bytes") as caught:
        limits.check_body(limits.MAX_BODY_BYTES + 1)
    assert "Nothing was sent" in str(caught.value)
