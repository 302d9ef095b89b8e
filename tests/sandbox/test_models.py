"""What the models say: deterministic, plain, and in the form that was asked for."""

import base64
import json
import struct
import zlib
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from alcf_jupyter.sandbox import tokens
from alcf_jupyter.sandbox.models import BEHAVIOURS, Prompt, answer
from alcf_jupyter.sandbox.models.instances import instance
from alcf_jupyter.sandbox.models.summary import part_task_and_text, sentences, sentences_wanted
from alcf_jupyter.sandbox.models.vectors import embed
from alcf_jupyter.sandbox.models.vision import describe

from .conftest import events, spoken

TEXT = (
    "Perovskite solar cells have reached efficiencies above 25 percent in the laboratory. "
    "Their weakness is stability: moisture and heat break the perovskite layer down within weeks. "
    "Dr. Smith et al. coated the layer with a thin polymer. "
    "The coating kept moisture out and the cells retained 95 percent of their efficiency. "
    "The group celebrated in a restaurant. "
    "A stable perovskite solar cell would make solar power cheaper than any other source."
)


def prompt(content, **parameters):
    return Prompt([{"role": "user", "content": content}], parameters)


def say(behaviour, content, **parameters):
    return answer(behaviour, prompt(content, **parameters)).content


@pytest.mark.parametrize("behaviour", sorted(BEHAVIOURS))
@pytest.mark.parametrize("content", ["", "Hello.", "🙂 — ünï\x00", "x" * 5000])
def test_always_the_same_answer(behaviour, content):
    first, second = (answer(behaviour, prompt(content)) for _ in range(2))
    assert first == second


def test_echo():
    assert say("echo", "one\ntwo") == "one\ntwo"


@pytest.mark.parametrize(
    "asked",
    [
        f"Summarize in two sentences: {TEXT}",
        f"Summarise the following text in 2 sentences.\n\n{TEXT}",
        f"{TEXT}\n\nSummarise this in two sentences.",
        f"Please give a two sentence summary.\n{TEXT}",
    ],
)
def test_summary_takes_whole_sentences_of_the_text(asked):
    said = sentences(say("summary", asked))
    assert len(said) == 2
    assert all(one in sentences(TEXT) for one in said)
    assert "The group celebrated in a restaurant." not in said
    assert any("solar cell" in one for one in said)


def test_summary_of_nothing_and_of_little():
    assert say("summary", "") == "There is no text here to summarise."
    assert say("summary", "Just one sentence.") == "Just one sentence."


def test_summary_knows_abbreviations():
    assert sentences(
        "Dr. Smith et al. found it. Then they left. See Fig. 3 for e.g. A. B. Jones."
    ) == [
        "Dr. Smith et al. found it.",
        "Then they left.",
        "See Fig. 3 for e.g. A. B. Jones.",
    ]


@pytest.mark.parametrize(
    ("task", "wanted"),
    [
        ("Give me a two-sentence summary", 2),
        ("Say it in a short sentence", 1),
        ("Summarise in one sentence", 1),
        ("in at most 4 short sentences", 4),
        ("three bullet points", 3),
        ("Summarise", None),
    ],
)
def test_number_of_sentences(task, wanted):
    assert sentences_wanted(task) == wanted


def test_text_without_a_task_stays_whole():
    assert part_task_and_text("Note: this is a text. It has no task.") == (
        "",
        "Note: this is a text. It has no task.",
    )


def test_markdown_has_everything():
    said = say("markdown", "Tell me about queues")
    assert all(mark in said for mark in ("# ", "\n- ", "|---|", "```python", "**", "> "))


def test_code_compiles():
    said = say("code", "Write a Python function that sums numbers")
    compile(said.removeprefix("```python\n").removesuffix("```\n"), "said", "exec")
    assert "def sums_numbers(" in said


def test_long_has_the_length_asked_for():
    for wanted in (1000, 4096):
        said = say("long", f"Write {wanted:,} tokens please")
        assert wanted <= tokens.count(said) <= wanted * 1.2
    assert answer("long", prompt("500 tokens at 80 tokens/s")).pace == 80


def test_hostile_holds_what_must_not_run():
    said = say("hostile", "hi")
    for danger in (
        "<script",
        "onerror=",
        "javascript:",
        "\x1b[31m",
        "\u202e",
        "<iframe",
        "![beacon]",
    ):
        assert danger in said


def test_reasoning_by_effort():
    lengths = [
        len(answer("reasoning", prompt("why?", reasoning_effort=effort)).reasoning)
        for effort in ("low", "medium", "high")
    ]
    assert lengths == sorted(set(lengths))


PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "mood": {"enum": ["happy", "sad"]},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 4},
        "score": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        "born": {"type": "string", "format": "date"},
        "email": {"anyOf": [{"type": "string", "maxLength": 12}, {"type": "null"}]},
        "friend": {"$ref": "#/$defs/friend"},
        "yes": {"type": "boolean"},
        "kind": {"const": "person"},
        "code": {"type": "string", "pattern": "^[A-Z]{2}-\\d{3}$"},
    },
    "required": ["name", "age", "mood", "friend", "kind"],
    "additionalProperties": False,
    "$defs": {
        "friend": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "friend": {"$ref": "#/$defs/friend"}},
            "required": ["name"],
        }
    },
}
OTHERS = [
    {"type": "array", "items": {"type": "integer", "multipleOf": 5}, "minItems": 3},
    {"allOf": [{"properties": {"a": {"type": "string", "minLength": 30}}, "required": ["a"]}]},
    {"oneOf": [{"type": "boolean"}, {"type": "string"}]},
    {"type": ["null", "number"]},
    {"type": "object", "additionalProperties": {"type": "number"}, "required": ["x", "y"]},
    {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False},
    {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 2, "maxItems": 2},
    {},
]


@pytest.mark.parametrize("asked", ["", "name: Ada Lovelace, age 36, mood: sad", "7 8 9.5 ünï 🙂"])
@pytest.mark.parametrize("schema", [PERSON, *OTHERS])
def test_instances_are_valid(schema, asked):
    made = instance(schema, asked)
    jsonschema.validate(made, schema)
    assert made == instance(schema, asked)


def test_instances_use_the_prompt():
    made = instance(PERSON, "name: Ada Lovelace; age 36; she was sad.")
    assert (made["name"], made["age"], made["mood"]) == ("Ada Lovelace", 36, "sad")


def test_any_model_answers_by_schema():
    form = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}}
    for behaviour in ("echo", "json", "summary"):
        jsonschema.validate(json.loads(say(behaviour, "Ada", response_format=form)), PERSON)
    assert json.loads(say("json", "a b", response_format={"type": "json_object"}))["words"] == 2


TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


def test_tools_are_called_once(sandbox):
    asked = [{"role": "user", "content": "city: Chicago"}]
    first = sandbox.post(
        "/sophia/vllm/v1/chat/completions",
        {"model": "sandbox/tools", "messages": asked, "tools": [TOOL]},
    ).json()["choices"][0]
    assert first["finish_reason"] == "tool_calls"
    assert first["message"]["content"] is None
    (call,) = first["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"city": "Chicago"}
    replay = {"role": "assistant", "content": None, "tool_calls": [call]}
    result = {"role": "tool", "tool_call_id": call["id"], "content": "cold and windy"}
    second = sandbox.post(
        "/sophia/vllm/v1/chat/completions",
        {"model": "sandbox/tools", "messages": [*asked, replay, result], "tools": [TOOL]},
    ).json()["choices"][0]
    assert second["message"]["content"] == "The tool says: cold and windy"


def test_streamed_tool_calls_join_up(sandbox):
    answer = sandbox.chat("city: Chicago", model="sandbox/tools", tools=[TOOL], stream=True)
    parts = [
        delta["tool_calls"][0]["function"]
        for event in events(answer)[:-1]
        if "tool_calls" in (delta := event["choices"][0]["delta"])
    ]
    assert parts[0]["name"] == "weather"
    assert json.loads("".join(part["arguments"] for part in parts)) == {"city": "Chicago"}
    assert spoken(events(answer))[1] == "tool_calls"


def test_demanded_tool_of_any_model():
    said = answer("echo", prompt("x", tools=[TOOL], tool_choice="required"))
    assert said.tool_calls[0].name == "weather"


def png(wide, high):
    def chunk(kind, data):
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", wide, high, 8, 0, 0, 0, 0))
    rows = chunk(b"IDAT", zlib.compress(b"\x00" * (wide + 1) * high))
    return b"\x89PNG\r\n\x1a\n" + head + rows + chunk(b"IEND", b"")


def data_url(raw, kind="image/png"):
    return f"data:{kind};base64,{base64.b64encode(raw).decode()}"


def test_vision_measures(sandbox):
    image = {"type": "image_url", "image_url": {"url": data_url(png(30, 20)), "detail": "low"}}
    content = [{"type": "text", "text": "What is it?"}, image]
    body = {"model": "sandbox/vision", "messages": [{"role": "user", "content": content}]}
    said = sandbox.post("/sophia/vllm/v1/chat/completions", body).json()
    text = said["choices"][0]["message"]["content"]
    assert text.startswith("I was given 1 image. Image 1 is a PNG of 30 x 20 pixels")
    body["model"] = "sandbox/echo"
    refused = sandbox.post("/sophia/vllm/v1/chat/completions", body)
    assert "not a multimodal model" in refused.text


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://example.org/x.png", "does not fetch"),
        ("data:image/png;base64,!!!", "not readable"),
        (data_url(b"GIF89a\x05\x00\x07\x00"), "GIF of 5 x 7"),
        (data_url(b"\xff\xd8\xff\xc0\x00\x0b\x08\x00\x09\x00\x0a\x01"), "JPEG of 10 x 9"),
        (data_url(b"RIFF\0\0\0\0WEBPVP8X" + b"\0" * 8 + b"\x03\0\0\x04\0\0"), "WebP of 4 x 5"),
        (data_url(b"nothing"), "does not know"),
    ],
)
def test_images(url, words):
    assert words in describe(url)


def test_vectors_are_normal_and_always_the_same():
    made = embed(["catalysis of ammonia", "catalytic ammonia synthesis", "opera in Milan", ""], 256)
    assert np.allclose(np.linalg.norm(made, axis=1), 1)
    near = made @ made.T
    assert near[0, 1] > 0.25 > abs(near[0, 2])
    # The very bits, so that stored outputs of notebooks hold on every machine.
    mark = zlib.crc32(embed(["Hello, world: naïve 🙂 text", "b"], 64).tobytes())
    assert mark == EMBED_MARK


EMBED_MARK = 4_026_352_239


def test_embeddings_route(sandbox):
    texts = ["one text", "another text", ""]
    plain = sandbox.embed(texts, dimensions=32).json()
    packed = sandbox.embed(texts, dimensions=32, encoding_format="base64").json()
    vectors = np.array([row["embedding"] for row in plain["data"]], dtype="<f4")
    unpacked = [np.frombuffer(base64.b64decode(r["embedding"]), "<f4") for r in packed["data"]]
    assert vectors.shape == (3, 32)
    assert np.array_equal(vectors, np.array(unpacked))
    assert plain["usage"]["total_tokens"] == 4
    assert len(sandbox.embed("one").json()["data"][0]["embedding"]) == 256
    assert len(sandbox.embed([[1, 2], [3]]).json()["data"]) == 2
    assert len(sandbox.embed([1, 2]).json()["data"]) == 1


def test_chat_and_embedding_do_not_mix(sandbox):
    assert "does not support Chat Completions API" in sandbox.chat("x", model="sandbox/embed").text
    assert "does not support Embeddings API" in sandbox.embed("x", model="sandbox/echo").text


def test_tokens_join_to_the_text():
    for text in ("", "a b", " lead", "trail \n", "ünï🙂x" * 9, "a\n\n b\tc", TEXT, "x" * 100):
        assert "".join(tokens.split(text)) == text
        assert tokens.count(text) == len(tokens.split(text))


def test_max_tokens_stop_n_and_usage(sandbox):
    asked = "one two three four five"
    cut = sandbox.chat(asked, max_tokens=2).json()
    assert cut["choices"][0]["message"]["content"] == "one two"
    assert cut["choices"][0]["finish_reason"] == "length"
    assert cut["usage"] == {
        "prompt_tokens": 5,
        "total_tokens": 7,
        "completion_tokens": 2,
        "prompt_tokens_details": None,
    }
    stopped = sandbox.chat(asked, stop=["four", "three"]).json()["choices"][0]
    assert (stopped["message"]["content"], stopped["stop_reason"]) == ("one two ", "three")
    assert stopped["finish_reason"] == "stop"
    assert [c["index"] for c in sandbox.chat(asked, n=3).json()["choices"]] == [0, 1, 2]
    logged = sandbox.chat(asked, logprobs=True, top_logprobs=2).json()["choices"][0]["logprobs"]
    assert [len(one["top_logprobs"]) for one in logged["content"]] == [2] * 5


def test_stream_is_the_whole_answer_in_pieces(sandbox):
    text = "one two 🙂 ünï\nthree"
    listed = events(sandbox.chat(text, stream=True, stream_options={"include_usage": True}))
    assert spoken(listed) == (text, "stop")
    assert listed[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert (listed[-2]["choices"], listed[-1]) == ([], None)
    assert listed[-2]["usage"]["completion_tokens"] == tokens.count(text)


def test_context_is_limited(sandbox):
    for parameters in ({"content": "word " * 40_000}, {"content": "x", "max_tokens": 40_000}):
        refused = sandbox.chat(**parameters)
        assert refused.status_code == 500
        assert "status code: 400" in refused.text
        assert "maximum context length is 32768" in refused.text
    assert "must be at least 1" in sandbox.chat("x", max_tokens=0).text


def test_other_routes(sandbox):
    prompted = {"model": "sandbox/echo", "prompt": ["a b", "c"], "max_tokens": 9}
    done = sandbox.post("/sophia/vllm/v1/completions", prompted).json()
    assert [choice["text"] for choice in done["choices"]] == ["a b", "c"]
    streamed = sandbox.post("/sophia/vllm/v1/completions", {**prompted, "stream": True})
    pieces = [event["choices"][0] for event in events(streamed)[:-1]]
    assert "".join(piece["text"] for piece in pieces) == "a bc"
    asked = {"model": "sandbox/echo", "input": "hi"}
    said = sandbox.post("/minerva/api/v1/responses", {**asked, "model": "sandbox-echo"}).json()
    assert said["output"][0]["content"][0]["text"] == "hi"
    assert "response_time" not in said
    spoken_to = {"model": "sandbox/echo", "messages": [{"role": "user", "content": "hi"}]}
    told = sandbox.post("/sophia/vllm/v1/messages", {**spoken_to, "max_tokens": 5, "system": "s"})
    assert told.json()["content"] == [{"type": "text", "text": "hi"}]
    for route in ("responses", "messages"):
        body = {**asked, **spoken_to, "max_tokens": 5, "stream": True}
        refused = sandbox.post(f"/sophia/vllm/v1/{route}", body)
        assert refused.json()["error"]["code"] == "unsupported_endpoint"


def test_reasoning_field_can_be_the_newer_one(sandbox):
    def keys():
        return set(sandbox.chat("why", model="sandbox/reasoning").json()["choices"][0]["message"])

    assert "reasoning_content" in keys()
    state = {"model": "sandbox/reasoning", "options": {"reasoning_field": "reasoning"}}
    sandbox.control("POST", "/state", state)
    assert "reasoning" in keys()
    streamed = sandbox.chat("why", model="sandbox/reasoning", stream=True)
    assert any("reasoning" in e["choices"][0]["delta"] for e in events(streamed)[:-1])
    sandbox.control("POST", "/state", {**state, "options": {}})


def test_scripted_models(sandbox):
    cut = sandbox.chat("x", model="sandbox/cut-off").json()["choices"][0]
    assert cut["finish_reason"] == "length"
    failed = events(sandbox.chat("a b c d e f g h", model="sandbox/stream-error", stream=True))
    assert [failed[-2]["object"], failed[-1]] == ["error", None]
    early = events(sandbox.chat("a b c d e f g h", model="sandbox/early-end", stream=True))
    assert spoken(early) == ("a b c d e", None)


def test_slow_takes_its_time(sandbox):
    import time

    begin = time.monotonic()
    sandbox.chat("a b c d e f g h i j", model="sandbox/slow", stream=True)
    assert 0.4 < time.monotonic() - begin < 20


def test_no_model_poses_as_a_real_one(sandbox):
    clusters = sandbox.get("/list-endpoints").json()["clusters"]
    for cluster in clusters.values():
        for framework in cluster["frameworks"].values():
            assert all(model.startswith("sandbox") for model in framework["models"])


def test_models_fetch_nothing_and_read_no_files():
    folder = Path(tokens.__file__).parent / "models"
    for path in folder.glob("*.py"):
        text = path.read_text("utf-8")
        assert not any(word in text for word in ("urllib", "socket", "httpx", "open(")), path
