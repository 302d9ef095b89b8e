"""df["text"].alcf.embed() and df.alcf.map(): the same as the functions, and never in the way."""

import contextlib
import subprocess
import sys

import pandas as pd
import pytest

import alcf_jupyter as alcf
from alcf_jupyter.errors import TemplateError
from tests.notebook.test_magics import Notebook


@pytest.fixture
def df():
    alcf.connect("sandbox")
    return pd.DataFrame({"title": ["rain", None, "snow"]}, index=["a", "b", "b"])


def test_a_column_is_embedded(df):
    frame = df["title"].alcf.embed(model="sandbox/embed")
    pd.testing.assert_frame_equal(frame, alcf.embed(df["title"], model="sandbox/embed"))
    assert frame.index.tolist() == ["a", "b", "b"]


def test_a_table_is_asked_about(df):
    frame = df.alcf.map("Say {{title}}", model="sandbox/echo", seed=1)
    assert frame["reply"].tolist()[::2] == ["Say rain", "Say snow"]
    assert frame["status"].tolist() == ["ok", "skipped", "ok"]
    assert frame.attrs["alcf"]["parameters"] == {"seed": 1}
    again = df["title"].alcf.map("Say {{title}}", model="sandbox/echo", seed=1)
    assert again["reply"].tolist()[::2] == ["Say rain", "Say snow"]
    assert df.alcf.estimate("Say {{title}}", model="sandbox/echo").rows == 2


def test_a_part_is_asked_about_as_it_is_now(df):
    assert len(df.alcf.map("Say {{title}}", model="sandbox/echo")) == 3
    df["title"] = ["fog"] * 3
    assert set(df.alcf.map("Say {{title}}", model="sandbox/echo")["reply"]) == {"Say fog"}
    assert len(df.iloc[:1].alcf.map("Say {{title}}", model="sandbox/echo")) == 1


def test_a_column_that_is_not_there(df):
    with pytest.raises(TemplateError, match="title"):
        df.alcf.map("Say {{titel}}", model="sandbox/echo")


def output(program):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_pandas_is_never_imported_for_it():
    program = "import alcf_jupyter, sys\nalcf_jupyter.connect\nprint('pandas' in sys.modules)"
    assert output(program) == ["False"]


@pytest.mark.parametrize(
    "order",
    [
        "import pandas as pd, alcf_jupyter as alcf",
        "import alcf_jupyter as alcf, pandas as pd\nalcf.connect",
        "import alcf_jupyter as alcf\nalcf.embed\nimport pandas as pd",
    ],
)
def test_it_is_there_whichever_is_imported_first(order):
    program = f"{order}\nprint(hasattr(pd.DataFrame, 'alcf'), hasattr(pd.Series, 'alcf'))"
    assert output(program) == ["True", "True"]


def test_another_package_s_accessor_is_left_alone():
    program = (
        "import pandas as pd\n"
        "@pd.api.extensions.register_dataframe_accessor('alcf')\n"
        "class Theirs:\n"
        "    def __init__(self, data): pass\n"
        "import alcf_jupyter\n"
        "print(pd.DataFrame.alcf is Theirs, pd.Series.alcf.__name__)"
    )
    assert output(program) == ["True", "SeriesAccessor"]


def test_in_a_notebook_it_is_there_one_cell_after_pandas():
    book = Notebook()
    with contextlib.closing(book):
        book.run("import sys\n%load_ext alcf_jupyter")
        assert book.value("'pandas' in sys.modules") == "False"
        book.run("import pandas as pd\ndf = pd.DataFrame({'text': ['a']})")
        assert book.value("type(df.alcf).__name__") == "'FrameAccessor'"
        assert book.value("type(df['text'].alcf).__name__") == "'SeriesAccessor'"
