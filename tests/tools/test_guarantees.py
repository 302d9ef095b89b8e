"""The page of guarantees says what was found, and a figure that is not as promised is told."""

import json

from tools import guarantees


def stored():
    return json.loads(guarantees.STORED.read_text(encoding="utf-8"))


def test_the_page_is_what_was_found():
    assert guarantees.main(["--check"]) == 0


def test_what_is_missing_or_wrong_is_told():
    figures = stored()
    figures["change"]["kills of map"]["wrong"] = {"finished rows sent again": 1}
    del figures["change"]["soak"]
    assert list(guarantees.problems(figures)) == [
        "soak: 0 rows tried, 1000 are promised",
        "kills of map (change): {'finished rows sent again': 1}",
    ]
    assert "1 finished rows sent again" in guarantees.page(figures)
    assert "not run" in guarantees.page(figures)


def test_figures_are_taken_from_the_tests(tmp_path, monkeypatch):
    monkeypatch.setattr(guarantees, "FOUND", tmp_path)
    found = {"size": "release", "tried": 9, "seeds": "1", "wrong": {}, "told": "x", "day": "d"}
    (tmp_path / "kills of map.release.json").write_text(json.dumps(found))
    taken = guarantees.take()
    assert taken["release"]["kills of map"]["tried"] == 9
    assert taken["change"] == stored()["change"]
