"""Names of columns in a prompt: found, filled in once, never evaluated."""

from __future__ import annotations

import pytest

from alcf_jupyter.errors import TemplateError
from alcf_jupyter.prompt.column_template import parse


def test_each_name_is_filled_in_once() -> None:
    made = parse("{{a}} and {{ b c }}, {{a}}", ["a", "b c"])
    assert made.columns == ("a", "b c")
    assert made.fill({"a": "{{b c}}", "b c": "2"}) == "{{b c}} and 2, {{b c}}"


def test_a_label_that_is_no_text_is_meant_by_what_it_prints_as() -> None:
    assert parse("{{0}}!", [0, 1]).fill({"0": "x"}) == "x!"


def test_escaped_braces_and_latex_stay() -> None:
    made = parse(r"\{{x}} $\frac{a}{b}$ {{x}}", ["x"])
    assert made.fill({"x": "1"}) == r"{{x}} $\frac{a}{b}$ 1"


def test_no_column_is_named_where_rows_differ_in_something_else() -> None:
    assert parse("What is this?", ["x"], rows_differ=True).fill({}) == "What is this?"
    with pytest.raises(TemplateError, match="empty"):
        parse("", ["x"], rows_differ=True)


@pytest.mark.parametrize(
    ("template", "columns", "words"),
    [
        ("{{titel}}", ["title", "year"], "Did you mean:  {{title}}"),
        ("{{title", ["title"], "has no end"),
        ("Classify this", ["title"], "{{title}}"),
        (" ", ["title"], "The prompt is empty"),
        ("{{__import__('os').getcwd()}}", ["title"], "There is no column"),
        (3, ["title"], "not int"),
        ("{{x}}", [], "There is no column 'x'"),
    ],
)
def test_what_cannot_be_filled_is_said(template: object, columns: list[str], words: str) -> None:
    with pytest.raises(TemplateError) as told:
        parse(template, columns)
    assert words in str(told.value)
    assert 2 <= len(str(told.value).splitlines()) <= 3
