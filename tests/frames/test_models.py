"""alcf.models(): everything the service tells, and nothing it does not."""

import json
from pathlib import Path

import pandas as pd
import pytest

import alcf_jupyter as alcf
from alcf_jupyter.frames.models import table
from alcf_jupyter.service import listing
from alcf_jupyter.service.selection import select

RECORDED = {
    one["name"]: json.loads(one["response"]["body"])
    for one in json.loads(
        (Path(__file__).parents[1] / "recorded" / "exchanges.json").read_text(encoding="utf-8")
    )
    if one["name"] in ("list-endpoints", "jobs sophia", "jobs metis", "status")
}
COLUMNS = [
    "model",
    "cluster",
    "state",
    "framework",
    "host",
    "walltime",
    "estimated_start",
    "comment",
    "context",
    "can_chat",
    "can_embed",
    "can_batch",
    "can_see",
    "can_call_tools",
    "can_reason",
    "always_hot",
]


@pytest.fixture
def recorded():
    known = listing.join(
        RECORDED["list-endpoints"],
        {"sophia": RECORDED["jobs sophia"], "metis": RECORDED["jobs metis"]},
        None,
        RECORDED["status"],
    )
    return table(select(known)).set_index(["cluster", "model"])


def test_the_columns_are_those_of_the_design(recorded):
    assert list(recorded.reset_index().columns.sort_values()) == sorted(COLUMNS)


def test_the_recorded_queue(recorded):
    sophia, metis = recorded.loc["sophia"], recorded.loc["metis"]
    assert sophia.loc["openai/gpt-oss-120b", "state"] == "Live"
    assert sophia.loc["google/gemma-3-27b-it", "state"] == "Starting"
    big = sophia.loc["meta-llama/Meta-Llama-3.1-405B-Instruct"]
    assert big["state"] == "Queued"
    assert big["estimated_start"] == "Sat Nov 21 14:10:00 2026 (Chicago time)"
    assert big["host"] == ""
    assert sophia.loc["meta-llama/Llama-3.3-70B-Instruct", "state"] == "Offline"
    assert metis.loc["DeepSeek-R1", "state"] == "Stopped"
    assert metis.loc["gemma-4-31B-it", "state"] == "Queued"


def test_what_nobody_told_is_missing(recorded):
    assert recorded["always_hot"].isna().all()
    assert recorded["context"].isna().all()
    assert recorded.loc["sophia", "can_embed"].isna().all()
    # a cluster that has no such route at all is told
    assert not recorded.loc["metis", "can_embed"].any()
    assert recorded["can_embed"].dtype == "boolean"
    assert recorded["context"].dtype == "Int64"


def test_an_empty_list_has_the_same_columns():
    empty = table([])
    assert list(empty.columns) == COLUMNS
    assert len(empty) == 0


def test_on_the_sandbox():
    alcf.connect("sandbox")
    models = alcf.models()
    assert isinstance(models, pd.DataFrame)
    assert models["state"].iloc[0] == "Live"
    assert set(alcf.models(state="offline")["model"]) == {"sandbox/cold", "sandbox/embed-cold"}
    assert set(alcf.models(cluster="metis")["cluster"]) == {"metis"}


def test_an_answer_and_a_refusal_teach():
    alcf.connect("sandbox")
    alcf.chat("hi", model="sandbox/echo")
    alcf.embed(["hi"], model="sandbox/embed")
    models = alcf.models(cluster="sophia").set_index("model")
    assert models.loc["sandbox/echo", "can_chat"]
    assert models.loc["sandbox/embed", "can_embed"]
    assert models.loc["sandbox/summary", ["can_chat", "can_embed"]].isna().all()


def test_an_openai_server_lists_models_of_unknown_state():
    client = alcf.connect("sandbox")
    from alcf_jupyter.connection import standin

    secret = standin.secret_of(standin.start())
    alcf.connect(client.url.replace("/resource_server", "/v1"), token=secret)
    models = alcf.models()
    assert set(models["state"]) == {"Unknown"}
    assert "sandbox/echo" in set(models["model"])
