"""Running a batch: every line of a file through a model, chunk by chunk, as vLLM does it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .batch_files import BatchFiles, OutsideError, local
from .models import Refused

if TYPE_CHECKING:
    from .batch_store import Batch
    from .service import Service

URLS = {"/v1/chat/completions": "chat/completions", "/v1/embeddings": "embeddings"}
_SUPPORTED = "/v1/chat/completions, /v1/embeddings, /score, /rerank."
_EVERY_TENTH = 10


class FailedError(Exception):
    """The batch failed; the message is the worker's traceback."""


@dataclass
class Tally:
    """What a run has done so far."""

    lines: int = 0
    tokens: int = 0
    responses: int = 0
    chunks: list[dict[str, Any]] = field(default_factory=list)

    def counters(self) -> dict[str, int]:
        """Return the three counters under the names of the progress file."""
        return {
            "lines_processed": self.lines,
            "total_tokens": self.tokens,
            "num_responses": self.responses,
        }


async def run(service: Service, batch: Batch) -> dict[str, Any]:
    """Work through a batch's input; return the summary that is its result.

    Raises
    ------
    FailedError
        As the real function fails, with what it had written left in place.
    """
    start = service.clock.now()
    root = service.settings.batch_root
    try:
        text = local(batch.input_file, root).read_text(encoding="utf-8")
        files = BatchFiles(
            batch.folder,
            batch.input_file,
            batch.model.id,
            batch.id,
            service.clock.text("%Y%m%d_%H%M%S"),
            root,
        )
    except (OSError, OutsideError, UnicodeDecodeError, ValueError) as wrong:
        raise FailedError(_traceback(f"{type(wrong).__name__}: {wrong}")) from None
    # Not splitlines: a text in a request may hold other characters that end a line.
    lines = [line for line in text.split("\n") if line.strip()]
    size = service.settings.batch_chunk_lines
    if batch.fault == "batch-fails":
        size = max(1, -(-len(lines) // 2))
    tally = Tally()
    for index, place in enumerate(range(0, len(lines), size)):
        if batch.fault == "batch-fails-early" or (batch.fault == "batch-fails" and index):
            raise FailedError(_engine_failed(index, "torch.OutOfMemoryError: CUDA out of memory"))
        began = service.clock.now()
        chunk = lines[place : place + size]
        made = await asyncio.to_thread(_answer_chunk, service, batch, chunk, index)
        await service.clock.sleep(service.settings.batch_chunk_seconds)
        files.add_results(_spoiled(made, batch.fault))
        _count(tally, index, made, service.clock.now() - began, files)
        files.write_progress({**_stale(tally, full=len(chunk) == size), "chunks": tally.chunks})
    took = service.clock.now() - start
    summary = {
        "results_file": files.results,
        "progress_file": files.progress,
        "total_tokens": tally.tokens,
        "num_responses": tally.responses,
        "lines_processed": tally.lines,
        "duration_sec": took,
        "throughput_tokens_per_sec": tally.tokens / took if took else 0.0,
    }
    files.write_progress(summary)
    if batch.fault == "batch-torn-results":
        files.tear()
    elif batch.fault == "batch-files-gone":
        files.remove()
    elif batch.fault == "batch-result-elsewhere":
        summary["results_file"] = "/etc/passwd"
        summary["progress_file"] = f"{batch.folder}/../../elsewhere/progress.json"
    return summary


def _answer_chunk(service: Service, batch: Batch, lines: list[str], index: int) -> list[str]:
    """Answer a chunk's lines; one that is no request aborts them all, as the real program does."""
    made = []
    for number, line in enumerate(lines):
        try:
            asked = json.loads(line)
            told = _answer_line(service, batch, asked)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as wrong:
            reason = f"ValidationError: line {number + 1} of the chunk is no request: {wrong!r}"
            raise FailedError(_engine_failed(index, reason)) from None
        made.append(json.dumps(told, ensure_ascii=False, separators=(",", ":")))
    return made


def _answer_line(service: Service, batch: Batch, asked: dict[str, Any]) -> dict[str, Any]:
    custom_id, url, body = asked["custom_id"], asked["url"], asked["body"]
    if not isinstance(custom_id, str) or not isinstance(asked["method"], str):
        raise TypeError("custom_id and method are texts")
    error: Any = None
    result = None
    status = 200
    if url not in URLS:
        status, error = 400, f"URL {url} was used. Supported endpoints: {_SUPPORTED}"
    else:
        try:
            result, _ = service.model_server.answer(URLS[url], batch.model, body)
        except Refused as refused:
            status, error = refused.status, _error(refused, batch.fault)
    response = {
        "status_code": status,
        "request_id": f"vllm-batch-{service.new_id()}",
        "body": result,
    }
    return {
        "id": f"vllm-{service.new_id()}",
        "custom_id": custom_id,
        "response": response,
        "error": error,
    }


def _error(refused: Refused, fault: str) -> dict[str, Any]:
    if fault == "batch-older-errors" and "error" in refused.body:
        return {"object": "error", **refused.body["error"]}
    return refused.body


def _count(tally: Tally, index: int, made: list[str], took: float, files: BatchFiles) -> None:
    answered = [line for line in made if '"total_tokens":' in line]
    tokens = sum(json.loads(line)["response"]["body"]["usage"]["total_tokens"] for line in answered)
    tally.lines += len(made)
    tally.tokens += tokens
    tally.responses += len(answered)
    told = {"chunk_index": index, "lines": len(made), "tokens": tokens, "responses": len(answered)}
    log = files.progress.replace(".progress.json", f".chunk{index}.log")
    tally.chunks.append({**told, "time_sec": took, "log": log})


def _stale(tally: Tally, *, full: bool) -> dict[str, int]:
    """Return the counters as the real function writes them: a last, partial chunk is not in."""
    if full:
        return tally.counters()
    last = tally.chunks[-1]
    before = Tally(
        tally.lines - last["lines"],
        tally.tokens - last["tokens"],
        tally.responses - last["responses"],
    )
    return before.counters()


def _spoiled(lines: list[str], fault: str) -> list[str]:
    if fault == "batch-bad-lines":
        return [lines[0][: len(lines[0]) // 2], "", *lines[1:]]
    if fault == "batch-repeated-lines":
        return [lines[0], *lines]
    if fault == "batch-missing-lines":
        return [line for number, line in enumerate(lines) if number % _EVERY_TENTH]
    return lines


def _engine_failed(chunk: int, reason: str) -> str:
    return _traceback(
        f"RuntimeError: [ERROR] vLLM failed for chunk {chunk}. Exit 1, duration 3.1s\n"
        f" Last log lines:\n {reason}"
    )


def _traceback(error: str) -> str:
    return (
        "\n Traceback from worker\n\n Traceback (most recent call last):\n"
        '   File "vllm_batch_function.py", line 211, in chunked_vllm_inference_function\n     ...\n'
        '   File "vllm_batch_function.py", line 72, in run_chunk_inference\n     ...\n'
        f" {error}"
    )
