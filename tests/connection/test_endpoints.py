"""Direct Metis endpoints: their files, their keys, and many chats in one request."""

import json
from pathlib import Path

import openai
import pytest

import alcf_jupyter as alcf
from alcf_jupyter import errors
from alcf_jupyter.connection import endpoint_file, session
from alcf_jupyter.connection.call import Call
from alcf_jupyter.connection.deadline import Deadline
from tests.controlled import sandbox


@pytest.fixture(scope="module")
def service():
    with sandbox("--no-rate-limit") as running:
        yield running


@pytest.fixture(autouse=True)
def _clean(service):
    service.heal()
    service.sent()


def write(path, **values):
    lines = [f"{name}={value}" for name, value in values.items()]
    path.write_text("#DO NOT EDIT: this file is generated\n" + "\n".join(lines) + "\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def file(service, tmp_path):
    return write(
        tmp_path / "metis_endpoint_1.txt",
        BASE_URL=service.plain,
        SAMBANOVA_API_KEY=service.secret,
        MODELS="sandbox/echo,sandbox/summary",
    )


def calls(*prompts, model="sandbox/echo"):
    return [
        Call(
            "chat/completions",
            model,
            None,
            {"messages": [{"role": "user", "content": prompt}]},
            Deadline.after("60s"),
        )
        for prompt in prompts
    ]


def test_a_file_is_all_it_takes(file, service):
    client = alcf.connect(str(file))
    assert [model.id for model in client.models().models] == ["sandbox/echo", "sandbox/summary"]
    assert client.clusters == ["metis_endpoint_1"]
    assert alcf.chat("hello", model="sandbox/echo").text == "hello"
    assert "".join(alcf.stream("a b c", model="sandbox/echo")) == "a b c"
    assert {entry["path"] for entry in service.sent()} == {"/v1/chat/completions"}


def test_the_tilde_and_a_pattern(service, clean_environ):
    home = Path(clean_environ["HOME"])
    shared = {"BASE_URL": service.plain, "SAMBANOVA_API_KEY": service.secret}
    write(home / "metis_endpoint_1.txt", **shared, MODELS="sandbox/echo")
    write(home / "metis_endpoint_2.txt", **shared, MODELS="sandbox/markdown,sandbox/echo")
    assert alcf.connect("~/metis_endpoint_2.txt").clusters == ["metis_endpoint_2"]
    client = alcf.connect("~/metis_endpoint_*.txt")
    assert client.clusters == ["metis_endpoint_1", "metis_endpoint_2"]
    assert alcf.chat("x", model="sandbox/markdown").cluster == "metis_endpoint_2"
    assert alcf.chat("x", model="sandbox/echo", cluster="metis_endpoint_2").text == "x"
    with pytest.raises(errors.UnknownModelError, match="cluster='metis_endpoint_2'"):
        alcf.chat("x", model="sandbox/markdwn")


def test_the_environment_may_name_the_file(file, clean_environ):
    clean_environ["ALCF_JUPYTER_SERVICE"] = str(file)
    with pytest.warns(UserWarning, match="in place of"):
        alcf.connect("alcf")
    assert alcf.client().clusters == ["metis_endpoint_1"]


@pytest.mark.parametrize(
    "name", ["metis_endpoint_9.txt", "~/metis_endpoint_9.txt", "/no/such*.txt"]
)
def test_a_missing_file_says_how_to_get_it(name):
    with pytest.raises(errors.UsageError) as caught:
        alcf.connect(name)
    assert "login node" in str(caught.value)
    assert "copy" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize(
    "line",
    [
        "BASE_URL=$(touch pwned)",
        "BASE_URL=`touch pwned`",
        'BASE_URL="$HOME"',
        "BASE_URL=a; touch pwned",
        "BASE_URL=a b",
        "BASE_URL = a",
        "import os",
        "BASE_URL='open",
        "BASE_URL=http://one\nBASE_URL=http://two",
        "BASE_URL=ftp://host",
        "BASE_URL=https://user:secret@host/v1",
        "",
    ],
)
def test_only_plain_assignments_are_read_and_nothing_of_the_file_is_repeated(tmp_path, line):
    path = tmp_path / "metis_endpoint_1.txt"
    path.write_text(f"SAMBANOVA_API_KEY=canary-key\nMODELS=m\n{line}\n")
    with pytest.raises(errors.UsageError) as caught:
        endpoint_file.read(path)
    assert "canary-key" not in str(caught.value)
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"A=b\n" * 40_000, b"\x00" * 10])
def test_what_is_no_endpoint_file_is_refused(tmp_path, data):
    path = tmp_path / "metis_endpoint_1.txt"
    path.write_bytes(data)
    with pytest.raises(errors.UsageError, match="Copy it again"):
        endpoint_file.read(path)


def test_quotes_export_comments_and_line_ends_are_read(tmp_path):
    path = tmp_path / "metis_endpoint_3.txt"
    path.write_bytes(
        b"#DO NOT EDIT\r\nexport BASE_URL='https://metis.alcf.anl.gov/x/v1'  # here\r\n"
        b'SAMBANOVA_API_KEY="k-1"\r\nMODELS=One, Two\r\n'.replace(b", ", b",")
        + b"OTHER=1"
    )
    read = endpoint_file.read(path)
    assert (read.profile.url, read.models) == ("https://metis.alcf.anl.gov/x/v1", ("One", "Two"))
    assert read.key.reveal() == "k-1"
    assert "k-1" not in repr(read)


def test_a_key_is_not_sent_over_plain_http(tmp_path):
    path = write(
        tmp_path / "m.txt", BASE_URL="http://192.0.2.1/v1", SAMBANOVA_API_KEY="k", MODELS="m"
    )
    with pytest.raises(errors.UsageError, match="plain http"):
        alcf.connect(str(path))


def test_a_file_that_others_can_read_is_warned_about(file):
    file.chmod(0o644)
    with pytest.warns(UserWarning, match="chmod 600") as told:
        alcf.connect(str(file))
    assert told[0].filename == __file__


def test_the_warning_is_at_the_user_s_line_where_the_first_call_connects(
    file, clean_environ, monkeypatch
):
    file.chmod(0o644)
    clean_environ["ALCF_JUPYTER_SERVICE"] = str(file)
    monkeypatch.setattr(session.current(), "client", None)
    with pytest.warns(UserWarning, match="chmod 600") as told:
        assert alcf.client().profile.name == "metis"
    assert told[0].filename == __file__


def test_a_token_beside_a_file_is_refused(file):
    with pytest.raises(errors.UsageError, match="Leave token out"):
        alcf.connect(str(file), token="t")


def test_a_regenerated_file_is_read_after_a_refusal(file, service):
    key = service.secret
    write(file, BASE_URL=service.plain, SAMBANOVA_API_KEY="old-key", MODELS="sandbox/echo")
    alcf.connect(str(file))
    with pytest.raises(errors.SignInError, match="Copy it again") as caught:
        alcf.chat("x", model="sandbox/echo")
    assert "old-key" not in str(caught.value)
    write(file, BASE_URL=service.plain, SAMBANOVA_API_KEY=key, MODELS="sandbox/echo")
    assert alcf.chat("x", model="sandbox/echo").text == "x"
    service.sent()
    assert "".join(alcf.stream("x", model="sandbox/echo")) == "x"
    assert len(service.sent()) == 1


def test_an_address_that_moved_is_found_after_a_404(file, service):
    gone = f"{service.plain}/gone"
    write(file, BASE_URL=gone, SAMBANOVA_API_KEY=service.secret, MODELS="sandbox/echo")
    alcf.connect(str(file))
    with pytest.raises(alcf.AlcfError):
        alcf.chat("x", model="sandbox/echo")
    write(file, BASE_URL=service.plain, SAMBANOVA_API_KEY=service.secret, MODELS="sandbox/echo")
    assert alcf.chat("x", model="sandbox/echo").text == "x"


def test_a_file_that_went_away_says_so(file, service):
    write(file, BASE_URL=service.plain, SAMBANOVA_API_KEY="old-key", MODELS="sandbox/echo")
    alcf.connect(str(file))
    file.unlink()
    with pytest.raises(errors.UsageError, match="There is no file"):
        alcf.chat("x", model="sandbox/echo")


def test_new_models_are_seen_when_asked_for(file, service):
    client = alcf.connect(str(file))
    write(file, BASE_URL=service.plain, SAMBANOVA_API_KEY=service.secret, MODELS="sandbox/json")
    assert [model.id for model in client.models(fresh=True).models] == ["sandbox/json"]


def test_the_openai_client_of_an_endpoint(file):
    alcf.connect(str(file))
    with alcf.openai() as made:
        asked = {"model": "sandbox/echo", "messages": [{"role": "user", "content": "hi"}]}
        assert made.chat.completions.create(**asked).choices[0].message.content == "hi"
        assert [model.id for model in made.models.list()] == ["sandbox/echo", "sandbox/summary"]
        with pytest.raises(openai.NotFoundError):
            made.chat.completions.create(**{**asked, "model": "none"})


def test_many_chats_go_in_one_request_and_come_back_in_order(file, service):
    client = alcf.connect(str(file))
    prompts = [f"number {n}" for n in range(20)]
    answers = client.chat_many(calls(*prompts))
    assert [answer.text for answer in answers] == prompts
    (sent,) = service.sent("chat")
    assert len(json.loads(sent["body"])) == 20


def test_more_than_fit_go_in_several_requests(file, service):
    client = alcf.connect(str(file))
    prompts = [f"{n} " + "x" * 60_000 for n in range(70)]
    assert [answer.text for answer in client.chat_many(calls(*prompts))] == prompts
    sent = service.sent("chat")
    assert len(sent) == 3
    assert max(entry["bytes"] for entry in sent) <= 2_000_100


def test_each_chat_of_an_array_fails_for_itself(file):
    client = alcf.connect(str(file))
    chosen = calls("good one", "bad", "good two")
    del chosen[1].body["messages"]
    one, bad, two = client.chat_many(chosen)
    assert (one.text, two.text) == ("good one", "good two")
    assert [count.answers for count in client.meter.counts().values()] == [2]
    assert isinstance(bad, alcf.AlcfError)


def test_arrays_of_two_models(file, service):
    client = alcf.connect(str(file))
    chosen = calls("a", "b") + calls("c. d.", "e. f.", model="sandbox/summary")
    assert [answer.text for answer in client.chat_many(chosen)][:2] == ["a", "b"]
    assert len(service.sent("chat")) == 2


def test_where_arrays_are_not_taken_they_go_one_by_one(service):
    client = service.connect()
    prompts = [f"number {n}" for n in range(5)]
    found = client.chat_many([*calls(*prompts), *calls("x", model="sandbox/none")])
    assert [answer.text for answer in found[:5]] == prompts
    assert isinstance(found[5], errors.UnknownModelError)
    assert len(service.sent("chat")) == 5


def test_an_endpoint_that_refuses_an_array_is_asked_one_by_one_from_then_on(file, service):
    client = alcf.connect(str(file))
    service.fail("validation", times=1)
    assert [answer.text for answer in client.chat_many(calls("a", "b"))] == ["a", "b"]
    assert len(service.sent("chat")) == 3
    assert [answer.text for answer in client.chat_many(calls("a", "b"))] == ["a", "b"]
    assert len(service.sent("chat")) == 2


def test_an_array_that_does_not_fit_is_no_answer(file, service):
    client = alcf.connect(str(file))
    for fault in ("json-null", "error-object", "empty-body", "captive-portal"):
        service.fail(fault)
        found = client.chat_many(calls("a", "b"))
        assert all(isinstance(one, alcf.AlcfError) for one in found)
        assert len(found) == 2


def test_no_chats_are_no_request(file, service):
    assert alcf.connect(str(file)).chat_many([]) == []
    assert service.sent() == []
