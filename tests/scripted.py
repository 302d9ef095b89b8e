"""A model that says what the test wrote, over a real socket, and keeps what it was asked."""

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import alcf_jupyter as alcf


class Model:
    """An OpenAI-compatible server with one model; each chat takes the next of its answers."""

    def __init__(self, port, asked):
        self.url, self.asked = f"http://127.0.0.1:{port}/v1", asked


def message(text, *, finish="stop", **more):
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, **more},
                "finish_reason": finish,
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }


@contextlib.contextmanager
def model(*answers):
    """Serve `answers` (texts, or whole bodies) and connect to them."""
    left, asked = list(answers), []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_GET(self):
            self.answer({"object": "list", "data": [{"id": "m", "object": "model"}]})

        def do_POST(self):
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            said = left.pop(0) if len(left) > 1 else left[0]
            self.answer(said if isinstance(said, dict) else message(said))

        def answer(self, value):
            body = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 200  # with five, a column's connections wait for a second and more

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        served = Model(server.server_address[1], asked)
        alcf.connect(served.url, token="t")
        try:
            yield served
        finally:
            server.shutdown()
            thread.join(60)
