"""The chat cell's forms in a real JupyterLab, in light and dark."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser

SET_UP = (
    "%load_ext alcf_jupyter\n%alcf connect sandbox\n"
    "def melting_point(element: str) -> str:\n"
    '    "Look up a melting point."\n'
    "    return '1811 K, and a price of $5 to $6'"
)
PRICES = "Prices rose from $5 to $6, and $E = mc^2$ with \\(a < b\\)."


def test_formats_reasoning_tools_and_prices(notebook, record, pictures):
    notebook.open(
        [
            SET_UP,
            "%%alcf_chat -m sandbox/markdown\nalpha beta gamma",
            "%%alcf_chat -m sandbox/markdown -f code\nalpha",
            '%%alcf_chat -m sandbox/json --schema "name, age int"\nAda is 36',
            "%%alcf_chat -m sandbox/reasoning\nWhy?",
            "%%alcf_chat -m sandbox/tools --tool melting_point\nIron",
            f"%%alcf_chat -m sandbox/echo\n{PRICES}",
            f"%%alcf_chat -m sandbox/echo -f text\n{PRICES}",
            "%%alcf_chat -m sandbox/echo\n$the end$",
        ]
    )
    notebook.run(0)
    for cell in range(1, 9):
        (output,) = notebook.run(cell)
        assert output["output_type"] == "display_data"
    notebook.typeset(8)
    assert notebook.output(1).locator("table").count() == 1
    assert notebook.output(2).locator("code").inner_text() == "print('hello from the sandbox')"
    assert '"age": 36' in notebook.output(3).inner_text()
    folded = notebook.output(4).locator("details")
    assert folded.get_attribute("open") is None
    assert not folded.locator("p").is_visible()
    folded.locator("summary").click()
    assert folded.locator("p").is_visible()
    called = notebook.output(5).locator("summary")
    assert called.inner_text() == "Called: melting_point(element='Iron')"
    called.click()
    assert "$5 to $6" in notebook.output(5).locator("details pre").inner_text()
    assert notebook.output(5).locator("mjx-container").count() == 0
    assert notebook.output(6).locator("mjx-container").count() == 2
    assert "from $5 to $6" in notebook.output(6).inner_text()
    assert notebook.output(7).locator("mjx-container").count() == 0
    assert record.quiet
    for cell, name in [(1, "markdown"), (2, "code"), (3, "json"), (4, "reasoning")]:
        notebook.pictures(pictures, f"full-{name}", notebook.cell(cell))
    for cell, name in [(5, "tools"), (6, "math"), (7, "text")]:
        notebook.pictures(pictures, f"full-{name}", notebook.cell(cell))


def test_several_models_stand_beside_each_other(notebook, record, pictures):
    notebook.open(
        [
            SET_UP,
            "%%alcf_chat -m sandbox/markdown -m sandbox/code -m sandbox/hostile\nalpha beta",
            "_.table",
        ]
    )
    notebook.run(0)
    (output,) = notebook.run(1)
    assert len(output["metadata"]["alcf"]) == 3
    *places, _ = notebook.boxes(1, "sandbox/markdown", "sandbox/code", "sandbox/hostile")
    assert len({place["y"] for place in places}) == 1
    assert places[0]["x"] < places[1]["x"] < places[2]["x"]
    notebook.run(2)
    assert record.quiet
    notebook.pictures(pictures, "full-beside", notebook.cell(1))
    notebook.pictures(pictures, "full-table", notebook.cell(2))


def test_a_cell_that_runs_again_replaces_its_turn(notebook):
    notebook.open(
        [
            SET_UP,
            "%%alcf_chat -m sandbox/echo --thread t\nfirst",
            "%%alcf_chat -m sandbox/echo --thread t\nsecond",
            "%alcf threads t",
        ]
    )
    notebook.run(0)
    notebook.run(1)
    notebook.run(2)
    (again,) = notebook.run(1)
    assert "turn 1 (1 later turn dropped)" in again["data"]["text/plain"]
    notebook.run(2)
    (table,) = notebook.run(3)
    assert table["data"]["text/plain"].count("sandbox/echo") == 2


LONG = "\n".join(
    [
        "```python",
        f"intensity = reduce_all({', '.join(f'detector_{n}' for n in range(40))})",
        "```",
        "",
        f"See https://example.org/{'a-long-path/' * 20}index.html and {'electron' * 40}.",
        "",
        f"| {' | '.join(f'column_{n}' for n in range(16))} |",
        f"|{'---|' * 16}",
        f"| {' | '.join(f'{n}.000001' for n in range(16))} |",
        "",
        f"`{'x' * 300}`",
    ]
)


def test_long_lines_stay_in_their_column(notebook, record, pictures):
    notebook.open([SET_UP, f"%%alcf_chat -m sandbox/echo -m sandbox-echo -m sandbox/code\n{LONG}"])
    notebook.run(0)
    notebook.run(1)
    notebook.page.set_viewport_size({"width": 1280, "height": 2800})  # for the picture
    notebook.settle(1)
    notebook.pictures(pictures, "full-long", notebook.cell(1))
    output = notebook.output(1)
    *boxes, whole = notebook.boxes(1, "sandbox/echo", "sandbox-echo", "sandbox/code")
    assert boxes[0]["right"] <= boxes[1]["left"] < boxes[2]["left"]
    assert boxes[2]["right"] <= whole["right"] + 1
    # what does not fit is broken, but for a wide table, which keeps its words and is scrolled
    wide = "all => all.filter(e => e.scrollWidth > e.clientWidth + 1).length"
    assert output.locator("pre, p").evaluate_all(wide) == 0
    cell = output.locator("td").first
    assert cell.inner_text() == "0.000001"
    assert cell.bounding_box()["height"] < 40, "a number stands on one line"
    scrolled = "e => { e.scrollLeft = 9999; return e.scrollLeft; }"
    first = output.get_by_text("sandbox/echo", exact=True).first.locator("xpath=..")
    assert first.evaluate(scrolled) > 0
    assert record.quiet
