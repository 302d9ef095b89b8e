"""A key follows what would be sent, and neither the place nor the label of the row."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alcf_jupyter.frames.record.row_keys import identity, keys

TEXTS = st.lists(st.text(max_size=3), max_size=12)
QUIET = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A shared machine stalls, and says nothing by that."""


@QUIET
@given(TEXTS, st.randoms())
def test_sorted_differently_the_same_keys(texts, chance):
    shuffled = texts.copy()
    chance.shuffle(shuffled)
    assert sorted(zip(texts, keys(texts), strict=True)) == sorted(
        zip(shuffled, keys(shuffled), strict=True)
    )


@QUIET
@given(TEXTS, st.text(max_size=3))
def test_a_row_on_top_changes_no_set_of_keys(texts, new):
    assert set(keys(texts)) < set(keys([new, *texts]))


@QUIET
@given(TEXTS)
def test_every_row_has_a_key_of_its_own(texts):
    assert len(set(keys(texts))) == len(texts)


def test_another_prompt_model_or_parameter_never_shares_a_key():
    runs = [
        identity(kind="map", model=model, parameters=parameters, template=template)
        for model in ("a", "b")
        for parameters in ({}, {"temperature": 0}, {"temperature": 1}, {"temperature": "0"})
        for template in ("{{x}}", "{{x}} ")
    ]
    assert len(set(runs)) == 16
    made = [key for run in runs for key in keys(["one", "two", b"one", ["one"]], run)]
    assert len(set(made)) == 64


def test_the_order_of_a_mapping_does_not_matter_and_keys_never_change():
    assert identity(a={"x": 1, "y": 2}, b=1) == identity(b=1, a={"y": 2, "x": 1})
    # written down: a new version of the package must find the answers of an older one
    assert identity(kind="map", model="m") == "653e34d8f5072c6a98caf3670a684f1e"
    assert keys(["text", "text", None], "run") == [
        "868eb1ebf1a1490fe6ec9d175a7fc76f",
        "868eb1ebf1a1490fe6ec9d175a7fc76f.1",
        "",
    ]


def test_half_characters_have_keys_too():
    assert len({*keys(["\ud800", "\udc00", {"a": "\ud800"}, {"a": "\udc00"}])}) == 4
