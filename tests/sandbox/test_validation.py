"""What is accepted and what is refused; beyond the recorded refusals."""

import pytest

USER = {"role": "user", "content": "hi"}
PNG = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


def wrong(answer):
    assert answer.status_code == 422, answer.text
    return [(entry["type"], entry["loc"][2:]) for entry in answer.json()["detail"]]


@pytest.mark.parametrize(
    "parameters",
    [
        {"temperature": 0},
        {"temperature": None},
        {"max_completion_tokens": 5},
        {"metadata": {"a": "b"}},
        {"response_format": {"type": "text"}},
        {"stop": "x"},
        {"stop": ["a", "b", "c", "d"]},
        {"seed": -(2**63)},
        {"reasoning_effort": "high"},
        {"service_tier": "auto"},
        {"logit_bias": {"5": -100}},
        {"extra_body": {"use_beam_search": True}},
        {"tools": [], "tool_choice": "none"},
        {"messages": [{"role": "system", "content": ["a", "b"]}, USER]},
        {"messages": [USER, {"role": "assistant", "content": "x", "reasoning": "y"}, USER]},
        {"messages": [USER, {"role": "assistant", "content": None, "refusal": None}, USER]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
        {"messages": [{"role": "developer", "content": "x", "name": "n"}, USER]},
        {"messages": []},
    ],
)
def test_accepted(sandbox, parameters):
    assert sandbox.chat(**parameters).status_code == 200


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"guided_json": {}}, [("extra_forbidden", ["guided_json"])]),
        ({"functions": None}, [("extra_forbidden", ["functions"])]),
        ({"verbosity": "low"}, [("extra_forbidden", ["verbosity"])]),
        ({"safety_identifier": "x"}, [("extra_forbidden", ["safety_identifier"])]),
        ({"temperature": 2.1}, [("less_than_equal", ["temperature"])]),
        ({"frequency_penalty": -3}, [("greater_than_equal", ["frequency_penalty"])]),
        ({"top_logprobs": 3}, [("value_error", [])]),
        ({"top_logprobs": 21, "logprobs": True}, [("less_than_equal", ["top_logprobs"])]),
        ({"stop": list("abcde")}, [("value_error", [])]),
        ({"n": 129}, [("less_than_equal", ["n"])]),
        ({"logit_bias": {"5": 101}}, [("value_error", [])]),
        ({"metadata": {str(n): "" for n in range(17)}}, [("value_error", ["metadata"])]),
        ({"service_tier": "flex"}, [("enum", ["service_tier"])]),
        ({"reasoning_effort": "minimal"}, [("enum", ["reasoning_effort"])]),
        (
            {"stream_options": {"include_usage": True, "include_obfuscation": False}},
            [("extra_forbidden", ["stream_options", "include_obfuscation"])],
        ),
        ({"messages": [{"role": "robot", "content": "x"}]}, [("value_error", ["messages", 0])]),
        ({"messages": [{"content": "x"}]}, [("value_error", ["messages", 0])]),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            [
                ("string_type", ["messages", 0, "content", "str"]),
                ("missing", ["messages", 0, "content", "list", "image_url"]),
            ],
        ),
        ({"model": ""}, [("string_too_short", ["model"])]),
        (
            {"messages": [{"role": "tool", "content": "x"}]},
            [("missing", ["messages", 0, "tool_call_id"])],
        ),
    ],
)
def test_refused(sandbox, parameters, expected):
    answer = sandbox.chat(**parameters)
    if "content" in str(expected):
        assert {kind for kind, _ in wrong(answer)} == {kind for kind, _ in expected}
    else:
        assert wrong(answer) == expected


def test_details_of_images(sandbox):
    def look(detail):
        image = {**PNG, "image_url": {**PNG["image_url"], "detail": detail}}
        messages = [{"role": "user", "content": [image]}]
        return sandbox.chat(model="sandbox/vision", messages=messages).status_code

    assert [look(detail) for detail in ("low", "high", "auto", "original")] == [200, 200, 200, 422]


def test_names_of_tools(sandbox):
    def call(name):
        return sandbox.chat(tools=[{"type": "function", "function": {"name": name}}]).status_code

    assert [call(name) for name in ("a-b_9", "x" * 64)] == [200, 200]
    assert [call(name) for name in ("a b", "x" * 65, "a.b")] == [422, 422, 422]


def test_completions_take_sixteen_tokens_unless_told(sandbox):
    asked = {"model": "sandbox/echo", "prompt": "w " * 40}
    made = sandbox.post("/sophia/vllm/v1/completions", asked).json()
    assert (made["choices"][0]["finish_reason"], made["usage"]["completion_tokens"]) == (
        "length",
        16,
    )
    # the length of a text counts as that of a list
    for more in ({"stop": "four"}, {"stop": ["longer"]}):
        assert sandbox.post("/sophia/vllm/v1/completions", {**asked, **more}).status_code == 200
    refused = ({"stop": "longer"}, {"stop": []}, {"stop": ""}, {"logprobs": 6}, {"best_of": 21})
    for more in (*refused, {"messages": []}, {"max_completion_tokens": 5}):
        assert sandbox.post("/sophia/vllm/v1/completions", {**asked, **more}).status_code == 422


def test_embeddings(sandbox):
    assert sandbox.embed([""]).status_code == 200
    assert sandbox.embed(["x"] * 2048, dimensions=2).status_code == 200
    for given in ([], ["x"] * 2049, [[]], [1, "a"], None, {"a": 1}):
        assert sandbox.embed(given).status_code == 422
    for more in ({"truncate_prompt_tokens": 5}, {"input_type": None}, {"dimensions": 0}):
        assert sandbox.embed("x", **more).status_code == 422
    assert sandbox.embed("x", encoding_format="int8").status_code == 422


def test_responses_and_messages_let_more_through(sandbox):
    asked = {"model": "sandbox/echo", "input": "hi", "top_k": 3, "new": {"a": 1}}
    assert sandbox.post("/sophia/vllm/v1/responses", asked).status_code == 200
    told = {"model": "sandbox/echo", "messages": [USER], "max_tokens": 5, "top_k": 4}
    assert sandbox.post("/sophia/vllm/v1/messages", told).status_code == 200
    for change in ({"max_tokens": 0}, {"temperature": 1.5}, {"messages": [{"role": "system"}]}):
        assert sandbox.post("/sophia/vllm/v1/messages", {**told, **change}).status_code == 422


@pytest.mark.parametrize("body", [b"", b"{", b"nonsense", b"\xff\xfe", b"[" * 100_000])
def test_what_is_not_json(sandbox, body):
    path = "/resource_server/sophia/vllm/v1/chat/completions"
    answer = sandbox.client.post(path, content=body)
    assert (answer.status_code, answer.json()) == (400, {"detail": "Cannot parse request body"})


@pytest.mark.parametrize("body", [[], "text", 5])
def test_what_is_no_object(sandbox, body):
    assert sandbox.post("/sophia/vllm/v1/chat/completions", body).status_code == 422


@pytest.mark.parametrize("stream", ["true", "false"])
def test_lone_surrogates_do_no_harm(sandbox, stream):
    path = "/resource_server/sophia/vllm/v1/chat/completions"
    body = '{"model": "sandbox/echo", "messages": [{"role": "user", "content": "a\\ud800b"}], '
    answer = sandbox.client.post(path, content=f'{body}"stream": {stream}}}')
    assert answer.status_code == 200
    embedded = '{"model": "sandbox/embed", "input": "a\\ud800b"}'
    path = "/resource_server/sophia/vllm/v1/embeddings"
    assert sandbox.client.post(path, content=embedded).status_code == 200
