"""How each cluster words an error of the model server behind it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .answers import GatewayError

if TYPE_CHECKING:
    from .clock import Clock
    from .models import Refused
    from .stopwatch import Stopwatch

_SHOWN_BYTES = 256
_FILE = '"vllm_inference_function.py"'


def traceback_of(clock: Clock, refused: Refused, watch: Stopwatch) -> str:
    """Return the Python traceback in which Sophia hides the model server's answer."""
    date = clock.text("%a, %d %b %Y %H:%M:%S GMT")
    headers = {
        "date": date,
        "server": "uvicorn",
        "content-type": "application/json",
        "transfer-encoding": "chunked",
    }
    told = (
        f"API request failed with status code: {refused.status}\n"
        f" Response text: {json.dumps(refused.body, ensure_ascii=False)}\n"
        f" Response headers: {headers}\n"
    )
    return (
        "\n Traceback (most recent call last):\n"
        f"   File {_FILE}, line 462, in vllm_inference_function\n     ...\n"
        f"   File {_FILE}, line 195, in handle_non_streaming_request\n     ...\n"
        f" Exception: {told}"
        "\n During handling of the above exception, another exception occurred:\n\n"
        " Traceback (most recent call last):\n"
        '   File "serialize.py", line 65, in execute\n     ...\n'
        f"   File {_FILE}, line 481, in vllm_inference_function\n     ...\n"
        f" Exception: Unexpected error of type Exception: {told}"
        f" Response time: {watch.seconds()}\n"
    )


def direct_error(refused: Refused) -> GatewayError:
    """Return the error in which Metis and Minerva keep the upstream's status."""
    shown = json.dumps(refused.body, ensure_ascii=False).encode("utf-8", "replace")[:_SHOWN_BYTES]
    return GatewayError(
        "internal_endpoint_error",
        f"Upstream endpoint returned {refused.status}: {shown!r}.",
        status=refused.status,
    )
