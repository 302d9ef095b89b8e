"""Models and their states, from whatever the gateway's routes tell."""

import copy
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alcf_jupyter.errors import UnknownClusterError, UnknownModelError
from alcf_jupyter.service.catalog import Catalog, Model, State
from alcf_jupyter.service.listing import from_openai, join
from alcf_jupyter.service.proposals import proposals
from tests.own_time import at_most
from tests.service.effort import bent, cases, dice, malformed, strange, thorough

LISTS = ("running", "queued", "stopped", "others", "private_batch_running", "private_batch_queued")


def listed(**clusters):
    """What /list-endpoints answers, given the models of each cluster."""
    return {
        "clusters": {
            name: {
                "base_url": f"/resource_server/{name}",
                "frameworks": {"vllm": {"models": models, "endpoints": ["/v1/chat/completions"]}},
            }
            for name, models in clusters.items()
        }
    }


def jobs(free_nodes=4, **lists):
    status = {} if free_nodes is None else {"free_nodes": free_nodes}
    return {name: lists.get(name, []) for name in LISTS} | {"cluster_status": status}


def row(models, word=None, **more):
    told = {"Models": models, "Framework": "vllm", "Cluster": "sophia"}
    return told | ({"Model Status": word} if word else {}) | more


def states(known):
    return {model.id: model.state for model in known.models}


def one(answer, model="a/b", **options):
    return states(join(listed(sophia=[model]), {"sophia": answer}, **options))[model]


@pytest.mark.parametrize(
    ("where", "word", "state"),
    [
        ("running", "running", State.LIVE),
        ("running", "Running", State.LIVE),
        ("running", None, State.LIVE),
        ("running", "starting", State.STARTING),
        ("running", "disconnected", State.DISCONNECTED),
        ("running", "who knows", State.DISCONNECTED),
        ("queued", "queued", State.QUEUED),
        ("queued", "provisioning", State.QUEUED),
        ("queued", None, State.QUEUED),
        ("stopped", "stopped", State.STOPPED),
        ("stopped", None, State.STOPPED),
        ("others", "other", State.OFFLINE),
        ("private_batch_running", "running", State.OFFLINE),
        ("private-batch-queued", "queued", State.OFFLINE),
    ],
)
def test_each_list_and_word_has_its_state(where, word, state):
    assert one(jobs() | {where: [row("a/b", word)]}) is state


def test_a_model_in_no_list_is_offline():
    assert one(jobs()) is State.OFFLINE


@pytest.mark.parametrize("answer", [None, [], "x", 5])
def test_without_the_queue_the_state_is_unknown(answer):
    assert one(answer) is State.UNKNOWN


def test_a_cluster_that_is_down_is_under_maintenance():
    stopped = jobs(None, stopped=[row("a/b")])
    assert one(stopped, status={"sophia": False}) is State.MAINTENANCE
    assert one(stopped, status={"sophia": True}) is State.STOPPED
    assert one(None, status={"sophia": False}) is State.MAINTENANCE
    for odd in (None, [], {"sophia": "no"}, {"sophia": 0}, {"metis": False}, 5):
        assert one(stopped, status=odd) is State.STOPPED


PLACES = {
    State.LIVE: ("running", "running"),
    State.STARTING: ("running", "starting"),
    State.QUEUED: ("queued", "queued"),
    State.DISCONNECTED: ("running", "disconnected"),
    State.STOPPED: ("stopped", "stopped"),
}


def test_of_several_jobs_the_best_state_counts():
    order = list(PLACES)
    for size in (2, 3, 5):
        for some in itertools.permutations(order, size):
            answer = jobs()
            for state in some:
                where, word = PLACES[state]
                answer[where] = [*answer[where], row("x, a/b", word, Walltime=str(state))]
            assert one(answer) is min(some, key=order.index)
            known = join(listed(sophia=["a/b"]), {"sophia": answer})
            assert known.models[0].walltime == min(some, key=order.index)


def test_a_job_holds_several_models():
    names = ["a/one", "b two", "c"]
    for joined in ("a/one,b two,c", "a/one, b two , c", ",a/one,,b two,c,", " a/one,b two,C"):
        known = join(listed(sophia=names), {"sophia": jobs(running=[row(joined, "running")])})
        assert set(states(known).values()) == {State.LIVE}, joined


def test_a_model_that_is_running_but_not_listed_is_left_out():
    known = join(listed(sophia=["a"]), {"sophia": jobs(running=[row("secret", "running")])})
    assert states(known) == {"a": State.OFFLINE}
    assert known.warnings == ()


def test_what_people_read_is_kept_and_cleaned():
    told = {
        "Host Name": "N/A",
        "Walltime": "03:05:44",
        "Estimated Start Time": "Sat Nov 21",
        "Job Comments": "Not\x1b[31m Running:\n no gpus",
        "Description": None,
    }
    known = join(listed(sophia=["a"]), {"sophia": jobs(queued=[row("a", "queued", **told)])})
    model = known.models[0]
    assert (model.host, model.walltime, model.description) == ("", "03:05:44", "")
    assert (model.estimated_start, model.comment) == ("Sat Nov 21", "Not Running: no gpus")


@pytest.mark.parametrize(
    ("status", "free", "starts"),
    [
        ({"free_nodes": 4}, 4, True),
        ({"free_nodes": 0}, 0, True),
        ({"free_nodes": -1}, None, True),
        ({"free_nodes": True}, None, True),
        ({"free_nodes": "4"}, None, True),
        ({}, None, False),
        ({"live_models": 2}, None, False),
        (None, None, False),
        ([], None, False),
    ],
)
def test_free_nodes_tell_a_scheduler(status, free, starts):
    answer = jobs() | {"cluster_status": status}
    cluster = join(listed(sophia=["a"]), {"sophia": answer}).cluster("sophia")
    assert (cluster.free_nodes, cluster.starts_on_request) == (free, starts)


def test_details_in_either_shape():
    direct = {
        "id": "a",
        "capabilities": {
            "context_window_tokens": 8192,
            "input_modalities": ["text", "image"],
            "tool_calling": {"supported": True},
            "reasoning": {"supported": False},
        },
    }
    vllm = {
        "id": "b",
        "max_model_len": 4096,
        "enable_auto_tool_choice": False,
        "reasoning_parser": "x",
    }
    for answer in ([direct, vllm, {"id": "c"}], [direct, vllm, {"id": "c"}, None, {"id": 5}]):
        known = join(listed(minerva=["a", "b", "c"]), {}, {"minerva": answer})
        a, b, c = known.models
        assert (a.context, a.can_see, a.can_call_tools, a.can_reason) == (8192, True, True, False)
        assert (b.context, b.can_see, b.can_call_tools, b.can_reason) == (4096, None, False, True)
        assert (c.context, c.can_see, c.can_call_tools, c.can_reason) == (None, None, None, None)
    single = join(listed(minerva=["a"]), {}, {"minerva": direct})
    assert single.models[0].context == 8192
    for odd in (True, 0, -5, "8192", [], None):
        bad = join(listed(minerva=["b"]), {}, {"minerva": [vllm | {"max_model_len": odd}]})
        assert bad.models[0].context is None


HOSTILE = ["", " ", "a\x1b[31mred", "a\nb", "\u202egpj", "a\x00", "\ud800", "x" * 400, 5, None, []]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_cannot_be_shown_is_left_out(name):
    known = join(listed(sophia=["good", name]), {"sophia": jobs()})
    assert [model.id for model in known.models] == ["good"]
    if isinstance(name, str):
        known = join(listed(**{"sophia": ["good"], name: ["x"]}), {})
        assert [cluster.name for cluster in known.clusters] == ["sophia"]
        assert known.warnings


@pytest.mark.parametrize(
    "base",
    [None, 5, "", "x", "//evil.example.org", "https://evil.example.org", "/\n", "/x\x00", ["/"]],
)
def test_an_address_elsewhere_is_left_out(base):
    answer = listed(sophia=["a"])
    answer["clusters"]["sophia"]["base_url"] = base
    known = join(answer, {})
    assert known.models == ()
    assert known.warnings


def test_a_framework_cannot_lead_elsewhere():
    answer = listed(sophia=["a"])
    answer["clusters"]["sophia"]["base_url"] = "/"
    frameworks = answer["clusters"]["sophia"]["frameworks"]
    frameworks["/evil.example.org"] = frameworks.pop("vllm")
    assert join(answer, {}).models == ()


def test_several_frameworks_and_repeated_names():
    answer = listed(sophia=["a", "b", "a"])
    answer["clusters"]["sophia"]["frameworks"]["sam3service"] = {"models": ["sam3"]}
    known = join(answer, {})
    told = [(model.id, model.framework, model.path) for model in known.models]
    assert told == [
        ("a", "vllm", "/resource_server/sophia/vllm"),
        ("b", "vllm", "/resource_server/sophia/vllm"),
        ("sam3", "sam3service", "/resource_server/sophia/sam3service"),
    ]


def test_a_cluster_without_models_is_kept():
    answer = listed(sophia=[])
    answer["clusters"]["sophia"]["frameworks"] = {}
    known = join(answer, {"sophia": jobs()})
    assert (len(known.clusters), known.models, known.warnings) == (1, (), ())


def test_bad_rows_are_named_and_the_others_count():
    bad = [None, 5, "x", [], {}, {"Models": None}, {"Models": ["a"]}, {"models": "a"}]
    answer = jobs(running=[*bad, row("a", "running")])
    known = join(listed(sophia=["a"]), {"sophia": answer})
    assert states(known) == {"a": State.LIVE}
    assert len(known.warnings) == len(bad)
    many = join(listed(sophia=["a"]), {"sophia": jobs(running=[5] * 10_000)})
    assert len(many.warnings) < 100


@pytest.mark.parametrize("answer", [None, [], "x", 5, {}, {"clusters": None}, {"clusters": [1]}])
def test_no_clusters_is_said(answer):
    known = join(answer, {})
    assert known.models == ()
    assert "no clusters" in known.warnings[0]


NAMES = ["clusters", "sophia", "base_url", "frameworks", "vllm", "models", "endpoints", "running"]
NAMES += ["queued", "stopped", "Models", "Model Status", "Job Comments", "cluster_status", "id"]
NAMES += ["free_nodes", "capabilities", "input_modalities", "max_model_len", "reasoning_parser"]


def check_any(answer, queue, details, status):
    known = join(answer, queue, details, status)
    assert isinstance(known, Catalog)
    json.dumps([known.warnings, [model.id for model in known.models]])
    assert all(isinstance(model.state, State) for model in known.models)
    assert all(model.path.startswith("/") for model in known.models)
    proposals(known)
    proposals(known, embedding=True, favoured=["one"], near="sophia")
    for model in known.models:
        assert known.find(model.id, model.cluster).id == model.id
    from_openai(answer)


GOOD = (
    listed(sophia=["a", "b"], metis=["c"]),
    {"sophia": jobs(running=[row("a,b", "running")]), "metis": jobs(None)},
    {"sophia": [{"id": "a", "max_model_len": 5}]},
    {"sophia": True, "metis": False},
)

small = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner),
    max_leaves=8,
)


@thorough(100)
@given(small, st.dictionaries(st.sampled_from(["sophia", "metis"]), small), small)
def test_any_json_in_any_place(answer, queue, status):
    check_any(answer, queue, queue, status)
    check_any(GOOD[0], queue, queue, status)


def test_thousands_of_odd_and_bent_answers():
    chance = dice("catalog")
    for _ in range(cases(1500)):
        parts = [copy.deepcopy(part) for part in GOOD]
        for _ in range(chance.randrange(1, 5)):
            at = chance.randrange(4)
            parts[at] = bent(chance, parts[at], NAMES)
        if chance.random() < 0.2:
            parts[0] = strange(chance, NAMES)
        parts = [
            part if isinstance(part, dict) or i in {0, 3} else {} for i, part in enumerate(parts)
        ]
        with at_most(1):
            check_any(*parts)
    malformed("lists", 1500)


def test_find_takes_the_most_ready_and_the_service_s_own_spelling():
    known = Catalog(
        join(listed(sophia=[], metis=[]), {}).clusters,
        (
            Model(id="m/One", cluster="sophia", state=State.QUEUED),
            Model(id="m/One", cluster="metis", state=State.LIVE),
            Model(id="two", cluster="sophia", state=State.OFFLINE),
            Model(id="TWO", cluster="metis", state=State.LIVE),
        ),
    )
    assert known.find("m/One").cluster == "metis"
    assert known.find("M/oNE").id == "m/One"
    assert known.find("m/one", "SOPHIA").state is State.QUEUED
    assert known.find("two").cluster == "sophia", "an exact name goes before another case"
    with pytest.raises(UnknownClusterError, match="cluster='sophia'"):
        known.find("two", "sofia")
    with pytest.raises(UnknownClusterError, match="no cluster '5'"):
        known.find("two", 5)
    with pytest.raises(UnknownModelError, match="Did you mean:  model='m/One'"):
        known.find("m/Onne")
    with pytest.raises(UnknownModelError, match="under another name"):
        known.find("other/two")
    with pytest.raises(UnknownModelError, match="%alcf models"):
        known.find("zzzzzz")


def test_an_unknown_name_is_never_shown_raw():
    with pytest.raises(UnknownModelError) as caught:
        Catalog().find("\x1b[31m\u202e" + "x" * 1000)
    assert "\x1b" not in str(caught.value)
    assert "\u202e" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_description_is_the_queue_s_or_that_of_the_list_of_models():
    queue = {"metis": {"running": [{"Models": "a", "Description": "a - of the queue"}]}}
    details = {"metis": [{"id": name, "description": f"of {name}\x1b[31m"} for name in "ab"]}
    known = join(listed(metis=["a", "b", "c"]), queue, details)
    assert [m.description for m in known.models] == ["a - of the queue", "of b", ""]


def test_a_plain_server():
    known = from_openai({"data": [{"id": "llama3"}, {"id": 5}, None, {"id": "x\x1b"}]}, "here")
    assert [(m.id, m.cluster, m.state) for m in known.models] == [("llama3", "here", State.UNKNOWN)]
    assert known.complete
    unknown = from_openai(None, "here")
    assert not unknown.complete
    assert unknown.find("anything").id == "anything"
    for odd in ([], "x", 5, {"data": {}}, {"data": None}):
        assert not from_openai(odd).complete
