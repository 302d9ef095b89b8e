"""The map outside a browser: what it returns, what is stored, and how it is without jscatter."""

import base64
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import alcf_jupyter as alcf
from alcf_jupyter.errors import UsageError
from alcf_jupyter.notebook import explore as module
from tests.frames.embedded import frame, lines
from tests.frames.test_embeddings import model  # noqa: F401 - a fixture

# jupyter-scatter uses what pandas is about to drop
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")

X = np.random.default_rng(7).standard_normal((40, 12))
SELECTED = ["text", "side", "x", "y", "status", "reason", "tokens", "embedding"]
HOSTILE = "<img src=x onerror=alert(1)> $\\href{x}{y}$"


@pytest.fixture
def emb():
    texts = [HOSTILE, *(f"text {n}" for n in range(1, 40))]
    index = ["<b>0</b>", *(f"row {n}" for n in range(1, 40))]
    return frame(X, texts=texts, index=index).assign(side=["left", "right"] * 20)


def test_it_finds_the_places_and_shows_them(emb):
    view = alcf.explore(emb, color="side", hover="side")
    assert repr(view) == "<map of 40 texts by pca>"
    assert {"x", "y"} <= set(view.frame)
    assert "x" not in emb
    assert len(view.selection) == 0
    kept = alcf.explore(view.frame)
    assert kept.frame is view.frame


def test_groups_are_the_colors_unless_others_are_named(emb):
    grouped = alcf.group(emb, 3)
    assert alcf.explore(grouped)._color.value == "group"
    assert alcf.explore(grouped, color="side")._color.value == "side"
    assert alcf.explore(emb)._color.value == "(one color)"


def test_what_the_browser_chooses_is_a_frame_in_the_order_of_the_rows(emb):
    view = alcf.explore(emb)
    view._scatter.widget.selection = np.array([7, 2], np.uint32)  # as the front end sets it
    assert view.selection.index.tolist() == ["row 2", "row 7"]
    assert list(view.selection) == SELECTED
    assert "2 texts are chosen" in view._told.value
    assert repr(view) == "<map of 40 texts by pca, 2 chosen>"
    view.choose([])
    assert len(view.selection) == 0
    assert view._list.value == ""


def test_a_search_keeps_the_nearest_first(model):  # noqa: F811
    emb = alcf.embed(["one", "two", "three", "four"], model="m")
    view = alcf.explore(emb)
    assert view.search("three", 2)["text"].iloc[0] == "three"
    assert "nearest to “three” are chosen" in view._told.value
    view._words.value = "four"  # as the search box does
    assert view.selection["text"].iloc[0] == "four"
    assert len(view.selection) == 4
    sent = len(model.packs)
    view._on_search({})
    assert len(model.packs) == sent, "the same search is not sent twice"
    model.poison = ("five",)
    view._words.value = "five"
    assert "cannot be embedded" in view._told.value
    assert len(view.selection) == 4


def test_colors_change_and_hostile_text_stays_text(emb):
    view = alcf.explore(emb.assign(share=np.linspace(0, 1, 40)))
    for name in ("side", "share", "(one color)", "side"):
        view._color.value = name
    assert view._scatter.color()["by"] == "color side"
    view.choose([0])
    assert "<img" not in view._list.value
    assert "&lt;img src=x" in view._list.value
    assert "<b>&lt;b&gt;0&lt;/b&gt;</b>" in view._list.value


def test_dark_and_light(emb):
    view = alcf.explore(emb)
    light = view._scatter.widget.background_color
    view._theme.dark = True
    assert max(view._scatter.widget.background_color[:3]) < 0.1
    view._theme.dark = False
    assert view._scatter.widget.background_color == pytest.approx(light)
    assert not view._scatter.widget.axes


def test_what_is_stored_reads_without_widgets(emb):
    view = alcf.explore(emb, color="side")
    view.choose([0, 1])
    bundle = view._repr_mimebundle_()
    if isinstance(bundle, tuple):
        bundle = bundle[0]
    assert bundle["text/plain"] == "<map of 40 texts by pca, 2 chosen>"
    coded = base64.b64encode(view.picture()).decode()
    assert f'src="data:image/png;base64,{coded}"' in bundle["text/html"]
    assert "<script" not in bundle["text/html"]
    assert "<img src=x" not in bundle["text/html"]
    assert bundle["image/png"] == view.picture()
    again = alcf.explore(emb, color="side")
    again.choose([0, 1])
    assert again._repr_mimebundle_()["text/html"] == bundle["text/html"]


def test_a_style_sheet_reaches_only_what_lies_within_the_drawing():
    from alcf_jupyter.notebook.widgets.scatter import Drawing, within

    sheet = ":root,\n:host { --a: b }\n@property --c { inherits: false }\nol { margin: 0 }"
    assert within(sheet, ".map").splitlines() == [
        "@property --c { inherits: false }",
        ".map {",
        "&,",
        ":host { --a: b }",
        "",
        "ol { margin: 0 }",
        "}",
    ]
    assert ":root" not in str(Drawing._css)


def test_old_maps_are_closed_before_the_browser_gives_up(emb):
    from alcf_jupyter.notebook.widgets import embedding_map

    views = [alcf.explore(emb) for _ in range(embedding_map._MOST_OPEN + 2)]
    closed = [view._scatter.widget.comm is None for view in views]
    assert closed[:2] == [True, True]
    assert not any(closed[2:])


@pytest.mark.usefixtures("model")
def test_without_jupyter_scatter_it_is_a_picture(emb, monkeypatch, capsys):
    found = module.find_spec
    monkeypatch.setattr(
        module, "find_spec", lambda name: None if name == "jscatter" else found(name)
    )
    view = alcf.explore(emb, color="side")
    assert capsys.readouterr().err == (
        "This is a picture. For a map to search and to choose from:  "
        '%pip install "alcf-jupyter[map]"\n'
    )
    assert repr(view) == "<map of 40 texts by pca, a picture>"
    assert view._repr_mimebundle_()["image/png"] == view.picture()
    assert list(view.selection) == SELECTED
    view = alcf.explore(alcf.embed(["one", "two", "three"], model="m"))
    before = view.picture()
    assert view.search("two", 1)["text"].tolist() == ["two"]
    assert view.picture() != before
    assert "<li>" in view._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize(
    ("options", "first"),
    [
        ({"color": "sid"}, "There is no column 'sid'."),
        (
            {"color": pd.Series([1, 2])},
            "One column is named here, and 0 1 1 2 dtype: int64 is none.",
        ),
        ({"hover": ["side", "yaer"]}, "There is no column 'yaer'."),
        ({"text": "title"}, "There is no column 'title'."),
        ({"color": ["side"]}, "One column is named here, and ['side'] is none."),
        ({"hover": [["side"]]}, "One column is named here, and ['side'] is none."),
        ({"method": "tsne"}, "There is no projection 'tsne'."),
    ],
)
def test_what_is_not_there_is_said(emb, options, first):
    with pytest.raises(UsageError) as error:
        alcf.explore(emb, **options)
    assert lines(error)[0] == first


def test_a_frame_without_places_or_embeddings_is_said(emb):
    with pytest.raises(UsageError) as error:
        alcf.explore(emb.assign(x=np.nan, y=np.nan))
    assert lines(error)[0] == "No row has a place on the map."
    with pytest.raises(UsageError) as error:
        alcf.explore(emb.drop(columns="embedding"))
    assert lines(error)[0].startswith("This is no table of embeddings")


def test_nothing_heavy_is_imported_before_the_first_call():
    program = (
        "import sys, alcf_jupyter as alcf\n"
        "alcf.neighbors, alcf.project, alcf.group, alcf.near_duplicates, alcf.explore\n"
        "heavy = {'sklearn', 'jscatter', 'matplotlib', 'faiss', 'anywidget', 'ipywidgets'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
