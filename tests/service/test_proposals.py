"""Which models are proposed to somebody who needs one, and in which order."""

import pytest

from alcf_jupyter.service.catalog import Catalog, Model, State
from alcf_jupyter.service.proposals import proposals


def made(name, cluster="sophia", state=State.LIVE, **facts):
    return Model(id=name, cluster=cluster, state=state, **facts)


def names(*models, **how):
    return [model.id for model in proposals(Catalog((), models), **how)]


def test_live_ones_of_the_kind_first():
    models = [
        made("a-embed"),
        made("b", state=State.OFFLINE),
        made("c"),
        made("d", state=State.STARTING),
    ]
    assert names(*models) == ["c", "d", "b"]
    assert names(*models, embedding=True) == ["a-embed"]
    assert names(*models, most=1) == ["c"]


def test_models_that_follow_instructions_and_take_long_texts_come_first():
    models = [
        made("aaa/base", context=900_000),
        made("gemma-4-31B-it"),
        made("x/Llama-70B-Instruct", context=131_072),
        made("x/Llama-8B-Instruct", context=8_192),
    ]
    assert names(*models, most=4) == [models[at].id for at in (2, 3, 1, 0)]


def test_one_of_each_cluster_rather_than_several_of_one():
    sophia = [made(f"s{at}-instruct") for at in range(4)]
    others = [made("m", "metis"), made("n", "minerva")]
    assert names(*sophia, *others) == ["s0-instruct", "m", "n"]
    assert names(*sophia, *others, most=4) == ["s0-instruct", "m", "n", "s1-instruct"]
    cold = made("k", "metis", State.OFFLINE)
    assert names(*sophia, cold) == ["s0-instruct", "s1-instruct", "s2-instruct"]


def test_what_was_chosen_or_has_answered_comes_first():
    models = [made("a-instruct"), made("b"), made("c", can_chat=True), made("d")]
    assert names(*models) == ["c", "a-instruct", "b"]
    assert names(*models, favoured=["d", "b"]) == ["d", "b", "c"]
    off = made("e", state=State.OFFLINE)
    assert names(*models, off, favoured=["e"])[0] == "c", "one that is Live can be used now"


@pytest.mark.parametrize(
    "words", ["for tests: it stops", "Fails on purpose", "x - deprecated", "it always fails."]
)
def test_a_model_that_says_that_it_fails_is_not_proposed(words):
    bad, good = made("a-instruct", description=words), made("b", description="answers")
    assert names(bad, good) == ["b"]
    assert names(bad) == ["a-instruct"], "where there is nothing else"


def test_what_is_known_to_be_unable_is_not_proposed():
    models = [made("a-instruct", can_chat=False), made("b"), made("c", can_embed=True)]
    assert names(*models) == ["b", "c"]
    assert names(*models, embedding=True) == ["c"]
