"""Batches that outlive the sandbox that was asked for them."""

from .test_batches import finish, line


def submit(sandbox, root, name):
    (root / f"{name}.jsonl").write_text("\n".join(map(line, range(3))), "utf-8")
    body = {"model": "sandbox/echo", "input_file": f"/{name}.jsonl", "output_folder_path": "/out"}
    return sandbox.post("/sophia/vllm/v1/batches", body).json()["batch_id"]


def test_the_next_sandbox_knows_them_and_goes_on(start, tmp_path):
    root = f"--batch-root={tmp_path}"
    with start("--no-rate-limit", root) as first:
        done = submit(first, tmp_path, "done")
        assert finish(first, done) == "completed"
        result = first.get(f"/v1/batches/{done}/result").json()
        first.control("POST", "/limits", {"batch_seconds": 1e6})
        left = submit(first, tmp_path, "left")
        with start("--no-rate-limit", root) as beside:
            assert beside.get(f"/v1/batches/{left}").json() == "pending", "worked on elsewhere"
            assert beside.get(f"/v1/batches/{done}").json() == "completed"
        now = first.control("GET", "/clock")["now"]
    with start("--no-rate-limit", root) as second:
        rows = {row["batch_id"]: row for row in second.get("/v1/batches").json()}
        assert set(rows) == {done, left}
        assert rows[done]["completed_at"]
        assert second.get(f"/v1/batches/{done}/result").json() == result
        assert second.control("GET", "/clock")["now"] >= now - 3600
        assert finish(second, left) == "completed"
    assert len(list(tmp_path.glob(f"out/*{left}/*.results.jsonl"))) == 1
    assert all(one.stat().st_mode & 0o777 == 0o600 for one in (tmp_path / ".batches").iterdir())


def test_records_that_cannot_be_read_are_passed_over(start, tmp_path):
    folder = tmp_path / ".batches"
    folder.mkdir()
    (folder / "ab.json").write_text("{", "utf-8")
    (folder / "cd.json").write_text('{"id": "cd"}', "utf-8")
    with start("--no-rate-limit", f"--batch-root={tmp_path}") as sandbox:
        assert sandbox.get("/v1/batches").json() == []
