"""alcf.openai on a real sandbox: the SDK's own features work, and no failure passes for one."""

import _thread
import asyncio
import json
import threading
import time

import openai
import pydantic
import pytest

import alcf_jupyter as alcf
from alcf_jupyter import typed
from alcf_jupyter.connection.sdk import clients
from alcf_jupyter.errors import UnknownClusterError
from tests.connection.faultserver import (
    DONE,
    TOKEN,
    Gateway,
    chunked,
    event,
    serving,
    stream_head,
)
from tests.connection.stopwatch import stopwatch
from tests.connection.test_endpoints import write
from tests.controlled import sandbox

ASK = [{"role": "user", "content": "Ada is 36 years old, name: Ada"}]
WORDS = [{"role": "user", "content": "one two three four five six seven eight nine ten"}]
LONG = [{"role": "user", "content": "word " * 400}]


@pytest.fixture(scope="module")
def service():
    with sandbox("--no-rate-limit") as running:
        yield running


@pytest.fixture(autouse=True)
def _clean(service):
    service.heal()
    service.connect()
    service.sent()


@pytest.fixture
def client():
    with alcf.openai("sophia") as made:
        yield made


class Person(pydantic.BaseModel):
    name: str
    age: int


TOOL = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": "Look a person up.",
        "parameters": {
            "type": "object",
            "properties": {"name": {"type": "string"}},
            "required": ["name"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}


def test_a_chat_and_its_extra_figures(client):
    answer = client.chat.completions.create(model="sandbox/echo", messages=ASK)
    assert isinstance(client, openai.OpenAI)
    assert answer.choices[0].message.content == ASK[0]["content"]
    assert answer.model_extra["response_time"] >= 0


def test_a_structured_parse(client):
    parsed = client.chat.completions.parse(
        model="sandbox/json", messages=ASK, response_format=Person
    )
    assert parsed.choices[0].message.parsed == Person(name="Ada", age=36)


def test_a_tool_is_called_and_its_result_is_answered(client):
    first = client.chat.completions.create(model="sandbox/tools", messages=ASK, tools=[TOOL])
    call = first.choices[0].message.tool_calls[0]
    assert json.loads(call.function.arguments) == {"name": "Ada"}
    messages = [
        *ASK,
        {"role": "assistant", "content": None, "tool_calls": [call.model_dump()]},
        {"role": "tool", "tool_call_id": call.id, "content": "a mathematician"},
    ]
    second = client.chat.completions.create(model="sandbox/tools", messages=messages, tools=[TOOL])
    assert "a mathematician" in second.choices[0].message.content


def test_the_streaming_helper_with_a_tool_and_with_a_schema(client):
    with client.chat.completions.stream(model="sandbox/tools", messages=ASK, tools=[TOOL]) as run:
        kinds = [event.type for event in run]
        call = run.get_final_completion().choices[0].message.tool_calls[0]
    assert "tool_calls.function.arguments.done" in kinds
    assert call.function.parsed_arguments == {"name": "Ada"}
    with client.chat.completions.stream(
        model="sandbox/json", messages=ASK, response_format=Person
    ) as run:
        for _ in run:
            pass
        assert run.get_final_completion().choices[0].message.parsed.age == 36


def test_embeddings_are_the_same_in_base64_and_in_numbers(client, service):
    packed = client.embeddings.create(model="sandbox/embed", input=["a b", "c"])
    assert '"base64"' in service.sent("embeddings")[0]["body"]
    plain = client.embeddings.create(
        model="sandbox/embed", input=["a b", "c"], encoding_format="float"
    )
    assert len(packed.data) == 2
    for one, other in zip(packed.data, plain.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
    assert len(client.embeddings.create(model="sandbox/embed", input="one text").data) == 1


def test_every_answer_is_counted_with_its_tokens(client):
    def counted():
        found = {name: count for (_, name), count in alcf.client().meter.counts().items()}
        return {
            name: (n.answers, n.prompt_tokens, n.completion_tokens) for name, n in found.items()
        }

    used = client.chat.completions.create(model="sandbox/echo", messages=ASK).usage
    asked, said = used.prompt_tokens, used.completion_tokens
    assert counted() == {"sandbox/echo": (1, asked, said)}
    told = {"model": "sandbox/echo", "messages": ASK, "stream": True}
    for _ in client.chat.completions.create(**told, stream_options={"include_usage": True}):
        pass
    for _ in client.chat.completions.create(**told):  # without its tokens, which were not asked for
        pass
    assert counted() == {"sandbox/echo": (3, 2 * asked, 2 * said)}
    used = client.responses.create(model="sandbox/echo", input="one two").usage
    tokens = (4, 2 * asked + used.input_tokens, 2 * said + used.output_tokens)
    assert counted() == {"sandbox/echo": tokens}
    texts = client.embeddings.create(model="sandbox/embed", input=["a", "b"]).usage
    with pytest.raises(openai.APIError):
        client.chat.completions.create(model="sandbox/queued", messages=ASK)
    assert counted() == {"sandbox/echo": tokens, "sandbox/embed": (1, texts.prompt_tokens, 0)}


def test_a_completion_and_a_response(client):
    assert client.completions.create(model="sandbox/echo", prompt="go on").choices[0].text
    assert client.responses.create(model="sandbox/echo", input="hello").output_text == "hello"


def test_several_answers_at_once(client):
    asked = {"model": "sandbox/echo", "messages": ASK, "n": 3}
    assert len(client.chat.completions.create(**asked).choices) == 3
    with client.chat.completions.stream(**asked) as run:
        for _ in run:
            pass
        assert len(run.get_final_completion().choices) == 3


def test_models_are_listed_from_the_catalog(client, service):
    listed = {model.id: model.owned_by for model in client.models.list()}
    assert listed["sandbox/echo"] == "sophia"
    assert client.models.retrieve("sandbox/echo").id == "sandbox/echo"
    with pytest.raises(openai.NotFoundError, match="sandbox/echo"):
        client.models.retrieve("sandbox/ecko")
    assert service.sent("v1/models") == []


def ended(service, seconds=60):
    """What became of the one chat that was asked for: it is noted after its last byte."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        (seen,) = service.control("GET", "/log?route=chat")["entries"]
        if seen["outcome"] != "open":
            break
        time.sleep(0.05)
    return seen["outcome"]


def test_a_stream_passes_byte_for_byte(client, service):
    words = "word " * 29 + "end"  # at 20 a second, and relayed twice a second
    messages = [{"role": "user", "content": words}]
    asked = {"model": "sandbox/slow", "messages": messages, "stream": True}
    with client.chat.completions.with_streaming_response.create(**asked) as raw:
        body = b"".join(raw.iter_bytes())
    events = body.split(b"\n\n")
    assert events[-2:] == [b"data: [DONE]", b""]
    texts = [json.loads(event[6:])["choices"] for event in events[:-2]]
    said = "".join(choice["delta"].get("content") or "" for one in texts for choice in one)
    assert said == words
    assert ended(service) == "answered"


def test_a_stream_passes_as_it_comes():
    seen, came = threading.Event(), []
    parts = [event(letter) for letter in "abc"]

    def slowly(peer, _request):
        peer.send(stream_head())
        for part in parts:
            peer.send(chunked(part))
            came.append(seen.wait(20))
            seen.clear()
        peer.send(chunked(event(None, "stop") + DONE, last=True))

    with serving(Gateway(infer=slowly)) as server:
        alcf.connect(server.url, token=TOKEN)
        asked, found = {"model": "m", "messages": ASK, "stream": True}, []
        with (
            alcf.openai() as made,
            made.chat.completions.with_streaming_response.create(**asked) as raw,
        ):
            for chunk in raw.iter_bytes():
                found.append(chunk)
                seen.set()
    assert found[:3] == parts
    assert came == [True] * 3, "each before there is a next one"


def test_a_stream_left_early_ends_at_the_service(client, service):
    asked = {"model": "sandbox/slow", "messages": [{"role": "user", "content": "word " * 400}]}
    with client.chat.completions.create(**asked, stream=True) as run:
        next(iter(run))
    assert ended(service) == "left"


def streamed(client, model="sandbox/echo", **options):
    text = ""
    for chunk in client.chat.completions.create(
        model=model, messages=WORDS, stream=True, **options
    ):
        for choice in chunk.choices:
            text += choice.delta.content or ""
    return text


def whole(client, model="sandbox/echo"):
    return client.chat.completions.create(model=model, messages=WORDS)


@pytest.mark.parametrize(
    ("fault", "ask", "kind", "words"),
    [
        ("stream-error", streamed, openai.APIError, "model server"),
        ("stream-api-error", streamed, openai.APIError, "model server"),
        ("stream-no-finish", streamed, openai.APIError, "incomplete"),
        ("stream-cut", streamed, openai.APIError, "incomplete"),
        ("stream-empty", streamed, openai.APIError, "without an answer"),
        ("stream-html", streamed, openai.APIError, "without an answer"),
        ("stream-as-json", streamed, openai.InternalServerError, "in one piece"),
        ("stream-broken", streamed, openai.APIConnectionError, "127.0.0.1"),
        ("captive-portal", streamed, openai.APIConnectionError, "web page"),
        ("captive-portal", whole, openai.APIConnectionError, "web page"),
        ("api-error-answer", whole, openai.InternalServerError, "model server"),
        ("error-object", whole, openai.InternalServerError, "model server"),
        ("no-finish", whole, openai.InternalServerError, "incomplete"),
        ("null-choices", whole, openai.InternalServerError, "no answer"),
        ("empty-body", whole, openai.InternalServerError, "empty"),
        ("upstream-400", whole, openai.BadRequestError, "context length"),
        ("token-expired", whole, openai.AuthenticationError, "expired"),
        ("group-restricted", whole, openai.PermissionDeniedError, "may not use"),
        ("too-many-tokens", whole, openai.RateLimitError, "tokens a minute"),
        ("validation", whole, openai.UnprocessableEntityError, "refused"),
        ("endpoint-offline", whole, openai.InternalServerError, "not running"),
        ("redirect-other-host", whole, openai.APIConnectionError, "redirect"),
        ("reset-before", whole, openai.APIConnectionError, "127.0.0.1"),
        ("gzip", whole, openai.APIConnectionError, "compressed"),
    ],
)
def test_failures_raise_once_with_our_lines_and_without_a_second_try(
    client, service, fault, ask, kind, words
):
    service.fail(fault)
    with pytest.raises(kind) as caught:
        ask(client)
    assert words in str(caught.value)
    assert 2 <= len(str(caught.value).splitlines()) <= 3
    assert isinstance(caught.value.__cause__, alcf.AlcfError)
    assert len(service.sent("chat")) == 1


@pytest.mark.parametrize(
    ("fault", "ask", "model"),
    [
        (None, whole, "sandbox/queued"),
        (None, streamed, "sandbox/queued"),
        ("endpoint-offline", whole, "sandbox/echo"),
        ("stream-timeout", streamed, "sandbox/echo"),
    ],
)
def test_a_model_that_is_not_live_is_told_with_the_line_that_waits_for_it(
    client, service, monkeypatch, fault, ask, model
):
    if fault:
        service.fail(fault)
    with pytest.raises(openai.APIError) as caught:
        ask(client, model)
    assert str(caught.value).endswith(f":  %alcf wait {model}")
    assert "wait=" not in str(caught.value), "which the SDK does not have"
    monkeypatch.setattr(typed, "in_notebook", lambda: False)
    assert str(caught.value.__cause__).endswith(f":  alcf.wait_until_live({model!r})")


def test_embeddings_that_do_not_fit_the_texts_raise(client, service):
    for fault in ("embeddings-short", "embeddings-nan", "embeddings-mixed-dimensions"):
        service.fail(fault)
        with pytest.raises(openai.InternalServerError):
            client.embeddings.create(model="sandbox/embed", input=["a", "b"])


def test_the_deadline_of_the_sdk_is_kept_against_one_byte_a_second(client, service):
    service.fail("drip")
    slow = client.with_options(timeout=1.5).chat.completions
    with stopwatch() as seconds:
        with pytest.raises(openai.APITimeoutError, match="have passed"):
            slow.create(model="sandbox/echo", messages=ASK)
        assert seconds() < 4


def test_the_defaults_leave_the_gateway_its_300_seconds_and_never_repeat(client):
    assert client.timeout > 300
    assert client.max_retries == 0


def test_an_address_elsewhere_is_never_asked(client):
    stray = client.with_options(base_url="http://127.0.0.1:9/v1")
    with pytest.raises(openai.APIConnectionError, match="another host"):
        stray.chat.completions.create(model="sandbox/echo", messages=ASK)


def test_a_body_over_the_limit_is_not_sent(client, service):
    huge = [{"role": "user", "content": "x" * 2_700_000}]
    with pytest.raises(openai.APIStatusError, match="2,621,440"):
        client.chat.completions.create(model="sandbox/echo", messages=huge)
    assert service.sent("chat") == []


def test_files_are_not_taken(client):
    with pytest.raises(openai.BadRequestError, match="no files"):
        client.files.create(file=("a.jsonl", b"{}"), purpose="batch")


def test_a_wrong_cluster_is_named(service):
    service.connect()
    with pytest.raises(alcf.AlcfError, match="sophia"):
        alcf.openai("sofia")
    with alcf.openai() as made:
        assert "/sophia/vllm/v1" in str(made.base_url), "the cluster with the most Live models"
    with alcf.openai("metis") as made:
        answer = made.chat.completions.create(model="sandbox-echo", messages=ASK)
    assert answer.choices[0].message.content == ASK[0]["content"]


def test_the_token_is_nowhere_in_the_client_nor_in_what_it_raises(client, service):
    assert service.secret not in repr(client) + str(vars(client)) + client.api_key
    assert client.api_key == clients.PLACEHOLDER
    assert service.secret not in str(client.auth_headers)
    service.fail("token-expired")
    with pytest.raises(openai.AuthenticationError) as caught:
        whole(client)
    raised = caught.value
    for thing in (raised.request.headers, raised.response.headers, raised.body, vars(raised)):
        assert service.secret not in str(thing)
    traceback, texts = raised.__traceback__, []
    while traceback:
        texts += [str(value)[:10_000] for value in traceback.tb_frame.f_locals.values()]
        traceback = traceback.tb_next
    assert not any(service.secret in text for text in texts if "Controlled" not in text)


def test_variables_of_the_sdk_change_nothing(service, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody")
    service.connect()
    with alcf.openai("sophia") as made:
        assert whole(made).choices[0].message.content == WORDS[0]["content"]
        assert made.api_key == clients.PLACEHOLDER


def test_any_openai_server_is_asked_the_same_way(service):
    alcf.connect(service.plain, token=service.secret)
    with alcf.openai() as made:
        assert whole(made).choices[0].message.content == WORDS[0]["content"]
        assert streamed(made) == WORDS[0]["content"]
        assert "sandbox/echo" in {model.id for model in made.models.list()}


def test_the_asynchronous_client():
    async def all_of_it():
        async with alcf.openai("sophia", asynchronous=True) as made:
            assert isinstance(made, openai.AsyncOpenAI)
            asked = {"model": "sandbox/echo", "messages": WORDS}
            answers = await asyncio.gather(
                *(made.chat.completions.create(**asked) for _ in range(5))
            )
            text = ""
            async for chunk in await made.chat.completions.create(**asked, stream=True):
                text += chunk.choices[0].delta.content or ""
            bad = made.chat.completions.create(
                model="sandbox/stream-error", messages=WORDS, stream=True
            )
            with pytest.raises(openai.APIError, match="model server"):
                async for _ in await bad:
                    pass
            with pytest.raises(openai.NotFoundError):
                await made.chat.completions.create(model="sandbox/none", messages=WORDS)
            with pytest.raises(openai.APITimeoutError):
                await made.with_options(timeout=0.5).chat.completions.create(
                    model="sandbox/slow", messages=LONG
                )
            return [one.choices[0].message.content for one in answers], text

    answers, text = asyncio.run(all_of_it())
    assert {*answers, text} == {WORDS[0]["content"]}


def test_many_threads_share_one_client(client):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(streamed(client))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert answers == [WORDS[0]["content"]] * 8


@pytest.mark.parametrize("ask", [whole, streamed])
def test_an_interrupt_gives_back_control_within_a_second(client, service, ask):
    service.fail("half-open-in-body")
    struck = []

    def strike():
        while not service.control("GET", "/log?route=chat")["entries"]:
            time.sleep(0.02)
        time.sleep(0.5)
        struck.append(seconds())
        _thread.interrupt_main()

    with stopwatch() as seconds:
        thread = threading.Thread(target=strike)
        thread.start()  # it strikes when the service has been asked, and not before
        with pytest.raises(KeyboardInterrupt):
            ask(client)
        assert seconds() - struck[0] < 1
    thread.join()
    service.heal()
    assert ask(client)


def test_a_plain_server_has_no_clusters():
    alcf.connect("http://127.0.0.1:9/v1")
    with pytest.raises(UnknownClusterError, match="has no clusters"):
        alcf.openai("sophia")


@pytest.mark.parametrize("given", ["one text of some length " * 40, list(range(1000))])
def test_of_an_answer_no_more_is_read_than_one_embedding_can_take(given):
    """One text may be long, or be a list of numbers: it is one all the same."""
    sent = []

    def flood(peer, _request):
        peer.send(stream_head().replace(b"text/event-stream", b"application/json"))
        for _ in range(120):
            peer.send(chunked(b" " * 500_000))
            sent.append(500_000)

    with serving(Gateway(infer=flood)) as server:
        alcf.connect(server.url, token=TOKEN)
        with alcf.openai() as made, pytest.raises(openai.APIError, match="longer than 32,200,000"):
            made.embeddings.create(model="m", input=given)
    assert sum(sent) < 55_000_000


def test_an_address_elsewhere_is_never_asked_with_an_endpoint_s_key(service, tmp_path):
    file = write(
        tmp_path / "metis_endpoint_1.txt",
        BASE_URL=service.plain,
        SAMBANOVA_API_KEY=service.secret,
        MODELS="sandbox/echo",
    )
    alcf.connect(str(file))
    with alcf.openai() as made, serving() as other:
        for address in (other.url, f"{service.url.rpartition('/')[0]}/nobody"):
            with pytest.raises(openai.APIConnectionError, match="another host") as caught:
                made.get(f"{address}/whoami", cast_to=object)
            assert isinstance(caught.value.__cause__, alcf.AlcfError)
        assert other.connections == 0


def test_nothing_is_waited_for_after_the_end_of_a_stream():
    """Some servers leave the connection open behind [DONE]."""
    events = event("all") + event(None, "stop") + DONE

    def hang(peer, _request):
        peer.send(stream_head(), chunked(events))
        peer.hang()

    with serving(Gateway(infer=hang)) as server:
        alcf.connect(server.url, token=TOKEN)
        with alcf.openai() as made:
            asked = {"model": "m", "messages": ASK, "stream": True}
            slow = made.with_options(timeout=60).chat.completions.with_streaming_response
            with stopwatch() as seconds:
                with slow.create(**asked) as raw:
                    assert b"".join(raw.iter_bytes()) == events
                assert seconds() < 3
