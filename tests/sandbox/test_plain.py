"""The OpenAI-compatible face, spoken to by OpenAI's own client."""

import openai
import pytest

from .test_models import TOOL


@pytest.fixture
def client(sandbox):
    base = sandbox.url.replace("/resource_server", "/v1")
    with openai.OpenAI(base_url=base, api_key=sandbox.secret, max_retries=0) as made:
        yield made


HELLO = [{"role": "user", "content": "Hello there"}]


def test_models(client):
    names = [model.id for model in client.models.list()]
    assert "sandbox/echo" in names
    assert len(names) == len(set(names))


def test_chat(client):
    said = client.chat.completions.create(model="sandbox/echo", messages=HELLO)
    assert said.choices[0].message.content == "Hello there"
    assert said.usage.total_tokens == 4
    assert not said.model_extra or "response_time" not in said.model_extra


def test_stream(client):
    stream = client.chat.completions.create(
        model="sandbox/reasoning",
        messages=HELLO,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "You asked: Hello there"
    assert chunks[-1].usage.completion_tokens > 5


def test_completions_and_embeddings(client):
    done = client.completions.create(model="sandbox/echo", prompt="one two", max_tokens=1)
    assert (done.choices[0].text, done.choices[0].finish_reason) == ("one", "length")
    made = client.embeddings.create(model="sandbox/embed", input=["a", "b"], dimensions=8)
    assert [len(row.embedding) for row in made.data] == [8, 8]


def test_what_the_gateway_refuses_goes_through(client):
    said = client.chat.completions.create(
        model="sandbox/echo", messages=HELLO, extra_body={"top_k": 5, "min_p": 0.1}
    )
    assert said.choices[0].finish_reason == "stop"
    parts = [{"type": "text", "text": "be short"}]
    messages = [{"role": "system", "content": parts}, *HELLO]
    assert client.chat.completions.create(model="sandbox/echo", messages=messages)


def test_cold_models_are_served(client):
    assert client.chat.completions.create(model="sandbox/cold", messages=HELLO)


def test_tools(client):
    messages = [{"role": "user", "content": "city: Chicago"}]
    said = client.chat.completions.create(model="sandbox/tools", messages=messages, tools=[TOOL])
    assert said.choices[0].message.tool_calls[0].function.name == "weather"


def test_errors_are_openai_errors(client, sandbox):
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="none", messages=HELLO)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError, match="maximum context length"):
        client.chat.completions.create(model="sandbox/echo", messages=HELLO, max_tokens=10**6)
    with pytest.raises(openai.BadRequestError, match="maximum context length"):
        client.chat.completions.create(
            model="sandbox/echo", messages=HELLO, max_tokens=10**6, stream=True
        )
    with pytest.raises(openai.BadRequestError, match="messages"):
        client.post("/chat/completions", body={"model": "sandbox/echo"}, cast_to=object)
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="wrong").models.list()
    broken = sandbox.client.post("/v1/chat/completions", content=b"{")
    assert (broken.status_code, set(broken.json())) == (400, {"error"})
    for body in (
        {"model": "sandbox/echo", "messages": 5},
        {"model": "sandbox/echo", "messages": [5]},
    ):
        assert sandbox.client.post("/v1/chat/completions", json=body).status_code == 400


def test_faults_in_plain_words(client, sandbox):
    def chat(fault, **more):
        return client.chat.completions.create(
            model="sandbox/echo",
            messages=HELLO,
            extra_headers={"X-Sandbox-Fault": fault},
            **more,
        )

    with pytest.raises(openai.RateLimitError):
        chat("upstream-429")
    with pytest.raises(openai.APIError, match="stopped in the middle"):
        list(chat("stream-error-nested", stream=True))
    assert sandbox.control("GET", "/log")["entries"][0]["fault"] == "upstream-429"


def test_a_list_of_requests_is_answered_with_a_list(sandbox):
    one = {"model": "sandbox/echo", "messages": HELLO}
    told = sandbox.client.post("/v1/chat/completions", json=[one, {**one, "model": "none"}]).json()
    assert told[0]["choices"][0]["message"]["content"] == "Hello there"
    assert told[1]["error"]["code"] == "model_not_found"
