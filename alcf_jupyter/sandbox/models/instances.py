"""From a JSON schema and a prompt to a valid instance, always the same one."""

from __future__ import annotations

import re
import zlib
from typing import Any

_DEEPEST = 12
_FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "somebody@example.org",
    "hostname": "example.org",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w])")


def instance(schema: Any, prompt: str) -> Any:
    """Return an instance of `schema`, with words and numbers of `prompt` where they fit.

    An enumeration takes the member that the prompt names; a property takes what stands behind its
    name in the prompt ("age: 36"); numbers are taken in the order they come.
    """
    return _Maker(schema, prompt).make(schema, "", 0)


class _Maker:
    def __init__(self, root: Any, prompt: str) -> None:
        self._root = root
        self._prompt = prompt
        self._numbers = [float(number) for number in _NUMBER.findall(prompt)]

    def make(self, schema: Any, name: str, depth: int) -> Any:
        if not isinstance(schema, dict) or depth > _DEEPEST:
            return None
        schema = self._resolve(schema)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._pick(schema["enum"], name)
        for key in ("anyOf", "oneOf"):
            if schema.get(key):
                return self.make(self._branch(schema[key], depth), name, depth + 1)
        kind = schema.get("type") or _kind_of(schema)
        if isinstance(kind, list):
            kind = next((one for one in kind if one != "null"), "null")
        made = {
            "object": self._object,
            "array": self._array,
            "string": self._string,
            "integer": self._integer,
            "number": self._number,
            "boolean": self._boolean,
        }.get(kind)
        return made(schema, name, depth) if made else None

    def _resolve(self, schema: dict[str, Any]) -> dict[str, Any]:
        for _ in range(_DEEPEST):
            reference = schema.get("$ref")
            if not isinstance(reference, str) or not reference.startswith("#/"):
                break
            found: Any = self._root
            for step in reference[2:].split("/"):
                found = found.get(step.replace("~1", "/").replace("~0", "~"), {})
            schema = {**found, **{key: schema[key] for key in schema if key != "$ref"}}
        for part in schema.get("allOf", []):
            more = self._resolve(part)
            joined = {**schema.get("properties", {}), **more.get("properties", {})}
            needed = [*schema.get("required", []), *more.get("required", [])]
            schema = {**more, **schema}
            if joined:
                schema |= {"properties": joined, "required": needed}
        return schema

    def _branch(self, branches: list[Any], depth: int) -> Any:
        solid = [one for one in branches if self._resolve(one).get("type") != "null"]
        # Deep down a recursive schema has to end: null where it may be.
        if depth > _DEEPEST // 2 and len(solid) < len(branches):
            return {"type": "null"}
        return (solid or branches)[0]

    def _pick(self, members: list[Any], name: str) -> Any:
        told = self._after_name(name) or ""
        for text in (told.lower(), self._prompt.lower()):
            found = [
                (place, n)
                for n, member in enumerate(members)
                if (place := _find_word(str(member).lower(), text)) >= 0
            ]
            if found:
                return members[min(found)[1]]
        return members[zlib.crc32(self._prompt.encode("utf-8", "replace")) % len(members)]

    def _object(self, schema: dict[str, Any], _name: str, depth: int) -> dict[str, Any]:
        required = schema.get("required", [])
        properties = schema.get("properties", {})
        deep = depth > _DEEPEST // 2
        wanted = [key for key in properties if key in required or not deep]
        made = {key: self.make(properties[key], key, depth + 1) for key in wanted}
        more = schema.get("additionalProperties")
        for key in required:
            if key not in made:
                made[key] = self.make(more if isinstance(more, dict) else {}, key, depth + 1)
        return made

    def _array(self, schema: dict[str, Any], name: str, depth: int) -> list[Any]:
        firsts = schema.get("prefixItems", [])
        made = [self.make(item, name, depth + 1) for item in firsts]
        least = schema.get("minItems", 0)
        most = schema.get("maxItems", max(least, 3))
        items = schema.get("items", {"type": "string"})
        if items is False:
            return made
        words = self._words()
        plain = isinstance(items, dict) and self._resolve(items).get("type") == "string"
        usual = min(len(words), 3) if plain else 1
        while len(made) < min(max(least, usual), most):
            item = self.make(items, name if not plain else "", depth + 1)
            if plain and words and _bare(self._resolve(items)):
                item = words[len(made) % len(words)]
                if schema.get("uniqueItems") and item in made:
                    item = f"{item}{len(made)}"
            made.append(item)
        return made

    def _string(self, schema: dict[str, Any], name: str, _depth: int) -> str:
        if schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]]
        text = self._after_name(name)
        if text is None:
            words = self._words()
            # Another word for each property, so that a table of answers is not all the same.
            start = zlib.crc32(name.encode()) % len(words) if words and name else 0
            text = " ".join((words[start:] + words[:start])[:3])
        text = text.ljust(schema.get("minLength", 0), "x")
        text = text[: schema["maxLength"]] if "maxLength" in schema else text
        pattern = schema.get("pattern")
        if pattern and not re.search(pattern, text):
            return _matching(pattern, self._prompt) or text
        return text

    def _integer(self, schema: dict[str, Any], name: str, _depth: int) -> int:
        value = self._value(schema, name, whole=True)
        step = schema.get("multipleOf")
        return int(value // step * step) if step else int(value)

    def _number(self, schema: dict[str, Any], name: str, _depth: int) -> float:
        return self._value(schema, name, whole=False)

    def _value(self, schema: dict[str, Any], name: str, *, whole: bool) -> float:
        gap = 1 if whole else 1e-6
        low = schema.get("minimum", schema.get("exclusiveMinimum", float("-inf")))
        high = schema.get("maximum", schema.get("exclusiveMaximum", float("inf")))
        low = low + gap if "exclusiveMinimum" in schema else low
        high = high - gap if "exclusiveMaximum" in schema else high
        told = _NUMBER.findall(self._after_name(name) or "")
        for number in [*(float(one) for one in told[:1]), *self._numbers]:
            if low <= number <= high and (not whole or number.is_integer()):
                if number in self._numbers:
                    self._numbers.remove(number)
                return number
        return float(min(max(1.0, low), high))

    def _boolean(self, _schema: dict[str, Any], name: str, _depth: int) -> bool:
        told = (self._after_name(name) or self._prompt).lower()
        if re.search(r"\b(?:no|not|false|never)\b", told):
            return False
        if re.search(r"\b(?:yes|true|is|are)\b", told):
            return True
        return zlib.crc32(told.encode("utf-8", "replace")) % 2 == 0

    def _after_name(self, name: str) -> str | None:
        if not name:
            return None
        spoken = r"[\s_-]*".join(re.escape(part) for part in re.split(r"[_\s-]+", name))
        found = re.search(
            rf"\b{spoken}\b\s*(?:[:=]|is\b|was\b)\s*([^\n;,]+)", self._prompt, re.IGNORECASE
        )
        return found[1].strip().rstrip(".") if found else None

    def _words(self) -> list[str]:
        return re.findall(r"[^\W\d_]{2,}", self._prompt)


def _kind_of(schema: dict[str, Any]) -> str:
    for key, kind in (
        ("properties", "object"),
        ("required", "object"),
        ("items", "array"),
        ("pattern", "string"),
        ("minimum", "number"),
    ):
        if key in schema:
            return kind
    return "string"


def _bare(schema: dict[str, Any]) -> bool:
    return not {"enum", "const", "format", "pattern", "minLength", "maxLength"} & set(schema)


def _find_word(word: str, text: str) -> int:
    found = re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text)
    return found.start() if found else -1


def _matching(pattern: str, prompt: str) -> str | None:
    """Return a word of the prompt, or a plain code, that matches the pattern."""
    plain = ["0", "1", "12", "123", "1234", "12345", "A", "AB", "ABC", "a", "ab", "abc", "A1"]
    dates = ["2026", "2026-01", "2026-01-31", "12:00", "AB-12", "AB-123", "AB-1234", "1.0", "1.0.0"]
    for word in [*prompt.split(), *plain, *dates]:
        if re.search(pattern, word):
            return word
    return None
