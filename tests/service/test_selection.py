"""Models that fit a filter."""

import pytest

from alcf_jupyter.errors import UnknownClusterError, UsageError
from alcf_jupyter.service.catalog import Catalog, Cluster, Model, State
from alcf_jupyter.service.selection import select

KNOWN = Catalog(
    (Cluster(name="sophia"), Cluster(name="metis")),
    (
        Model(id="org/Old", cluster="sophia", state=State.OFFLINE),
        Model(id="org/b", cluster="sophia", state=State.LIVE, can_embed=False),
        Model(id="org/a", cluster="sophia", state=State.LIVE, can_embed=True),
        Model(id="other", cluster="metis", state=State.QUEUED),
    ),
)


def names(**options):
    return [model.id for model in select(KNOWN, **options)]


def test_the_most_ready_come_first():
    assert names() == ["org/a", "org/b", "other", "org/Old"]


@pytest.mark.parametrize("word", ["Live", "live", "LIVE"])
def test_by_state(word):
    assert names(state=word) == ["org/a", "org/b"]


def test_by_cluster():
    assert names(cluster="METIS") == ["other"]


def test_by_skill_leaves_out_only_what_is_known_to_be_unable():
    assert names(can="embed") == ["org/a", "other", "org/Old"]


def test_by_a_part_of_the_name():
    assert names(text="old") == ["org/Old"]
    assert names(text="metis") == ["other"]


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"state": "lve"}, UsageError, "Live"),
        ({"state": 5}, UsageError, "Live"),
        ({"can": "embedd"}, UsageError, "embed"),
        ({"cluster": "sofia"}, UnknownClusterError, "sophia"),
    ],
)
def test_what_there_is_not_is_an_error_with_the_nearest(options, kind, words):
    with pytest.raises(kind, match=words):
        names(**options)
