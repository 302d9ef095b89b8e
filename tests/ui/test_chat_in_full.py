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
        ]
    )
    notebook.run(0)
    for cell in range(1, 8):
        (output,) = notebook.run(cell)
        assert output["output_type"] == "display_data"
    notebook.settle(2)
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
        notebook.screenshots(pictures, f"full-{name}", notebook.cell(cell))
    for cell, name in [(5, "tools"), (6, "math"), (7, "text")]:
        notebook.screenshots(pictures, f"full-{name}", notebook.cell(cell))


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
    places = [
        notebook.output(1).get_by_text(name, exact=True).first.bounding_box()
        for name in ("sandbox/markdown", "sandbox/code", "sandbox/hostile")
    ]
    assert len({place["y"] for place in places}) == 1
    assert places[0]["x"] < places[1]["x"] < places[2]["x"]
    notebook.run(2)
    assert record.quiet
    notebook.screenshots(pictures, "full-beside", notebook.cell(1))
    notebook.screenshots(pictures, "full-table", notebook.cell(2))


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
