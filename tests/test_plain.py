"""Text from a model or a server, made harmless."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alcf_jupyter.plain import brief, clean, counted, escape, escape_line
from tests.notebook.hostile import HOSTILE

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("dirty", "cleaned"),
    [
        ("a\tb\nc", "a\tb\nc"),
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;https://evil.invalid\x07word\x1b]8;;\x07", "word"),
        ("\x1b]0;unfinished title\nthe answer", "0;unfinished title\nthe answer"),
        ("\x9b31mred", "red"),
        ("nul\x00bell\x07back\x08", "nulbellback"),
        ("gpj\u202eexe\u2066", "gpjexe"),
        ("pay\u200bpal\ufeff", "paypal"),
        ("hidden\U000e0041\U000e0042", "hidden"),
        ("lone\ud800 \udfffsurrogates", "lone surrogates"),
        ("👩\u200d🔬 ❤\ufe0f 🏳\ufe0f\u200d🌈", "👩\u200d🔬 ❤\ufe0f 🏳\ufe0f\u200d🌈"),
        (
            "\u0645\u06cc\u200c\u062e \u0915\u094d\u200d\u0937",
            "\u0645\u06cc\u200c\u062e \u0915\u094d\u200d\u0937",
        ),
        ("a\u200db\u200cc\ufe0f", "abc"),
        ("naïve Å ∑ 漢字 \U0001d54f", "naïve Å ∑ 漢字 \U0001d54f"),
    ],
)
def test_what_deceives_is_dropped_and_what_spells_stays(dirty, cleaned):
    assert clean(dirty) == cleaned


@settings(deadline=None)  # a shared machine stalls
@given(ANY_TEXT)
def test_cleaned_text_is_settled_and_holds_no_controls(text):
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert {unicodedata.category(c) for c in cleaned} & {"Cs", "Cc"} <= {"Cc"}
    assert not any(unicodedata.category(c) == "Cc" and c not in "\n\t" for c in cleaned)
    assert not any(c in "\u061c\u200b\u200e\u200f\u202a\u202e\u2066\u2069\ufeff" for c in cleaned)
    cleaned.encode()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_fits_on_one_escaped_line(text):
    line = escape_line(text)
    shown = line.replace("<span>$</span>", "").replace("<span>\\</span>", "")
    assert not set("<>\"'\n\t$\\") & set(shown)
    assert len(brief(text, 50)) <= 50


def test_a_dollar_and_a_backslash_are_in_elements_of_their_own():
    assert escape("$5 \\(") == "<span>$</span>5 <span>\\</span>("


def test_one_is_not_many():
    told = [counted(number, "row") for number in (0, 1, 8412)]
    assert told == ["0 rows", "1 row", "8,412 rows"]


def test_a_line_is_truncated_before_it_is_looked_at():
    assert brief("x" * 10_000_000, 200) == "x" * 199 + "…"
    assert brief("  a \n b\tc ") == "a b c"
    assert brief(None) == ""
    assert brief(3.5) == "3.5"
