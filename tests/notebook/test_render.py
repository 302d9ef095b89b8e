"""A model's answer as HTML that can be shown."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alcf_jupyter.notebook.rendering.render import CODE, plain_html, sanitize, to_html
from tests.notebook.hostile import HOSTILE
from tests.own_time import at_most

LISTED = """
    a blockquote br code em h1 h2 h3 h4 h5 h6 hr li ol p pre s span strong
    table tbody td th thead tr ul
"""
TAGS = set(LISTED.split())
SAFELY = 'target="_blank" rel="noopener noreferrer"'
UNITS = [*"*_`[]()<>!#|~$\\{}&;:\"'/-+=. \n\tax1", "\n\n", "```", "<script>", "javascript:"]
MARKUP = st.lists(st.sampled_from(UNITS), max_size=200).map("".join)


class Inspector(HTMLParser):
    """Reads HTML and refuses whatever is not on the list."""

    def __init__(self, html):
        super().__init__()
        self.text = ""
        self.open = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert tag in TAGS
        given_names = {name for name, _ in attrs}
        values = dict(attrs)
        if tag == "a":
            # An address that is none is dropped, and the link with it.
            assert given_names | {"href"} == {"href", "rel", "target"}
            assert re.match(r"https?://|mailto:", values.get("href", "mailto:"), re.IGNORECASE)
            assert values["rel"] == "noopener noreferrer"
            assert values["target"] == "_blank"
        elif tag in {"td", "th"}:
            assert values.get("style", "") in {
                f"text-align:{x}" for x in ("left", "center", "right")
            }
        elif tag == "pre":
            assert set(values) == {"style"}
            assert re.fullmatch(
                "(margin:0;white-space:pre-wrap;)?word-break:normal", values["style"]
            )
        elif tag == "ol":
            assert given_names <= {"start"}
        else:
            assert attrs == []
        if tag not in {"br", "hr"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        raise AssertionError(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_becomes_only_what_is_listed(text):
    assert Inspector(to_html(text)).open == []
    assert to_html(text) == to_html(text)


@settings(deadline=None)  # a shared machine stalls
@given(MARKUP)
def test_any_markup_becomes_only_what_is_listed(text):
    Inspector(to_html(text))


@settings(deadline=None)  # a shared machine stalls
@given(st.text(st.characters(exclude_categories=())))
def test_any_text_becomes_only_what_is_listed(text):
    assert not re.search(
        "[\u202a-\u202e\u2066-\u2069\u200b\x1b\x00]", Inspector(to_html(text)).text
    )


@settings(deadline=None)  # a shared machine stalls
@given(
    st.lists(st.sampled_from(HOSTILE), min_size=2, max_size=5),
    st.sampled_from(["", " ", "\n", "\n\n"]),
)
def test_hostile_texts_stay_harmless_together(texts, between):
    Inspector(to_html(between.join(texts)))


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        (
            "# T\n\n*a* **b** ~~c~~ `d`",
            "<h1>T</h1>\n<p><em>a</em> <strong>b</strong> <s>c</s> <code>d</code></p>\n",
        ),
        ("3. a\n4. b", '<ol start="3">\n<li>a</li>\n<li>b</li>\n</ol>\n'),
        ("```python\nx  =  1\n```", f"{CODE}<code>x  =  1\n</code></pre>\n"),
        ("<b>x</b>", "<p>&lt;b&gt;x&lt;/b&gt;</p>\n"),
        ("![a cat](https://x.y/z.png)", "<p>[image: a cat] (https://x.y/z.png)</p>\n"),
        ("![](https://x.y/z.png)", "<p>[image] (https://x.y/z.png)</p>\n"),
        ("[a](https://x.y 'hidden')", f'<p><a href="https://x.y" {SAFELY}>a</a></p>\n'),
        ("<mailto:a@b.c>", f'<p><a href="mailto:a@b.c" {SAFELY}>mailto:a@b.c</a></p>\n'),
        ("", ""),
    ],
)
def test_markdown_becomes_html(markdown, html):
    assert to_html(markdown) == html


@pytest.mark.parametrize(
    ("markdown", "typeset"),
    [
        ("so $E=mc^2$ holds", ["\\(E=mc^2\\)"]),
        ("so \\(E=mc^2\\) holds", ["\\(E=mc^2\\)"]),
        ("so $$E=mc^2$$ holds", ["\\[E=mc^2\\]"]),
        ("so \\[ E=mc^2 \\] holds", ["\\[E=mc^2\\]"]),
        ("$$\na\n+ b\n= c\n$$", ["\\[a\n+ b\n= c\\]"]),
        ("\\[\na\n- b\n\\]", ["\\[a\n- b\\]"]),
        ("words\n\\[\na\n\\]\nwords", ["\\[a\\]"]),
        ("- item\n  \\[\n  a\n  \\]", ["\\[a\\]"]),
        ("> $$\n> a\n> $$", ["\\[a\\]"]),
        (
            "\\begin{align*}\na &= b\n\\end{align*}",
            ["\\[\\begin{align*}\na &= b\n\\end{align*}\\]"],
        ),
        ("| $a$ | b |\n|--|--|\n| c | \\(d\\) |", ["\\(a\\)", "\\(d\\)"]),
        ("$x$, $y$; ($z$)", ["\\(x\\)", "\\(y\\)", "\\(z\\)"]),
        ("**$x$** and _$y$_", ["\\(x\\)", "\\(y\\)"]),
        ("a $x_1 * y_2$ and $z * w$", ["\\(x_1 * y_2\\)", "\\(z * w\\)"]),
        ("costs $5 and $6", []),
        ("costs $5-$6, or $5/$6", []),
        ("from $5k to $6k, $7.", []),
        ("US$5 and A$6 and 5$ and 6$", []),
        ("$HOME/bin:$PATH and ${USER}", []),
        ("\\$x\\$ and `$x$`", []),
        ("$ x $ and $\nx $", []),
        ("    $x$", []),
        ("```\n$x$\n```", []),
        ("$\\href{javascript:x}{y}$", []),
        ("C:\\\\new \\begin{x} \\ref{y}", []),
    ],
)
def test_formulas_are_marked_and_prices_are_not(markdown, typeset):
    html = to_html(markdown)
    Inspector(html)
    outside_code = re.sub(r"<(code|pre).*?</\1>", "", html, flags=re.DOTALL)
    marked = re.findall(r"<span>(\\[(\[].*?\\[)\]])</span>", outside_code, flags=re.DOTALL)
    assert [m.replace("&amp;", "&") for m in marked] == typeset
    for formula in re.findall(r"<span>\\[(\[].*?\\[)\]]</span>", outside_code, flags=re.DOTALL):
        outside_code = outside_code.replace(formula, "")
    assert not re.search(
        r"[$\\]", outside_code.replace("<span>$</span>", "").replace("<span>\\</span>", "")
    )


def test_a_tables_cells_are_aligned():
    html = to_html("| a | b |\n|---|--:|\n| 1 | 2 |")
    assert "<th style=text-align:left>a</th>\n<th style=text-align:right>b</th>" in html
    assert "<td style=text-align:left>1</td>\n<td style=text-align:right>2</td>" in html


def test_the_words_survive():
    assert (
        Inspector(to_html("costs $5 and $6, C:\\new\\dir")).text.strip()
        == "costs $5 and $6, C:\\new\\dir"
    )


@pytest.mark.parametrize(
    "unit",
    [
        "[",
        "![",
        "[](",
        "[a](b",
        "![a](",
        "](",
        "*a_",
        "*a **a ",
        "**",
        "***a",
        "*_",
        "~~a",
        "~",
        "`a``",
        ">",
        ">\n",
        "> a\n",
        "a\n>b\n",
        "- ",
        "- a\n",
        "1. ",
        "* * ",
        "+ - ",
        "|",
        "|a|b|\n",
        "a\n=\n",
        "#",
        "&",
        "&#",
        "<",
        "<a@",
        "<http:",
        "<a b='",
        "\\",
        "\\(",
        "\\[",
        "\\[\n",
        "\\[ a \\] b\n",
        "$",
        "$x ",
        "$$\n",
        "$$a",
        "$a$ ",
        "\\begin{align}\n",
        "\\begin{align}\na\n\\end{align} b\n",
        "[a]: x\n",
        "[x]:\n",
        "[a]: b '",
        "```\n",
        "~~~a\n",
        "\t",
        " ",
        "a\n",
        "{",
        "\x1b[",
        "\u200d",
        "é",
        "    a\n",
        "<!--",
        "a*",
        "a**b",
        "_a",
        "- [ ] ",
        "!",
        "``",
    ],
)
@pytest.mark.parametrize("size", [4_000, 20_000])
def test_entangled_text_takes_bounded_time(unit, size):
    text = unit * (size // len(unit))
    Inspector(to_html("a first *use* imports what it needs, which is not what is measured"))
    with at_most(1.5 * size / 10_000):
        Inspector(to_html("|a|b|\n|-|-|\n" + text if unit == "|a|b|\n" else text))


def test_deep_nesting_ends():
    for text in (
        ">" * 5000 + "a",
        "- " * 3000 + "a",
        "".join("  " * i + "- a\n" for i in range(300)),
        "[" * 5000 + "]" * 5000,
    ):
        Inspector(to_html(text))


def test_text_over_the_limit_is_shown_as_it_is():
    html = to_html("*a* <b>\n" * 20_000)
    assert html.startswith("<pre ")
    assert "\n*a* &lt;b&gt;\n" in html


def test_plain_text_keeps_its_line_ends():
    assert plain_html("\n a  b\x1b[0m").endswith(
        "white-space:pre-wrap;word-break:normal>\n\n a  b</pre>\n"
    )


@pytest.mark.parametrize(
    "html",
    [
        "<script>x</script>",
        "<img src=x onerror=y>",
        '<a href="javascript:x">y</a>',
        '<a href="">y</a>',
        '<a href="/api">y</a>',
        '<a href="//evil.invalid">y</a>',
        '<p style="position:fixed" class="a" id="b" data-x="y" onclick="z">t</p>',
        '<td align="justify" style="x">t</td>',
        "<svg><script>x</script></svg>",
    ],
)
def test_the_sanitizer_does_not_trust_the_renderer(html):
    assert not re.search(
        "href|script|img|onerror|style=|class|id=|data-|onclick|svg|justify", sanitize(html)
    )
