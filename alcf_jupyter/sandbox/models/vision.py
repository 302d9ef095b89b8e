"""A model that says what images it was given: how many, what kind, what size."""

from __future__ import annotations

import base64
import binascii
import struct
from typing import Any

from .said import Prompt, Said


def vision(prompt: Prompt) -> Said:
    """Tell the number, format and size of the images of the last user message."""
    images = _images(prompt)
    if not images:
        return Said("I was given no image.")
    told = [f"Image {number} is {describe(url)}." for number, url in enumerate(images, 1)]
    count = "1 image" if len(images) == 1 else f"{len(images)} images"
    return Said(f"I was given {count}. {' '.join(told)} You asked: {prompt.user()}")


def _images(prompt: Prompt) -> list[str]:
    for message in reversed(prompt.messages):
        content = message.get("content")
        if message.get("role") == "user" and isinstance(content, list):
            return [_url(part) for part in content if part.get("type") == "image_url"]
    return []


def _url(part: dict[str, Any]) -> str:
    image = part.get("image_url")
    return str(image.get("url", "")) if isinstance(image, dict) else str(image)


def describe(url: str) -> str:
    """Return in words what a data URL holds; nothing is ever fetched."""
    head, comma, data = url.partition(",")
    if not head.startswith("data:") or not comma:
        return "a remote address, which the sandbox does not fetch"
    try:
        raw = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return "not readable"
    kind, size = measure(raw)
    if size is None:
        return f"of a kind the sandbox does not know, {len(raw):,} bytes"
    return f"a {kind} of {size[0]} x {size[1]} pixels, {len(raw):,} bytes"


def measure(raw: bytes) -> tuple[str, tuple[int, int] | None]:
    """Return format and (width, height) of an image, read from its first bytes."""
    if raw.startswith(b"\x89PNG\r\n\x1a\n") and len(raw) >= 24:
        return "PNG", struct.unpack(">II", raw[16:24])
    if raw[:6] in (b"GIF87a", b"GIF89a") and len(raw) >= 10:
        return "GIF", struct.unpack("<HH", raw[6:10])
    if raw.startswith(b"\xff\xd8"):
        return "JPEG", _jpeg_size(raw)
    if raw[:4] == b"RIFF" and raw[8:16] == b"WEBPVP8X" and len(raw) >= 30:
        wide = int.from_bytes(raw[24:27], "little") + 1
        return "WebP", (wide, int.from_bytes(raw[27:30], "little") + 1)
    return "unknown", None


def _jpeg_size(raw: bytes) -> tuple[int, int] | None:
    place = 2
    while place + 9 <= len(raw) and raw[place] == 0xFF:
        marker = raw[place + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            high, wide = struct.unpack(">HH", raw[place + 5 : place + 9])
            return wide, high
        place += 2 + int.from_bytes(raw[place + 2 : place + 4], "big")
    return None
