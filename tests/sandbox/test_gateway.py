"""The routes that tell what there is, and the gateway's refusals."""

import httpx
import pytest

SOPHIA_ENDPOINTS = ["chat/completions", "completions", "embeddings", "responses", "messages"]


def test_health_and_status_need_no_token(sandbox):
    for path, told in (
        ("/health", {"status": "ok"}),
        ("/status", {"sophia": True, "metis": True, "minerva": True}),
    ):
        answer = httpx.get(sandbox.url + path)
        assert (answer.status_code, answer.json()) == (200, told)
        assert answer.headers["content-type"] == "application/json; charset=utf-8"


def test_openapi_needs_no_token(sandbox):
    paths = httpx.get(f"{sandbox.url}/openapi.json").json()["paths"]
    assert "post" in paths["/resource_server/{cluster}/{framework}/v1/chat/completions"]
    assert "/sandbox/log" not in paths


def test_list_endpoints(sandbox):
    clusters = sandbox.get("/list-endpoints").json()["clusters"]
    vllm = clusters["sophia"]["frameworks"]["vllm"]
    assert vllm["models"] == sorted(vllm["models"])
    assert vllm["endpoints"] == [f"/v1/{name}" for name in SOPHIA_ENDPOINTS]
    assert clusters["minerva"]["base_url"] == "/resource_server/minerva"
    assert list(clusters["minerva"]["frameworks"]) == ["api"]
    assert "sandbox/embed-cold" in vllm["models"]


def test_jobs_of_sophia(sandbox):
    jobs = sandbox.get("/sophia/jobs").json()
    assert set(jobs) == {
        "running",
        "queued",
        "stopped",
        "others",
        "private_batch_running",
        "private_batch_queued",
        "cluster_status",
    }
    hot = jobs["running"][0]
    assert hot["Models"].split(",")[:2] == ["sandbox/echo", "sandbox/summary"]
    assert all(isinstance(value, str) for row in jobs["running"] for value in row.values())
    assert [row["Models"] for row in jobs["queued"]] == ["sandbox/queued"]
    assert jobs["queued"][0]["Host Name"] == "N/A"
    listed = {model for row in jobs["running"] for model in row["Models"].split(",")}
    assert "sandbox/cold" not in listed, "an offline model is absent"


def test_jobs_of_metis(sandbox):
    jobs = sandbox.get("/metis/jobs").json()
    assert [row["Model Status"] for row in jobs["running"]] == ["running"]
    assert [row["Model Status"] for row in jobs["queued"]] == ["provisioning"]
    assert [row["Model Status"] for row in jobs["stopped"]] == ["stopped"]
    assert jobs["cluster_status"]["total_models"] == 3


def test_models_route(sandbox):
    sophia = sandbox.get("/sophia/models").json()
    assert sophia[0]["max_model_len"] == 32768
    one = sandbox.get("/metis/models", params={"model_id": "sandbox-echo"}).json()
    assert one[0]["capabilities"]["context_window_tokens"] == 32768
    assert sandbox.get("/nowhere/models").status_code == 404


def test_every_model_says_what_it_does(sandbox):
    told = [
        row
        for one in ("sophia", "metis", "minerva")
        for row in sandbox.get(f"/{one}/models").json()
    ]
    assert len(told) > 20
    about = {row["id"]: row["description"] for row in told}
    assert all(about.values())
    for failing in ("cut-off", "stream-error", "early-end", "hostile"):
        assert about[f"sandbox/{failing}"].startswith("for tests: ")


def test_unauthorized_in_all_its_words(sandbox):
    def refused(authorization):
        headers = {"Authorization": authorization} if authorization else {}
        answer = httpx.get(f"{sandbox.url}/whoami", headers=headers)
        assert answer.status_code == 401
        return answer.json()

    assert refused(None)["detail"].startswith("Error: Missing ('Authorization'")
    first, second = refused("Bearer made-up"), refused("Bearer made-up")
    assert first["error"]["message"] == "Token is either not active or invalid"
    assert second["error"]["message"] == "Token introspection: " + first["error"]["message"]
    assert refused("Bearer expired-token")["error"]["message"] == "Access token expired."
    assert "Authorization type should be Bearer" in refused("Token x")["error"]["message"]
    assert "only allows header type" in refused("Bearer a b")["error"]["message"]


def test_refusal_is_forgotten_after_a_minute(sandbox):
    headers = {"Authorization": "Bearer somebody-else"}
    for _ in range(2):
        sandbox.get("/whoami", headers=headers)
        sandbox.control("POST", "/clock", {"advance": 61})
    message = sandbox.get("/whoami", headers=headers).json()["error"]["message"]
    assert message == "Token is either not active or invalid"


def test_a_token_can_change_its_role(sandbox):
    told = sandbox.control("POST", "/tokens", {"": "bob"})
    (token,) = told
    headers = {"Authorization": f"Bearer {token}"}
    assert sandbox.get("/whoami", headers=headers).status_code == 200
    sandbox.control("POST", "/tokens", {token: "expired"})
    message = sandbox.get("/whoami", headers=headers).json()["error"]["message"]
    assert message == "Access token expired."


def test_unknown_routes_and_methods_are_pages(sandbox):
    missing = sandbox.get("/sophia/vllm/v1/models")
    assert (missing.status_code, missing.headers["content-type"]) == (404, HTML)
    wrong = sandbox.get("/sophia/vllm/v1/chat/completions")
    assert (wrong.status_code, wrong.text) == (405, "Method not allowed")
    assert sandbox.get("/health/").status_code == 404, "no trailing slashes"


HTML = "text/html; charset=utf-8"


def test_models_are_found_by_slug_but_forwarded_as_typed(sandbox):
    refused = sandbox.chat("hi", model="SANDBOX/Echo")
    assert refused.status_code == 500
    assert "API request failed with status code: 404" in refused.json()["error"]["message"]
    unknown = sandbox.chat("hi", model="sandbox/eco").json()["error"]
    assert unknown["code"] == "endpoint_not_found"
    assert "'sophia-vllm-sandboxeco'" in unknown["message"]


def test_group_restricted_models_are_hidden_and_closed(start, tmp_path):
    import json

    models = ["open/model", {"id": "closed/model", "groups": [PREMIUM]}]
    clusters = {
        "sophia": {"endpoints": ["chat/completions"], "models": models},
        "secret": {"endpoints": [], "models": [], "groups": [PREMIUM]},
    }
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"clusters": clusters, "tokens": {"p": "premium"}}), "utf-8")
    with start(f"--config={config}") as sandbox:
        premium = {"Authorization": "Bearer p"}
        seen = sandbox.get("/list-endpoints").json()["clusters"]
        all_seen = sandbox.get("/list-endpoints", headers=premium).json()["clusters"]
        assert seen["sophia"]["frameworks"]["vllm"]["models"] == ["open/model"]
        assert list(all_seen) == ["sophia", "secret"]
        assert "closed/model" in all_seen["sophia"]["frameworks"]["vllm"]["models"]
        assert all_seen["secret"]["frameworks"] == {}
        assert "secret" not in sandbox.get("/status").json()
        refused = sandbox.chat("hi", model="closed/model")
        assert refused.status_code == 401
        assert "Globus Group restrictions" in refused.json()["error"]["message"]
        rows = sandbox.get("/sophia/jobs", headers=premium).json()["running"]
        assert {row["Models"] for row in rows} == {"open/model", "closed/model"}


PREMIUM = "7e1f2a4c-0d55-4d1c-9c55-6f2b7a7d0c11"


@pytest.mark.parametrize(
    ("cluster", "code"),
    [
        ("nowhere/vllm", "cluster_not_found"),
        ("sophia/api", "unsupported_framework"),
        ("metis/vllm", "unsupported_framework"),
    ],
)
def test_wrong_places(sandbox, cluster, code):
    assert sandbox.chat("hi", cluster=cluster).json()["error"]["code"] == code


def test_staging_and_segmentation(sandbox):
    staged = sandbox.client.put("/resource_server/data/staging").json()
    assert set(staged) == {"collection_id", "path", "acl_rule_id", "principal"}
    taken = sandbox.post("/sophia/sam3service/process", {"image": "x"})
    assert (taken.status_code, taken.headers["retry-after"]) == (202, "2")
    path = f"/sophia/sam3service/tasks/{taken.json()['task_id']}"
    assert sandbox.get(path).json()["status"] == "task_accepted_and_pending"
    sandbox.control("POST", "/clock", {"advance": 30})
    assert "result" in sandbox.get(path).json()
    assert sandbox.get("/sophia/sam3service/tasks/none").status_code == 500


def test_large_bodies(sandbox):
    under = sandbox.chat("x " * 10)
    assert under.status_code == 200
    over = sandbox.chat("x" * 2_621_440)
    assert over.status_code == 500
    assert set(over.json()["error"]) == {"code", "message", "error_id"}


def test_waits_for_a_client_that_asks_first(sandbox):
    import socket

    body = b'{"model": "sandbox/echo", "messages": [{"role": "user", "content": "hi"}]}'
    head = (
        "POST /resource_server/sophia/vllm/v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {sandbox.secret}\r\nContent-Length: {len(body)}\r\n"
        "Expect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=60) as sock:
        sock.sendall(head.encode())
        assert sock.recv(1000).startswith(b"HTTP/1.1 100")
        sock.sendall(body)
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200")


def test_what_is_not_http_closes_the_connection(sandbox):
    import socket

    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=60) as sock:
        sock.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert sock.recv(1000) == b""
    assert sandbox.get("/health").status_code == 200
