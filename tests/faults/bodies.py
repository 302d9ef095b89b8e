"""The gateway's refusals, byte for byte: from recorded answers, and from pages of usual proxies."""

import json
from pathlib import Path

RECORDED = Path(__file__).parents[1] / "recorded" / "exchanges.json"
JSON, HTML = "application/json; charset=utf-8", "text/html; charset=utf-8"


def _recorded():
    found = {}
    for one in json.loads(RECORDED.read_text(encoding="utf-8")):
        told = one["response"]
        if told["status"] != 200 and told.get("body") is not None:
            found[one["name"]] = (told["status"], told["content_type"], told["body"].encode())
    return found


def _error(status, code, message, **info):
    told = {"error": {"code": code, "message": message, "info": info}}
    return status, JSON, json.dumps(told).encode()


def _nginx(status, words):
    lines = [
        "<html>",
        f"<head><title>{status} {words}</title></head>",
        "<body>",
        f"<center><h1>{status} {words}</h1></center>",
        "<hr><center>nginx</center>",
        "</body>",
        "</html>",
        "",
    ]
    return status, "text/html", "\r\n".join(lines).encode()


_FOUND = _recorded()
_LATE = "TimeoutError while attempting to access compute resources. Please try again later."
_POLICY_OUTAGE = "Token introspection: Error: Could not introspect token with Globus. Try later."

PORTAL = (
    b"<!DOCTYPE html><html><head><title>Guest network</title></head><body>"
    b"<h1>Welcome</h1><form action='/login'>Please sign in to continue</form></body></html>"
)

REFUSALS = {
    # who is asking
    "401-no-header": _FOUND["whoami with None"],
    "401-unknown": _FOUND["whoami with unknown-token"],
    "401-expired": _FOUND["whoami with expired-token"],
    "401-policy": _FOUND["whoami with policy-token"],
    "401-provider": _FOUND["whoami with baddomain-token"],
    "401-group": _FOUND["chat: group-restricted model"],
    "401-outage": _error(401, "unauthorized", _POLICY_OUTAGE),
    "403": _error(403, "access_denied", "Permission denied."),
    # what is asked for
    "404-cluster": _FOUND["jobs of an unknown cluster"],
    "404-model": _FOUND["chat: unknown model"],
    "404-route": _FOUND["unknown route"],
    "400-json": _FOUND["chat refused: bad JSON"],
    "400-framework": _FOUND["chat: unknown framework"],
    "400-endpoint": _FOUND["chat: route of another cluster"],
    "422": _FOUND["chat refused: no messages"],
    "413": _nginx(413, "Request Entity Too Large"),
    # limits
    "429-requests": _FOUND["request rate exceeded"],
    "429-tokens": _FOUND["tokens per minute 1"],
    "500-too-large": _FOUND["chat: body over the limit"],
    # the model server's own words
    "500-inner-400": _FOUND["chat sophia upstream 400"],
    "500-inner-400-new": _FOUND["chat sophia upstream 400n"],
    "500-inner-429": _FOUND["chat sophia upstream 429"],
    "500-inner-500": _FOUND["chat sophia upstream 500"],
    "500-inner-503": _FOUND["chat sophia upstream 503"],
    "400-metis": _FOUND["chat metis upstream 400"],
    "429-metis": _FOUND["chat metis upstream 429"],
    "500-metis": _FOUND["chat metis upstream 500"],
    "503-metis": _FOUND["chat metis upstream 503"],
    "500-internal": _FOUND["batch malformed id"],
    # the model is not there
    "408": _error(408, "request_timeout", _LATE, task_id="0d9b4c1e"),
    "503-offline": _FOUND["endpoint offline: chat"],
    "503-not-ready": _FOUND["no managers, second: chat"],
    "503-not-live": _FOUND["chat metis DeepSeek-R1"],
    "503-maintenance": _FOUND["maintenance: chat"],
    "503-maintenance-page": (
        503,
        HTML,
        (
            b"<html><head><title>Maintenance</title></head>"
            b"<body><p>Please come back later.</p></body></html>"
        ),
    ),
    # what stands in front
    "502": _nginx(502, "Bad Gateway"),
    "504": _nginx(504, "Gateway Time-out"),
    "504-metis": _error(504, "internal_endpoint_error", "Upstream timed out.", timeout=120),
}
"""Status, content type and body of each."""
