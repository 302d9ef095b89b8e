"""``{{expression}}`` in a prompt: every rule of the templates, and every way to get one wrong."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alcf_jupyter.errors import TemplateError
from alcf_jupyter.prompt.template import SHOWN_CHARACTERS, Slot, evaluate, fill, parse, show
from tests.own_time import at_most
from tests.service.effort import cases, dice, thorough

NAMES = {"name": "Ada", "n": 3, "words": ["a", "b"], "d": {"k": {"x": 1}}, "braces": "{{n}}"}


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("Hello {{name}}!", "Hello Ada!"),
        ("{{ name }}{{n}}", "Ada3"),
        ("{{n + 1}} {{name.upper()}} {{words[0]}}", "4 ADA a"),
        ("{{len(words)}}", "2"),
        ("{{[w * 2 for w in words]}}", "['aa', 'bb']"),
        ("{{d['k']['x']}}", "1"),
        ("{{ {'a': {'b': 1}} }}", "{'a': {'b': 1}}"),
        ("{{{'a': 1}['a']}}", "1"),
        ("{{ {1} }}", "{1}"),
        ("{{ '}}' }}", "}}"),
        ("{{ f'{n}' }}", "3"),
        ("{{\nn\n}}", "3"),
        ("{{(n,\n 1)}}", "(3, 1)"),
        ("{{'é🙂'}}", "é🙂"),
        ("", ""),
    ],
)
def test_an_expression_is_evaluated(template, filled):
    assert fill(template, NAMES) == filled


@pytest.mark.parametrize(
    "text",
    [
        r"\frac{a}{b} and \mathbf{x}_{i}",
        '{"a": {"b": {"c": 1}}}',
        "set = {1, 2}; d = {}",
        "f'{name}'",
        "}} {",
        "{ {name} }",
        "100 % {name",
        "{}}}",
        "$name ${name} %(name)s <name>",
        "\\{name}",
    ],
)
def test_other_braces_pass_untouched(text):
    assert fill(text, NAMES) == text


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        (r"\{{name}}", "{{name}}"),
        (r"\{{ and {{name}}", "{{ and Ada"),
        (r"{{name}}\{{", "Ada{{"),
        (r"\{{\{{", "{{{{"),
        (r"\{{{name}}}", "{{{name}}}"),
    ],
)
def test_a_backslash_makes_braces_plain(template, filled):
    assert fill(template, NAMES) == filled


def test_a_value_is_never_expanded_again():
    assert fill("{{braces}} {{'{{' + 'n' + '}}'}}", NAMES) == "{{n}} {{n}}"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{", "has no end"),
        ("x {{name", "has no end"),
        ("{{name}", "has no end"),
        ("{{}}", "is not a Python expression"),
        ("{{ }}", "is not a Python expression"),
        ("{{n n}}", "{{n n}} is not a Python expression"),
        ("{{x = 1}}", "is not a Python expression"),
        ("{{import os}}", "is not a Python expression"),
        ("{{for}}", "is not a Python expression"),
        ("{{n} }", "has no end"),
        ("{{\x00}}", "is not a Python expression"),
        ("{{" + "(" * 5000 + "}}", "is not a Python expression"),
        ("{{" + "-" * 100_000 + "1}}", "is not a Python expression"),
        ("{{" + "[" * 500 + "]" * 500 + "}}", "is not a Python expression"),
    ],
)
def test_what_cannot_be_read_is_an_error(template, words):
    with pytest.raises(TemplateError, match="nothing was sent") as caught:
        fill(template, NAMES)
    assert words in str(caught.value)
    assert r"\{{" in str(caught.value)
    assert len(str(caught.value)) < 600


def test_nothing_is_evaluated_for_a_prompt_that_is_not_sent():
    called = []
    with pytest.raises(TemplateError):
        fill("{{called.append(1)}} {{", {"called": called})
    assert called == []


@pytest.mark.parametrize(
    ("template", "near"),
    [
        ("{{nane}}", "{{name}}"),
        ("{{wrods[0]}}", "{{words}}"),
        ("{{lenn(words)}}", "{{len}}"),
    ],
)
def test_an_unknown_name_names_the_nearest(template, near):
    with pytest.raises(TemplateError, match="is not defined; nothing was sent") as caught:
        fill(template, NAMES)
    assert f"Did you mean:  {near}" in str(caught.value)


def test_a_name_like_no_other():
    with pytest.raises(TemplateError, match=r"write \\\{\{"):
        fill("{{qqqqqqqq}}", NAMES)


@pytest.mark.parametrize("template", ["{{x}}", "{{on}}", "{{zip_code}}"])
def test_what_is_like_nothing_there_is_suggests_nothing(template):
    with pytest.raises(TemplateError) as caught:
        fill(template, {"absorption": 1, "exposure": 2, "results_by_box": 3})
    assert "Did you mean" not in str(caught.value)


@pytest.mark.parametrize(
    "latex", [r"\frac{{a}}{b}", r"\frac{{1/0}}{b}", r"\frac{{a b}}{c}", r"{{\alpha}"]
)
def test_latex_is_told_how_to_keep_its_braces(latex):
    with pytest.raises(TemplateError) as caught:
        fill(latex, {"alpha": 1})
    last = str(caught.value).splitlines()[-1]
    assert r"\{{" in last
    assert "--no-vars" in last


def test_what_was_too_large_is_told_to_the_person_too():
    names = {
        "df": pd.DataFrame({"x": range(8412)}),
        "array": np.arange(1000),
        "long": list(range(50_000)),
        "small": [1, 2],
    }
    remarks = []
    fill("{{df}} {{df.head(3)}} {{array}} {{long}} {{small}}", names, remarks=remarks)
    assert remarks == [
        "{{df}}: 20 of 8,412 rows",
        "{{array}}: an array, shortened",
        f"{{{{long}}}}: 100,000 of {len(str(names['long'])):,} characters",
    ]


class Broken:
    def __str__(self):
        raise OSError("it is broken")


@pytest.mark.parametrize(
    ("template", "kind"),
    [
        ("{{1 / 0}}", "ZeroDivisionError"),
        ("{{words[9]}}", "IndexError"),
        ("{{name.nothing}}", "AttributeError"),
        ("{{dict(d)['x\x1b[31m']}}", "KeyError"),
        ("{{broken}}", "OSError"),
        ("{{10 ** 5000}}", "ValueError"),
        ("{{(lambda f: f(f))(lambda f: f(f))}}", "RecursionError"),
    ],
)
def test_an_expression_that_fails_says_how(template, kind):
    with pytest.raises(TemplateError, match=f"failed with {kind}; nothing was sent") as caught:
        fill(template, NAMES | {"broken": Broken()})
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 3


def test_the_namespace_is_left_as_it_was():
    names = dict(NAMES)
    fill("{{(x := 5)}} {{[y for y in words]}}", names)
    assert names == NAMES


def test_an_interrupt_is_no_failure_of_the_expression():
    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill("{{stop()}}", {"stop": stop})


def test_tables_and_arrays_are_capped():
    short = pd.DataFrame({"a": [1, 2]})
    assert fill("{{df}}", {"df": short}) == short.to_string()
    table = pd.DataFrame({"a": range(8412)})
    shown = fill("{{df}}", {"df": table})
    assert shown.endswith("(showing 20 of 8,412 rows)")
    assert len(shown.splitlines()) == 22
    assert fill("{{s}}", {"s": table["a"]}).endswith("(showing 20 of 8,412 rows)")
    assert "shape (1000, 30), shortened" in show(np.zeros((1000, 30)))
    assert len(show(np.zeros((1000, 30)))) < 2000
    assert show(np.arange(3)) == "[0 1 2]"
    assert show(np.array(7)) == "7"
    wide = pd.DataFrame({"a": ["x" * 300_000]})
    assert len(show(wide)) < SHOWN_CHARACTERS + 100
    assert len(show(np.array(["x" * 300_000]))) < SHOWN_CHARACTERS + 200
    assert "characters)" in show(wide)
    assert len(show(list(range(100_000)))) < SHOWN_CHARACTERS + 100
    assert show("x" * 300_000) == "x" * 300_000, "a text is what it is"


def test_evaluate():
    assert evaluate(" words ", NAMES) == ["a", "b"]
    for bad in ("", "a b", "x = 1", "\x00", "-" * 100_000 + "1"):
        with pytest.raises(TemplateError, match="not a Python expression"):
            evaluate(bad, NAMES)
    with pytest.raises(TemplateError, match="'wrds' is not defined"):
        evaluate("wrds", NAMES)


@thorough(200)
@given(st.lists(st.sampled_from(["{{", "}}", "{", "}", "\\", "n", " ", "'", "{{n}}"]), max_size=12))
def test_any_text_is_filled_or_refused(parts):
    text = "".join(parts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        try:
            found = fill(text, NAMES)
        except TemplateError:
            assert "{{" in text
        else:
            assert "{{" in text or found == text


def test_what_stands_between_the_slots_is_kept():
    chance = dice("template")
    for _ in range(cases(300)):
        texts = ["".join(chance.choices("ab{} \n\\'", k=chance.randrange(6))) for _ in range(3)]
        if any("{{" in text or text.endswith(("\\", "{")) for text in texts):
            continue
        first, second, third = texts
        template = f"{first}{{{{n}}}}{second}{{{{ name }}}}{third}"
        parts = list(parse(template))
        assert [part.source for part in parts if isinstance(part, Slot)] == ["n", "name"]
        assert fill(template, NAMES) == f"{first}3{second}Ada{third}"


@pytest.mark.parametrize(
    "text",
    [
        "{{ a b }} " * 20_000,
        "{{ x y" + " }}\n" * 100_000,
        "{{" + "}}" * 50_000,
        "{{'" + "a}}" * 50_000,
    ],
)
def test_a_long_prompt_is_read_at_once(text):
    with at_most(2), pytest.raises(TemplateError):
        fill(text, NAMES)


class Table:
    """Has columns, as a DataFrame, and tells whether it was asked for a cell twice."""

    asked = 0

    def keys(self):
        return ["title", "year", 7]

    def __getitem__(self, name):
        self.asked += 1
        raise KeyError(name)


def test_a_column_that_is_not_there_is_told_with_the_nearest():
    table = Table()
    with pytest.raises(TemplateError) as caught:
        fill('About {{df["titel"].upper()}}', {"df": table})
    assert str(caught.value).splitlines() == [
        "{{df[\"titel\"].upper()}}: there is no 'titel' in df; nothing was sent.",
        "Did you mean:  df['title']",
        "See what there is:  list(df)",
    ]
    assert table.asked == 1
    with pytest.raises(TemplateError, match=r"no 'k' in d; nothing was sent") as caught:
        fill("{{d['k']}}", {"d": {"zzz": 1}})
    assert "Did you mean" not in str(caught.value)
    with pytest.raises(TemplateError, match=r"It has no 'titel'\."):
        fill("{{dict(a=1)['titel']}}", {})
