"""Models that follow a script: hostile text, and the commands of the recorded exchanges."""

from __future__ import annotations

from typing import Any

from .said import Prompt, Refused, Said

HOSTILE = """\
<script>document.title = 'pwned'</script>
<img src="x" onerror="alert(1)"><img src="http://127.0.0.1:9/beacon.png">
![beacon](http://127.0.0.1:9/beacon.gif) ![data](data:image/svg+xml;base64,PHN2Zy8+)
[a link](javascript:alert(document.cookie)) <a href="vbscript:msgbox(1)">another</a>
[data link](data:text/html;base64,PHNjcmlwdD4=) <https://example.org/ok>
<iframe src="http://127.0.0.1:9/"></iframe><svg onload="alert(2)"></svg>
<style>body { display: none }</style><div id="main" class="jp-Cell" onclick="x()">text</div>
<form action="http://127.0.0.1:9/"><input name="token" type="password"></form>
$\\href{javascript:alert(3)}{math}$ <math><mtext></mtext></math>
"""
CONTROL = (
    "colours \x1b[31mred\x1b[0m, a title \x1b]0;pwned\x07, a bell \x07, a backspace \b, "
    "a nul \x00, "
    "bidi \u202eevil.exe\u202c and \u2066isolated\u2069, zero width a\u200bb, tag \U000e0041, "
    "a line\u2028separator, a lone return\rover it\n"
)

# What the recorded stand-in behind the gateway said, so that streams have the recorded lengths.
_SENTENCE = (
    "The mitochondria is the powerhouse of the cell and Aurora is an exascale machine at "
    "Argonne National Laboratory with many nodes tiles and fabrics"
)
_WORDS = _SENTENCE.split()
_RECORDED_TOKENS = 24
_TOO_LONG = "This model's maximum context length is 8192 tokens."


def hostile(_prompt: Prompt) -> Said:
    """Answer with everything that a careless display would run, fetch or obey."""
    return Said(f"{HOSTILE}\n{CONTROL}")


def commands(prompt: Prompt) -> Said:
    """Answer as the recorded exchanges do, obeying the command a prompt begins with."""
    asked = prompt.user()
    command = asked.split(" ")[0] if asked.startswith("!") else ""
    said = Said(f"Echo: {asked}\n\n{' '.join(_WORDS[:_RECORDED_TOKENS])}")
    if command in ("!400", "!400n"):
        raise Refused(400, too_long(nested=command == "!400n"))
    if command in ("!429", "!500", "!503"):
        status = int(command[1:])
        message = f"upstream says {status}"
        raise Refused(status, {"error": {"message": message, "type": "x", "code": status}})
    if command == "!think":
        said.reasoning = "let me think about this"
    elif command == "!gap":
        said.pace, said.stalls = 16.0, {12: 8.0}
    elif command == "!die":
        said.dies_after = 6
    return said


def too_long(*, nested: bool) -> dict[str, Any]:
    """Return the model server's refusal of a long prompt, as newer (`nested`) or older ones do."""
    error = {"message": _TOO_LONG, "type": "BadRequestError", "param": None, "code": 400}
    return {"error": error} if nested else {"object": "error", **error}
