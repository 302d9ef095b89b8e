"""What the body of a failure says, whatever its shape: the gateway's, a model server's, HTML."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from alcf_jupyter.plain import brief


@dataclass(frozen=True, slots=True)
class Report:
    """What a failure's body says, whatever its shape."""

    message: str = ""
    code: str = ""
    info: dict[str, Any] | None = None
    error_id: str = ""
    html: bool = False


def report(body: bytes | bytearray, content_type: str = "") -> Report:
    """Read the body of a failure; anything at all may stand in it."""
    text = body[:1_000_000].decode("utf-8", "replace").strip()
    content_type = content_type.casefold()
    if text[:1] in "{[\"'" and "html" not in content_type:
        try:
            return _from_json(json.loads(text))
        except (ValueError, RecursionError):
            pass
    if "html" in content_type or text[:200].lstrip().lower().startswith(("<!doctype", "<html")):
        title = re.search(r"<title[^>]{0,200}>([^<]{0,300})", text, re.IGNORECASE)
        return Report(brief(title[1]) if title else brief(_untagged(text), 120), html=True)
    return Report(brief(text))


def _untagged(text: str) -> str:
    return re.sub(r"<[^<>]{0,2000}>", " ", text[:4000])


def _from_json(value: Any) -> Report:
    if not isinstance(value, dict):
        return Report(brief(value))
    error = value.get("error")
    if isinstance(error, dict):
        info = error.get("info")
        return Report(
            str(error.get("message") or ""),
            str(error.get("code") or error.get("type") or ""),
            info if isinstance(info, dict) else None,
            brief(error.get("error_id") or "", 64),
        )
    if isinstance(error, str):
        return Report(error, str(value.get("code") or ""))
    if "detail" in value:
        return Report(_detail(value["detail"]), "detail")
    if isinstance(value.get("message"), str):
        return Report(value["message"], str(value.get("type") or value.get("code") or ""))
    return Report(brief(json.dumps(value)))


def _detail(detail: Any) -> str:
    if not isinstance(detail, list):
        return str(detail)
    found = []
    for item in detail[:4]:
        if isinstance(item, dict):
            place = item.get("loc")
            steps = [str(s) for s in place] if isinstance(place, list) else []
            name = ".".join(s for s in steps if s not in ("body", "payload", "batch_data", "query"))
            found.append(f"{name}: {item.get('msg', '')}" if name else str(item.get("msg", "")))
        else:
            found.append(str(item))
    return "; ".join(found)


# bounded spaces: a body of line breaks alone would take such a pattern minutes
_SOPHIA = re.compile(r"status code: (\d{3})\s{0,20}?\n\s{0,20}?Response text: ")
_METIS = re.compile(r"Upstream endpoint returned (\d{3}): b['\"](.{0,2000})", re.DOTALL)
_MESSAGE = re.compile(r'"message":\s{0,20}"((?:[^"\\]|\\.)*)')
_ESCAPE = re.compile(r"\\(x[0-9a-f]{2}|.)", re.DOTALL)


def of_model_server(message: str) -> tuple[int, str] | None:
    """Return the model server's own status and reason where the gateway wraps them."""
    message = message[:100_000]
    if found := _SOPHIA.search(message):
        return int(found[1]), _inner_reason(message[found.end() :].split("Response headers:")[0])
    if found := _METIS.search(message):
        return int(found[1]), _inner_reason(_text_of(found[2].rstrip(". \n")[:-1]))
    return None


def _text_of(shown: str) -> str:
    """Undo the repr of a bytes value, which holds the first 256 bytes of what was sent."""

    def plain(escape: re.Match[str]) -> str:
        code = escape[1]
        if len(code) == 3:
            return chr(int(code[1:], 16))
        return {"n": "\n", "r": "\r", "t": "\t"}.get(code, code)

    # each character stands for one byte now
    return _ESCAPE.sub(plain, shown).encode("latin-1", "replace").decode("utf-8", "replace")


def _inner_reason(text: str) -> str:
    told = report(text.encode("utf-8", "replace"))
    if told.message and told.message != brief(text):
        return brief(told.message)
    found = _MESSAGE.search(text)
    return brief(found[1] if found else text)
