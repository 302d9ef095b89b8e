"""Models that answer with plain text, Markdown or code."""

from __future__ import annotations

import re

from .said import Prompt, Said

_AMOUNT = re.compile(r"(\d[\d,]*)\s*(?:tokens|words)", re.IGNORECASE)
_SPEED = re.compile(r"(\d+)\s*(?:tokens?|words?)\s*(?:/|per|a)\s*s", re.IGNORECASE)
_MOST_TOKENS = 100_000


def echo(prompt: Prompt) -> Said:
    """Say back what was said."""
    return Said(prompt.user())


def markdown(prompt: Prompt) -> Said:
    """Answer in Markdown with a heading, a list, a table and a code block."""
    topic = _topic(prompt.user())
    words = re.findall(r"\w+", prompt.user())
    rows = "\n".join(f"| {word} | {len(word)} |" for word in words[:4]) or "| (none) | 0 |"
    return Said(
        f"# {topic}\n\n"
        "This is what *Markdown* looks like here: **bold**, `code`, and "
        "a [link](https://docs.alcf.anl.gov/).\n\n"
        "## What was asked\n\n"
        f"1. The prompt has {len(words)} words.\n"
        f"2. Its first word is “{words[0] if words else ''}”.\n\n"
        "- A list item\n- and another, with $E = mc^2$ in it\n\n"
        "| word | letters |\n|---|---:|\n"
        f"{rows}\n\n"
        "```python\nprint('hello from the sandbox')\n```\n\n"
        "> The sandbox made this text; no model was asked.\n"
    )


def code(prompt: Prompt) -> Said:
    """Answer with a Python function named after the prompt."""
    words = re.findall(r"[a-z]+", prompt.user().lower())
    skip = {"a", "an", "the", "that", "write", "python", "function", "to", "for", "me", "please"}
    name = "_".join([word for word in words if word not in skip][:3]) or "answer"
    return Said(
        "```python\n"
        f"def {name}(values):\n"
        f'    """{_topic(prompt.user())}"""\n'
        "    total = 0\n"
        "    for value in values:\n"
        "        total += value\n"
        "    return total\n"
        "```\n"
    )


def reasoning(prompt: Prompt) -> Said:
    """Think aloud first, then answer."""
    asked = prompt.user()
    effort = prompt.parameters.get("reasoning_effort", "medium")
    steps = {"low": 1, "medium": 2, "high": 4}.get(effort, 2)
    thoughts = [
        f"The question has {len(asked.split())} words.",
        "It asks for an answer, so an answer is due.",
        "Nothing in it needs a look elsewhere.",
        "The shortest honest answer is to say what was asked.",
    ]
    return Said(f"You asked: {asked}", reasoning=" ".join(thoughts[:steps]))


def long(prompt: Prompt) -> Said:
    """Answer at length: as many tokens as the prompt names, 2,000 unless it does."""
    asked = prompt.user()
    speed = _SPEED.search(asked)
    amount = _AMOUNT.search(_SPEED.sub("", asked))
    tokens = int(amount[1].replace(",", "")) if amount else 2_000
    sentence = "This is sentence {} of a long answer that the sandbox made to fill the page ."
    per = len(sentence.split())
    made = [sentence.format(n) for n in range(1, min(tokens, _MOST_TOKENS) // per + 2)]
    lines = [" ".join(made[start : start + 5]) for start in range(0, len(made), 5)]
    return Said("\n\n".join(lines)[:-2] + ".", pace=float(speed[1]) if speed else None)


def cut_off(prompt: Prompt) -> Said:
    """Answer in part, as a model does that has used up its tokens."""
    return Said(f"The beginning of an answer to “{_topic(prompt.user())}”, which", finish="length")


def _topic(text: str) -> str:
    first = text.strip().splitlines()[0] if text.strip() else "An empty prompt"
    return first if len(first) <= 60 else first[:57].rstrip() + "..."
