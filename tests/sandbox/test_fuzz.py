"""Whatever is sent, the answer is one the gateway could give, and nothing unexpected happens."""

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FIELDS = [
    "model", "messages", "temperature", "max_tokens", "max_completion_tokens", "n", "stop",
    "logprobs", "top_logprobs", "response_format", "tools", "tool_choice", "stream",
    "stream_options", "reasoning_effort", "prompt", "echo", "input", "dimensions",
    "encoding_format", "system", "max_output_tokens", "output_folder_path", "input_file",
]  # fmt: skip
PARTS = [
    "role", "content", "type", "text", "function", "name", "schema", "json_schema", "properties",
    "items", "image_url", "url",
]  # fmt: skip
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["user", "system", "tool", "text", "image_url", "json_schema", "object"]),
    st.sampled_from(["sandbox/echo", "sandbox/json", "sandbox/tools", "sandbox/embed"]),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(PARTS),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)
BODIES = st.one_of(VALUES, st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=8))
GOOD = {"model": "sandbox/echo", "messages": [{"role": "user", "content": "hi"}]}
ROUTES = [
    "/resource_server/sophia/vllm/v1/chat/completions",
    "/resource_server/sophia/vllm/v1/completions",
    "/resource_server/sophia/vllm/v1/embeddings",
    "/resource_server/sophia/vllm/v1/responses",
    "/resource_server/sophia/vllm/v1/messages",
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
]
USUAL = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)


def check(answer):
    assert answer.status_code in (200, 400, 404, 422, 500)
    if answer.status_code == 500:
        # The gateway's word for an error of the model server; nothing of its own went wrong.
        assert answer.json()["error"]["code"] == "internal_endpoint_error", answer.text
    elif not answer.headers["content-type"].startswith("text/"):
        json.loads(answer.text)


@USUAL
@given(path=st.sampled_from(ROUTES), body=BODIES)
def test_anything(sandbox, path, body):
    check(sandbox.client.post(path, json=body))


@USUAL
@given(path=st.sampled_from([ROUTES[0], "/v1/chat/completions"]), more=st.dictionaries(
    st.sampled_from(FIELDS), VALUES, max_size=3
))  # fmt: skip
def test_nearly_good_requests(sandbox, path, more):
    check(sandbox.client.post(path, json={**GOOD, **more}))


@settings(USUAL, max_examples=60)
@given(
    schema=st.recursive(
        st.fixed_dictionaries(
            {"type": st.sampled_from(["string", "number", "boolean", "null", 5])}
        ),
        lambda inner: st.one_of(
            st.fixed_dictionaries({"type": st.just("array"), "items": inner}),
            st.fixed_dictionaries(
                {
                    "type": st.just("object"),
                    "properties": st.dictionaries(st.text(max_size=4), inner, max_size=3),
                }
            ),
            st.fixed_dictionaries({"anyOf": st.lists(inner, max_size=2)}),
            st.fixed_dictionaries({"$ref": st.sampled_from(["#", "#/$defs/x", "http://x", 5])}),
        ),
        max_leaves=6,
    )
)
def test_any_schema(sandbox, schema):
    form = {"type": "json_schema", "json_schema": {"name": "any", "schema": schema}}
    answer = sandbox.chat("name: x; 5", response_format=form)
    check(answer)
    assert answer.status_code == 200
    json.loads(answer.json()["choices"][0]["message"]["content"])


@settings(USUAL, max_examples=60)
@given(body=BODIES)
def test_control_routes(sandbox, body):
    for path in ("clock", "state", "faults", "limits"):
        assert sandbox.client.post(f"/sandbox/{path}", json=body).status_code in (200, 400)
    sandbox.control("DELETE", "/faults")
