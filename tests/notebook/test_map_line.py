"""%alcf map and %alcf runs in a real kernel, against the sandbox."""

import contextlib
import re

import pytest

from alcf_jupyter.notebook.commands.map_line import _split
from tests.notebook.test_magics import Notebook

SET_UP = """\
%load_ext alcf_jupyter
import alcf_jupyter as alcf, pandas as pd
alcf.connect("sandbox")
df = pd.DataFrame({"title": ["rain", "snow", None], "my text": ["a", "b", "c"]})
prompt = "Classify: {{title}}"
"""


@pytest.fixture(scope="module")
def notebook():
    book = Notebook()
    with contextlib.closing(book):
        assert not book.run(SET_UP).failed
        yield book


@pytest.mark.parametrize(
    ("rest", "expression", "prompt"),
    [
        ('df "Classify: {{title}}"', "df", '"Classify: {{title}}"'),
        ("df prompt", "df", "prompt"),
        ("df[df.year > 2000] 'It\"s {{x}}'", "df[df.year > 2000]", "'It\"s {{x}}'"),
        ('df.query("year > 2000") "a"', 'df.query("year > 2000")', '"a"'),
        ('df[["my text"]] "a \\"b\\""', 'df[["my text"]]', '"a \\"b\\""'),
    ],
)
def test_the_last_word_is_the_prompt(rest, expression, prompt):
    assert _split(rest) == (expression, prompt)


def test_a_table_in_and_a_table_out(notebook):
    done = notebook.run('%alcf map df "Say {{title}}" -m sandbox/echo -o labels --seed 7')
    assert not done.failed
    assert notebook.value("labels['reply'].tolist()") == "['Say rain', 'Say snow', nan]"
    assert notebook.value("labels['status'].tolist()") == "['ok', 'ok', 'skipped']"
    assert notebook.value("labels.attrs['alcf']['parameters']") == "{'seed': 7}"
    assert "skipped" in done.only("execute_result")["data"]["text/plain"]


def test_options_in_any_place_and_a_prompt_in_a_variable(notebook):
    line = "%alcf map -m sandbox/echo df[df.title.notna()] -s 'Be \"short\"' prompt"
    notebook.run(f"out = {line}")
    assert notebook.value("out['reply'].tolist()") == "['Classify: rain', 'Classify: snow']"
    notebook.run('out = %alcf map df "{{my text}} and $x$" -m sandbox/echo')
    assert notebook.value("out['reply'].tolist()[0]") == "'a and $x$'"


def test_a_schema_makes_columns(notebook):
    notebook.run(
        '%alcf map df "{{title}}" -m sandbox/json -o out --schema "label, score float" --prefix ai_'
    )
    assert notebook.value("[c for c in out.columns if c[:3] == 'ai_']") == (
        "['ai_label', 'ai_score']"
    )


def test_a_dry_run_sends_nothing(notebook):
    shown = notebook.run('%alcf map df "Say {{title}}" -m sandbox/echo --dry-run -n 10')
    told = shown.only("execute_result")["data"]["text/plain"]
    assert told.startswith("2 rows to send")
    assert "up to 20 out" in told


def test_a_dry_run_takes_the_whole_line_and_knows_the_record(notebook):
    line = '%alcf map df "Know {{title}}" -m sandbox/json --schema "label" --prefix p_ -t 0'
    notebook.run(f"_ = {line}")
    shown = notebook.run(f"{line} --dry-run").only("execute_result")["data"]["text/plain"]
    assert shown.startswith("0 rows to send, 2 from the record")
    done = notebook.run(f"{line} --dry-run --concurrency 0")
    assert "Leave it out" in done.error


def test_in_the_background(notebook):
    done = notebook.run('%alcf map df "Say {{title}} now" -m sandbox/echo --bg -o behind')
    shown = done.only("display_data")["data"]
    assert "application/vnd.jupyter.widget-view+json" in shown
    assert notebook.value("behind.result(60)['status'].tolist()") == "['ok', 'ok', 'skipped']"


def test_as_a_batch(notebook):
    done = notebook.run('%alcf map df "Say {{title}}" -m sandbox/echo --via batch --bg -o sent')
    assert not done.failed, done.messages
    assert notebook.value("type(sent).__name__") == "'Batch'"


def test_quiet(notebook):
    long = "pd.DataFrame({'title': ['x'] * 12})"
    done = notebook.run(f'_ = %alcf map {long} "{{{{title}}}}" -m sandbox/slow -q -n 5')
    assert done.messages == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("%alcf map", 'lacks a table and a prompt.\nWrite it like:  %alcf map df "'),
        ("%alcf map df", "lacks"),
        ('%alcf map "Say {{title}}"', "lacks a prompt"),
        ("%alcf map df 7", "The prompt is a text, and 7 is not"),
        ('%alcf map df "Say {{titel}}" -m sandbox/echo', "title"),
        ('%alcf map dff "Say {{title}}" -m sandbox/echo', "df"),
        ('%alcf map df[ "Say {{title}}" -m sandbox/echo', "is not a Python expression"),
        ('%alcf map df "Say {{title}}" -m sandbox/ech', "sandbox/echo"),
        ('%alcf map df "Say {{title}}" --modle x', "--model"),
        ('%alcf map df "Say {{title}}" -P fresh=1 -m sandbox/echo', "an option of its own"),
        ('%alcf map df "Say {{title}}" -o 7x -m sandbox/echo', "-o takes the name"),
        ('%alcf map df "Say {{title}}" -m sandbox/echo --on-error stop', "keep"),
        ('%alcf map df "Say {{title}}" -m sandbox/echo --via post', "requests or batch"),
        ('%alcf map df "Say {{title}} -m sandbox/echo', "not closed"),
        ("%alcf runs opne x", "%alcf runs open"),
        ("%alcf runs open", "takes NAME"),
        ("%alcf runs export x", "takes NAME and FILE"),
        ("%alcf runs open nothing", "No recorded run"),
    ],
)
def test_bad_input(notebook, line, words):
    assert words in notebook.run(line).error


ASK = '%alcf map df "Say {{title}}" -m sandbox/echo'
AS_BATCH = f"{ASK} --via batch --folder /eagle/p"


@pytest.mark.parametrize(
    ("line", "typed"),
    [
        (f"{ASK} --file x.csv", "Write:  'x.parquet'"),
        (f'{ASK} --schema "status"', "--prefix answer_"),
        (f"{ASK} --checkpoint FILE", "--checkpoint FILE.run"),
        (f"{ASK} --checkpoint RECORD", "--checkpoint run-2"),
        (f"{ASK} --concurrency 5000", "--concurrency 5000 is not from"),
        (f"{ASK} --folder /eagle/p", "--via batch"),
        (f"{AS_BATCH} --concurrency 4", "Leave --concurrency out."),
        (f"{AS_BATCH} --on-error raise", "Leave --on-error out."),
        (f"{AS_BATCH} --bg --file x.parquet", "--file in the background"),
        (f"{AS_BATCH} --checkpoint x", "Leave --checkpoint out."),
        (f"{ASK} --on-error raise --max-tokens 40000", "--on-error keep"),
        (f"{ASK} -t 9", "-t 9.0"),
        (f"{ASK} -P systm=x", "Did you mean:  -s"),
        (f"{ASK} -P guided_json=x", "use --schema"),
        ('%alcf map 5 "Say {{title}}" -m sandbox/echo', "%alcf map df"),
        ("%alcf runs open nothing", "%alcf runs"),
        ("%alcf batches --status completd", "Did you mean:  --status completed"),
        ("%alcf batches --status done", "Did you mean:  --status completed"),
        ("%alcf batches --status sideways", "See them all:  %alcf batches"),
        ('%alcf map df "{{title}}" -m sandbox/vision --via batch', "%alcf models --can batch"),
        ("%alcf connect alcf --poll-seconds 3", "--poll-seconds is for"),
        ("%alcf_embed -m sandbox/embed 'one text'", "%alcf_embed ['…']"),
        ("%alcf_embed -m sandbox/embed df", "%alcf_embed df['title']"),
        ("%alcf_embed -m sandbox/embed 5", "%alcf_embed ['…']"),
        ("%alcf_embed -m sandbox/embed --dimensions 0 ['a']", "--dimensions 0 is no length"),
    ],
)
def test_what_to_type_is_an_option_of_the_magic(notebook, tmp_path, line, typed):
    (tmp_path / "file").write_text("x")
    (tmp_path / "record").mkdir()
    if "RECORD" in line:
        ask = "alcf.map(df, '{{title}}!', model='sandbox/echo', checkpoint=PATH)"
        notebook.run(ask.replace("PATH", repr(str(tmp_path / "record"))))
    for name in ("file", "record"):
        line, typed = (text.replace(name.upper(), str(tmp_path / name)) for text in (line, typed))
    told = notebook.run(line).error
    assert typed in told
    assert not re.search(
        r"\b(?!temperature|top_p)[a-z_]+=|alcf\.[a-z]", told.replace(str(tmp_path), "")
    )


def test_recorded_runs_are_listed_opened_exported_and_deleted(notebook, tmp_path):
    notebook.run(
        f'_ = %alcf map df "Keep {{{{title}}}}" -m sandbox/echo --checkpoint {tmp_path}/one'
    )
    shown = notebook.run("%alcf runs").only("execute_result")["data"]
    assert ">sandbox/echo</td>" in shown["text/html"]
    assert f"{tmp_path}/one" in shown["text/plain"]
    name = notebook.value("alcf.runs()[0].name").strip("'")
    done = notebook.run(f"%alcf runs open {name[:8]} -o rows")
    assert "Keep rain" in done.only("execute_result")["data"]["text/plain"]
    assert notebook.value("rows['reply'].tolist()") == "['Keep rain', 'Keep snow']"
    done = notebook.run(f"%alcf runs export {name[:8]} {tmp_path}/out.jsonl")
    assert "Written to" in done.only("stream")["text"]
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 2
    done = notebook.run(f"%alcf runs delete {tmp_path}/one")
    assert f"Run {name} is deleted" in done.only("stream")["text"]
    assert not (tmp_path / "one").exists()


def complete(notebook, line):
    return notebook.client.complete(line, reply=True, timeout=60)["content"]["matches"]


def test_completion(notebook):
    notebook.run("_ = repr(alcf.runs())")
    assert "df" in complete(notebook, "%alcf map ")
    assert complete(notebook, '%alcf map df "Say {{title}}" --chec') == ["--checkpoint"]
    assert "sandbox/echo" in complete(notebook, '%alcf map df "Say {{title}}" -m sandbox/e')
    assert complete(notebook, '%alcf map df "Say --chec') == []
    assert complete(notebook, "%alcf runs ") == ["open", "export", "delete", "--out"]
    assert complete(notebook, "%alcf runs op") == ["open"]
    name = notebook.value("alcf.runs()[0].name").strip("'")
    assert name in complete(notebook, "%alcf runs open ")
