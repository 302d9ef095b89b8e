"""An answer as it is stored in a notebook."""

from __future__ import annotations

import pytest

from alcf_jupyter.notebook.rendering.bundle import answer_bundle, unfenced
from tests.notebook.hostile import HOSTILE


def test_answer_note_and_footer_are_all_there():
    bundle = answer_bundle("*a* $5", "m @ c · 3 in", "Incomplete: it ended", "first *this*")
    assert bundle["text/plain"] == "*a* $5\n\nIncomplete: it ended\n\nm @ c · 3 in"
    assert bundle["text/html"] == (
        '<details style="opacity:.75;font-size:.9em">'
        "<summary>Reasoning</summary><p>first <em>this</em></p>\n</details>\n"
        "<p><em>a</em> <span>$</span>5</p>\n"
        '<p role="note"><strong>Incomplete: it ended</strong></p>\n'
        '<div style="opacity:.75;font-size:.9em">m @ c · 3 in</div>\n'
    )


def test_an_answer_alone_is_only_that():
    assert answer_bundle("a") == {"text/html": "<p>a</p>\n", "text/plain": "a"}
    assert answer_bundle("", note="Nothing came")["text/plain"] == "Nothing came"


@pytest.mark.parametrize(
    ("text", "fmt", "plain"),
    [
        ("*a*", "text", "*a*"),
        ("```python\nx = 1\n```", "code", "x = 1"),
        ("```python\nx = 1\n```\nand more", "code", "x = 1"),
        ("a\n\n~~~\nx\n~~~\nb\n- c\n  ```py\n  y\n  ```", "code", "x\n\ny"),
        ("no fence", "code", "no fence"),
        ('```json\n{"a":[1,"é"]}\n```', "json", '{\n  "a": [\n    1,\n    "é"\n  ]\n}'),
        ("{not json", "json", "{not json"),
        ("[" * 100_000, "json", "[" * 100_000),
    ],
)
def test_formats(text, fmt, plain):
    bundle = answer_bundle(text, fmt=fmt)
    assert bundle["text/plain"] == plain
    assert bundle["text/html"].startswith("<pre")


@pytest.mark.parametrize("fmt", ["text", "code", "json"])
def test_hostile_text_is_escaped_in_every_format(fmt):
    for text in HOSTILE:
        html = answer_bundle(text, text, text, fmt=fmt)["text/html"]
        for tag in ("<script", "<img", "<svg", "<a", "<style", "<iframe"):
            assert tag not in html.lower()


def test_only_one_whole_fence_is_taken_off():
    assert unfenced("~~~\na\n~~~\n") == "a"
    assert unfenced("```\na\n```\n```\nb\n```") == "```\na\n```\n```\nb\n```"
