"""Tab in a real kernel: what is offered, in which order, how fast, and never over the network."""

import contextlib

import pytest

from tests.controlled import sandbox
from tests.kernels import start_kernel


class Kernel:
    def __init__(self):
        self.manager, self.client = start_kernel()

    def run(self, code):
        shown = []
        reply = self.client.execute_interactive(
            code,
            allow_stdin=False,
            timeout=60,
            output_hook=lambda m: shown.append(m["content"].get("text", "")),
        )
        assert reply["content"]["status"] == "ok", reply["content"]
        return "".join(shown)

    def tab(self, code):
        """Complete at the bar in `code`; return the reply."""
        before, _, after = code.partition("|")
        message = self.client.complete(before + after, len(before), reply=True, timeout=60)
        return message["content"]

    def offers(self, code):
        """What is offered, with its type, and the line that taking the first one makes."""
        reply = self.tab(code)
        types = reply["metadata"].get("_jupyter_types_experimental", [])
        return {one["text"]: one["type"] for one in types}

    def taken(self, code, choice):
        reply = self.tab(code)
        assert choice in reply["matches"], reply["matches"]
        text = code.replace("|", "")
        return text[: reply["cursor_start"]] + choice + text[reply["cursor_end"] :]

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def service():
    with sandbox("--no-rate-limit", "--clock-speed=0.001") as running:
        yield running


@pytest.fixture(scope="module")
def kernel(service):
    made = Kernel()
    made.run("%load_ext alcf_jupyter\nimport alcf_jupyter as alcf")
    made.run(f"c = alcf.connect({service.url!r}, token={service.secret!r}); k = c.models()")
    made.run("%alcf use sandbox/summary as brief")
    service.sent()
    yield made
    made.close()


@pytest.mark.parametrize("magic", ["%alcf_chat", "%%alcf_chat", "x = %alcf_chat"])
def test_models_with_their_state_the_readiest_first(kernel, magic):
    offers = kernel.offers(f"{magic} -m sandbox/|")
    assert offers["sandbox/echo"] == "Live on sophia"
    assert offers["sandbox/cold"] == "Offline on sophia"
    names = list(offers)
    assert names.index("sandbox/echo") < names.index("sandbox/cold")
    assert names.index("sandbox/cold") < names.index("sandbox/embed"), "the other kind last"
    assert next(iter(kernel.offers("%%alcf_embed -m |"))) in ("brief", "sandbox/embed")


def test_a_name_is_completed_from_its_middle_too(kernel):
    line = kernel.taken("%alcf_chat -t 0 -m ech|", "sandbox/echo")
    assert line == "%alcf_chat -t 0 -m sandbox/echo"
    assert kernel.taken("%%alcf_chat --model=sandbox/ec|", "sandbox/echo") == (
        "%%alcf_chat --model=sandbox/echo"
    )


def test_after_a_cluster_only_its_models(kernel):
    offers = kernel.offers("%alcf_chat -c metis -m |")
    assert offers.pop("brief") == "alias"
    assert offers == {
        "sandbox-echo": "Live",
        "sandbox-provisioning": "Queued",
        "sandbox-stopped": "Stopped",
    }
    assert "sandbox/echo" not in kernel.offers("%alcf_chat --cluster=METIS -m |")


def test_clusters_with_how_many_are_live(kernel):
    offers = kernel.offers("%%alcf_chat -c |")
    assert set(offers) == {"sophia", "metis", "minerva"}
    assert offers["metis"] == "1 Live"
    assert set(kernel.offers("%%alcf_chat -m sandbox-echo -c |")) == {"metis", "minerva"}
    assert list(kernel.offers("%alcf_chat -c so|")) == ["sophia"]


def test_options_and_their_values(kernel):
    assert set(kernel.offers("%%alcf_chat --te|")) == {"--temperature"}
    offers = kernel.offers("%%alcf_chat -q --stop x -|")
    assert "--max-tokens" in offers
    assert "--stop" in offers, "this one may be given again"
    assert not {"-q", "--quiet"} & set(offers)
    assert list(kernel.offers("%%alcf_chat --reasoning-effort |")) == ["low", "medium", "high"]
    assert list(kernel.offers("%%alcf_chat --reasoning-effort=m|")) == ["medium"]
    assert "30m" in kernel.offers("%alcf_chat --timeout |")
    assert "--dimensions" in kernel.offers("%%alcf_embed --d|")
    assert "--temperature" not in kernel.offers("%%alcf_embed -|")


@pytest.mark.parametrize(
    ("code", "some"),
    [
        ("%alcf |", {"connect", "use", "status", "help", "models", "wait"}),
        ("%alcf st|", {"status"}),
        ("a = 1\n%alcf st|", {"status"}),
        ("%alcf use |", {"brief", "sandbox/echo", "--embed"}),
        ("%alcf use --embed sandbox/em|", {"sandbox/embed"}),
        ("%alcf use sandbox/echo |", {"as"}),
        ("%alcf wait sandbox/co|", {"sandbox/cold"}),
        ("%alcf connect |", {"alcf", "sandbox", "--proxy"}),
        ("%alcf connect --pr|", {"--proxy"}),
        ("%alcf models --state |", {"Live", "Offline"}),
        ("%alcf models --can |", {"chat", "embed"}),
        ("%alcf batches --status c|", {"completed"}),
        ("%alcf batches --status w|", {"waiting"}),
        ("%alcf help c|", {"connect", "contacts"}),
    ],
)
def test_commands_and_what_follows_them(kernel, code, some):
    assert some <= set(kernel.offers(code))


@pytest.mark.parametrize(
    "code",
    [
        "%%alcf_chat -m sandbox/echo\nTell me about sandbox/|",
        "%alcf_chat -q Tell me about sandbox/|",
        "%alcf_chat -s 'you speak of sandbox/|",
        "print('%alcf_chat -m sandbox/|",
        "alcf_chat = 1; sandbox/|",
        "%alcfx -m sandbox/|",
    ],
)
def test_elsewhere_nothing_of_ours_is_offered(kernel, code):
    # what Python offers there takes seconds at first, and is not looked for
    kernel.run("get_ipython().Completer.use_jedi = False")
    assert not [text for text in kernel.offers(code) if text.startswith("sandbox/")]
    kernel.run("get_ipython().Completer.use_jedi = True")


@pytest.mark.parametrize("code", ["%alcf_chat -m nosuch|", "%%alcf_chat -c nosuch|"])
def test_where_no_name_fits_nothing_else_is_offered(kernel, code):
    assert set(kernel.offers(code)) == {"nosuch"}


def test_it_is_answered_from_memory_within_20_ms(kernel, service):
    service.sent()
    lines = ["%alcf |", "%%alcf_chat -|", "%%alcf_chat -m |", "%%alcf_chat -c metis -m |"] * 10
    kernel.run("import time; began = time.process_time()")
    for line in lines:
        assert kernel.tab(line)["matches"]
    took = float(kernel.run("print(time.process_time() - began)"))
    # of the kernel's own time, since it waits for nobody
    assert took / len(lines) < 0.020, "the whole way there and back"
    assert service.sent() == []


def test_a_service_that_hangs_does_not_hold_it_up(kernel, service):
    service.fail("half-open")
    service.sent()
    try:
        assert "sandbox/echo" in kernel.offers("%%alcf_chat -m sandbox/|")
        assert service.sent() == [], "who asks nobody waits for nobody"
    finally:
        service.heal()


def test_threads_and_batches_of_this_kernel_are_offered(kernel):
    assert "study" not in kernel.offers("%%alcf_chat --thread |")
    kernel.run(
        "import pandas as pd\n"
        "for name in ('study', 'my \\\"other\\\"'):\n"
        "    alcf.chat('hm', model='sandbox/echo', thread=name)\n"
        "batch = alcf.submit_batch(pd.DataFrame({'t': ['a']}), '{{t}}', model='sandbox/echo')\n"
        "listed = alcf.batches()"
    )
    assert list(kernel.offers("%%alcf_chat --thread |"))[:2] == ["study", "'my \"other\"'"]
    assert list(kernel.offers("%%alcf_chat --thread my|")) == ["'my \"other\"'"]
    assert list(kernel.offers("%alcf threads st|")) == ["study"]
    ident = kernel.run("print(batch.id)").strip()
    assert kernel.run("print(listed['id'].tolist())").strip() == f"['{ident}']"
    offered = kernel.offers("%alcf batches |")
    assert offered[ident].endswith(" on sophia")
    assert ident not in kernel.offers(f"%alcf batches {ident} |")


def test_names_that_a_server_makes_up_are_text_and_nothing_else(kernel, service):
    service.control(
        "POST",
        "/state",
        {"cluster": "metis", "add": {"id": "m\x1b[31m\u202e\nx", "behaviour": "echo"}},
    )
    kernel.run("k = c._directory; k._listed_at = 0.0; x = c.models(fresh=True)")
    sent = "print(any('\\u202e' in m for m in c._directory._listed['clusters']['metis']"
    assert kernel.run(f"{sent}['frameworks']['api']['models']))").strip() == "True"
    offers = kernel.offers("%%alcf_chat -c metis -m |")
    assert "sandbox-echo" in offers
    assert not [text for text in offers if not text.isprintable()]


def test_before_anything_is_connected_options_and_commands_are_there_and_unload_takes_them():
    made = Kernel()
    with contextlib.closing(made):
        made.run("before = list(get_ipython().Completer.custom_matchers)")
        made.run("%load_ext alcf_jupyter")
        assert "status" in made.offers("%alcf |")
        assert "--temperature" in made.offers("%%alcf_chat --te|")
        for line in ("%%alcf_chat -m |", "%alcf_chat -c |"):
            assert set(made.offers(line)) <= {""}, "no file, keyword or name of Python's"
            assert made.taken(line, "") == line.replace("|", "")
        told = "'alcf_jupyter.connection.session' in sys.modules, 'httpx' in sys.modules"
        assert made.run(f"import sys; print({told})").strip() == "False False"
        made.run("%load_ext alcf_jupyter")
        made.run("%unload_ext alcf_jupyter")
        made.run("assert get_ipython().Completer.custom_matchers == before")
        assert "status" not in made.offers("%alcf |")
