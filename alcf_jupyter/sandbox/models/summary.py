"""A summary by extraction: the most central sentences of a text, in the order they stand in it."""

from __future__ import annotations

import re
from collections import Counter

from .said import Prompt, Said

_NUMBERS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10,
}  # fmt: skip
_HOW_MANY = re.compile(
    r"\b(\d+|one|two|three|four|five|six|seven|eight|nine|ten)[\s-]+(?:\w+[\s-]+)?"
    r"(?:sentences?|bullet points?|key points?|points)\b",
    re.IGNORECASE,
)
_ONE = re.compile(r"\ba\s+(?:\w+\s+)?sentence\b", re.IGNORECASE)
_TASK = re.compile(
    r"summar|sentence|tl;?dr|key points|main (?:idea|point|finding)|abstract of|shorten|in short"
    r"|what (?:is|does) (?:the|this) (?:text|paper|abstract|passage)",
    re.IGNORECASE,
)
_LONGEST_TASK = 300
_USUAL_SENTENCES = 3
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]*[A-Z0-9])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:Dr|Mr|Ms|Mrs|Prof|St|Fig|Figs|Eq|Eqs|Ref|Refs|Sec|No|vs|cf|al|etc|approx|ca|e\.g|i\.e)"
    r"|\b[A-Z])\.\Z"
)
_COMMON = (
    "a about above after again all also an and any are as at be because been before being "
    "below between both but by can could did do does doing down during each few for from "
    "further had has have having he her here hers him his how however i if in into is it its "
    "itself just may me might more most much must my no nor not now of off on once only or "
    "other our out over own same shall she should so some such than that the their them then "
    "there these they this those through thus to too under until up upon us very was we were "
    "what when where which while who whom why will with within without would you your using "
    "used use based"
)
STOP_WORDS = frozenset(_COMMON.split())


def summary(prompt: Prompt) -> Said:
    """Pick the most central sentences of the text in the prompt.

    "in two sentences" and the like are honoured; otherwise there are three.
    """
    task, text = part_task_and_text(prompt.user())
    wanted = sentences_wanted(f"{prompt.system()} {task}")
    found = sentences(text)
    if not found:
        return Said("There is no text here to summarise.")
    return Said(" ".join(central(found, wanted or _USUAL_SENTENCES)))


def part_task_and_text(prompt: str) -> tuple[str, str]:
    """Return the instruction of a prompt and the text it is about."""
    prompt = prompt.strip()
    head, mark, rest = _first_break(prompt)
    if mark and rest and len(head) <= _LONGEST_TASK and _TASK.search(head):
        return head, rest
    body, _, tail = prompt.rpartition("\n\n")
    if body and len(tail) <= _LONGEST_TASK and _TASK.search(tail):
        return tail, body
    first = sentences(prompt)[:1]
    if first and len(first[0]) < len(prompt) and _TASK.search(first[0]):
        return first[0], prompt[len(first[0]) :].strip()
    return "", prompt


def _first_break(prompt: str) -> tuple[str, str, str]:
    found = re.search(r":\s+|\n", prompt)
    if found is None:
        return prompt, "", ""
    return prompt[: found.start()], found[0], prompt[found.end() :].strip()


def sentences_wanted(task: str) -> int | None:
    """Return how many sentences the task asks for, or None."""
    found = _HOW_MANY.search(task)
    if found is None:
        return 1 if _ONE.search(task) else None
    word = found[1].lower()
    return max(1, int(word)) if word.isdigit() else _NUMBERS[word]


def sentences(text: str) -> list[str]:
    """Split a text into sentences; headings and list items count as sentences of their own."""
    found: list[str] = []
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-*#>]|\d+[.)]))", text):
        start = len(found)
        for piece in _SENTENCE_END.split(" ".join(block.split())):
            if len(found) > start and _ABBREVIATION.search(found[-1]):
                found[-1] += f" {piece}"
            elif piece:
                found.append(piece)
    return found


def central(found: list[str], wanted: int) -> list[str]:
    """Return the `wanted` most central sentences, in their order.

    A sentence scores by how often its words occur in the whole text, and a little for standing
    early; one that repeats what is chosen already counts less.
    """
    bags = [_content_words(sentence) for sentence in found]
    often = Counter(word for bag in bags for word in set(bag))
    chosen: list[int] = []
    seen: set[str] = set()
    while len(chosen) < min(wanted, len(found)):
        left = [n for n in range(len(found)) if n not in chosen]
        best = max(left, key=lambda n: (_score(bags[n], often, seen, n), -n))
        chosen.append(best)
        seen.update(bags[best])
    return [found[n] for n in sorted(chosen)]


def _score(bag: list[str], often: Counter[str], seen: set[str], place: int) -> float:
    if not bag:
        return 0.0
    worth = sum((0.3 if word in seen else 1.0) * often[word] for word in set(bag))
    # The square root neither favours long sentences nor two-word ones.
    return float(worth / max(len(bag), 6) ** 0.5 * (1.25 if place == 0 else 1.0))


def _content_words(sentence: str) -> list[str]:
    words = re.findall(r"[^\W\d_]{2,}", sentence.lower())
    return [word.removesuffix("s") for word in words if word not in STOP_WORDS]
