"""Markdown that is still arriving."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alcf_jupyter.notebook.cells.growing import GrowingMarkdown
from alcf_jupyter.notebook.rendering.render import to_html
from tests.notebook.hostile import HOSTILE
from tests.notebook.test_render import Inspector
from tests.own_time import at_most

SECTION = """## Heading {n}

A paragraph with *emphasis*, `code`, a [link](https://x.y/{n}) and $E={n}mc^2$, costs $5. It goes
on for a second line, and then it ends.

1. one item that is as long as items are, with **bold** words
2. another item
3. a third one

- a
  - nested
- b

| a | b |
|---|--:|
| row | 1 |
| row | 2 |
| row | 3 |

```python
for i in range({n}):
    print(i)
```

\\[
\\sum_i x_i
\\]

> a quotation
> of two lines

"""
LONG = "".join(SECTION.format(n=n) for n in range(40))


def grow(text, step):
    growing = GrowingMarkdown()
    for start in range(0, len(text), step):
        growing.feed(text[start : start + step])
        yield growing.html()


@pytest.mark.parametrize("step", [1, 7, 100, 5000])
def test_the_end_of_the_stream_is_the_rendering_of_the_whole(step):
    text = SECTION.format(n=1) * 2
    *_, last = grow(text, step)
    assert last == to_html(text)


@pytest.mark.parametrize(
    "text",
    [
        "- a\n- b\n- c\n",
        "3. a\n4. b\n5. c\n\nend",
        "|a|b|\n|-|-|\n|1|2|\n|3|4|\n|5|6|\n\nend",
        "|a|b|\n|-|-|\n|1|2|\n|3|4|\n|5|6|\nend",
        "- a\n- b\n\nwords\n\n* c\n* d\n",
        "- a\n- b\n* c\n* d\n",
        "para\n#hashtag\nmore",
        "title\n===\ntext",
        "~~~\n# not a heading\n\n- nor a list\n~~~\nend",
    ],
)
def test_lists_and_tables_are_continued_where_they_were_parted(text):
    for step in (1, 2, 3, 5):
        *_, last = grow(text, step)
        assert last == to_html(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_every_moment_of_a_hostile_stream_is_safe(text):
    for html in grow(text + "\n\n" + text, 9):
        Inspector(html)


@settings(deadline=None)  # a shared machine stalls
@given(
    st.lists(
        st.sampled_from([*HOSTILE, "- a\n", "|a|\n|-|\n", "|b|\n", "\n\n", "```\n"]), max_size=6
    )
)
def test_every_moment_of_any_stream_is_safe(texts):
    for html in grow("\n".join(texts), 37):
        Inspector(html)


def test_a_large_unfinished_block_is_shown_as_it_is():
    *_, last = grow("```python\n" + "x = 1  # comment\n" * 500, 1000)
    assert "pre-wrap;word-break:normal>\nx = 1  # comment\n" in last
    *_, last = grow("word " * 2000, 1000)
    assert last.startswith("<pre")
    *_, last = grow("word " * 2000 + "\n\nnext block\n\n", 1000)
    assert last.startswith("<p>word")


def test_entangled_text_is_shown_as_it_is(monkeypatch):
    monkeypatch.setattr("alcf_jupyter.notebook.rendering.markdown._steps", lambda _: 10)
    *_, last = grow("*a* [b](c) " * 20, 20)
    assert last.startswith("<pre")


def test_an_escape_sequence_cut_in_two_is_never_seen():
    growing = GrowingMarkdown()
    growing.feed("a\x1b[3")
    growing.feed("1mb\r")
    growing.feed("\nc")
    assert growing.html() == "<p>ab\nc</p>\n"


@pytest.mark.parametrize(
    "text",
    [
        LONG[:20_000],
        "- " + "\n- ".join(["an item of some twelve words as they are found in answers"] * 300),
        "word " * 4000,
        "```\n" + "x = f(1)  # a line of code\n" * 700,
        "|a|b|\n|-|-|\n" + "|some words in a cell|a number|\n" * 500,
    ],
    ids=["mixed", "list", "paragraph", "code", "table"],
)
def test_a_long_answer_costs_little(text):
    list(grow(text[:500], 100))  # imports
    # 0.15 s is the target, and what it takes on a free machine; this one may be shared.
    with at_most(0.5):
        updates = list(grow(text, len(text) // 164))
    assert len(updates) >= 164
