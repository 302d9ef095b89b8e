"""What a map shows: the points that have a place, colors that can be told apart, texts as text."""

import io
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import alcf_jupyter as alcf
from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.explore.embedding_map import CATEGORIES, MISSING, OTHER, Exploration
from alcf_jupyter.frames.explore.picture import png
from tests.frames.embedded import Told, frame, lines
from tests.frames.test_embeddings import model  # noqa: F401 - a fixture

X = np.random.default_rng(6).standard_normal((60, 12))


def mapped(**columns):
    emb = frame(X, missing=[3], index=[f"row {n}" for n in range(60)]).assign(**columns)
    return Exploration(alcf.project(emb, observer=Told()))


def test_only_rows_with_a_place_are_shown_and_numbered_without_a_gap():
    found = mapped()
    assert found.shown.tolist() == [n for n in range(60) if n != 3]
    assert found.places.shape == (59, 2)
    assert np.isfinite(found.places).all()
    found.choose([58, 3])
    assert found.selection.index.tolist() == ["row 59", "row 4"]
    assert len(found.texts()) == 59
    assert found.texts(found.chosen) == ["text 59", "text 4"]


def test_what_can_be_a_color():
    found = mapped(
        field=["physics", "biology"] * 30,
        year=range(1960, 2020),
        share=np.linspace(0, 1, 60),
        when=pd.date_range("2026-01-01", periods=60, tz="UTC"),
        title=[f"title {n}" for n in range(60)],
        parts=[[1]] * 60,
        flag=[True, False, None] * 20,
    )
    assert found.columns == ["field", "year", "share", "when", "flag"]
    assert found.colors("field").cat.categories.tolist() == ["biology", "physics"]
    assert found.colors("flag").cat.categories.tolist() == ["False", "True", MISSING]
    assert found.colors("year").dtype == float
    assert found.colors("when").iloc[0] == 2026.0
    assert len(found.colors("share")) == 59


def test_rare_categories_are_one_and_numbers_stay_in_order():
    names = [str(number) for number in range(25) for _ in range(2)] + ["10"] * 10
    found = mapped(name=names, few=[2, 10, 1] * 20).colors("name")
    assert len(found.cat.categories) == CATEGORIES
    assert found.cat.categories[-1] == OTHER
    assert "10" in found.cat.categories
    few = mapped(few=[2, 10, 1] * 20).colors("few")
    assert few.cat.categories.tolist() == ["1", "2", "10"]


def test_a_category_may_be_called_like_ours():
    names = [OTHER, MISSING, None, "a", "b", "c"] * 10
    found = mapped(name=names).colors("name")
    assert sorted(found.cat.categories) == sorted([OTHER, MISSING, "a", "b", "c"])
    assert (found == MISSING).sum() == 20


def test_numbers_with_gaps_become_ranges():
    share = np.linspace(0, 1, 60)
    share[10] = np.nan
    found = mapped(share=share).colors("share")
    assert len(found.cat.categories) == 9
    assert found.cat.categories[-1] == MISSING
    assert (found == MISSING).sum() == 1


def test_an_unknown_color_names_the_nearest():
    with pytest.raises(UsageError) as error:
        mapped(field=["a", "b"] * 30).colors("feild")
    assert lines(error)[1] == "Did you mean:  color='field'"


def test_texts_are_plain_and_on_one_line():
    texts = [f"text {n}" for n in range(60)]
    texts[0], texts[1] = "two\nlines \x1b[31mred \u202eturned", "long " * 200
    emb = frame(X, texts=texts).assign(note=[None, *texts[1:]])
    found = Exploration(alcf.project(emb))
    assert found.texts()[0] == "two lines red turned"
    assert len(found.texts()[1]) == 300
    assert found.texts(column="note")[:1] == [""]
    nameless = Exploration(alcf.project(emb.drop(columns="text")))
    assert nameless.texts()[:2] == ["0", "1"]


def test_a_search_gives_the_numbers_of_points(model):  # noqa: F811
    emb = alcf.embed(["one", "two", "three", "four"], model="m")
    emb = alcf.project(emb)
    emb.loc[0, "x"] = np.nan  # somebody took it off the map
    found = Exploration(emb)
    points = found.search("three", 2, Told())
    found.choose(points)
    assert found.selection["text"].iloc[0] == "three"
    assert model.packs[-1] == ["three"]
    assert "one" not in found.frame.iloc[found.shown]["text"].tolist()
    assert set(found.search("one", 4, Told())) <= {0, 1, 2}


def colors_of(picture):
    return {color for _, color in Image.open(io.BytesIO(picture)).convert("RGB").getcolors(1 << 20)}


def test_the_picture_is_the_same_every_time_and_shows_colors_and_choice():
    found = mapped(side=["left", "right"] * 30, share=np.linspace(0, 1, 60))
    plain = png(found)
    assert plain == png(found)
    assert Image.open(io.BytesIO(plain)).format == "PNG"
    assert len(plain) < 40_000
    by_side, by_share = png(found, "side"), png(found, "share")
    assert len({plain, by_side, by_share}) == 3
    assert len(colors_of(by_share)) > len(colors_of(plain))
    found.choose([1, 2])
    assert png(found, "side") != by_side


@pytest.mark.parametrize("name", ["_hidden", "$x_$", "日本", "(a)", ""])
def test_any_name_can_be_in_the_legend(name):
    assert png(mapped(any=[name, "b"] * 30), "any")


def test_without_matplotlib_the_line_to_type_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UsageError) as error:
        png(mapped())
    assert lines(error)[1] == 'Type:  %pip install "alcf-jupyter[map]"   and restart the kernel'
