"""What signing in costs: per request, when Globus is gone, and where nobody can be asked.

No account and no network is needed: the token is in a store of a temporary home.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
from _figures import tell

LIMITS = {"request": 1.0, "refused": 2000.0, "headless": 2000.0}
ROUNDS = 2000
STORE = ".globus/app/7f3e61f5-e0de-4e8f-9150-0a62c65dda63/alcf_tokens/tokens.json"
SERVICE = "681c10cc-f684-4540-bcd7-0b4df3bc26ef"
NOWHERE = "http://127.0.0.1:9/"


def store(home: Path, seconds: int) -> None:
    """Write a store whose token holds for `seconds`."""
    entry = {
        "resource_server": SERVICE,
        "identity_id": "none",
        "scope": f"https://auth.globus.org/scopes/{SERVICE}/action_all",
        "access_token": "not-a-token",
        "refresh_token": "not-one-either",
        "expires_at_seconds": int(time.time()) + seconds,
        "token_type": "Bearer",
    }
    path = home / STORE
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"data": {"DEFAULT": {SERVICE: entry}}, "format_version": "2.0"}
    path.write_text(json.dumps(document | {"globus-sdk.version": "4.9.1"}))


async def signing(credential: object) -> float:
    """Return the median milliseconds that signing a request takes."""
    times = []
    for _ in range(ROUNDS):
        request = httpx.Request("GET", "https://inference-api.alcf.anl.gov/resource_server/whoami")
        began = time.perf_counter()
        await credential.sign(request)
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def refused() -> float:
    """Return the milliseconds until a refresh against a closed port is given up."""
    from alcf_jupyter.connection.sign_in import sources
    from alcf_jupyter.errors import UnreachableError

    began = time.perf_counter()
    try:
        sources.obtain()
    except UnreachableError:
        return (time.perf_counter() - began) * 1000
    raise SystemExit("a closed port answered")


def headless() -> float:
    """Return the milliseconds that a fresh process takes to say that nobody is signed in."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "alcf_jupyter.cli", "login"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode != 1:
        raise SystemExit("somebody is signed in")
    return (time.perf_counter() - began) * 1000


def main() -> None:
    from alcf_jupyter.connection.sign_in.credentials import Credential, SignIn

    for name in [name for name in os.environ if name.startswith(("ALCF", "GLOBUS"))]:
        del os.environ[name]
    with tempfile.TemporaryDirectory() as home:
        os.environ["HOME"] = home
        gone = statistics.median(headless() for _ in range(5))
        store(Path(home), 100_000)
        fixed = asyncio.run(signing(Credential("not-a-token", "an argument")))
        ours = asyncio.run(signing(SignIn()))
        os.environ["GLOBUS_SDK_SERVICE_URL_AUTH"] = NOWHERE
        store(Path(home), -10)
        lost = refused()
    print(f"{'':52}{'ms':>10}{'limit':>10}")
    rows = [
        ("a signed-in request, median", ours, LIMITS["request"]),
        ("  peer: with a fixed token", fixed, None),
        ("Globus refuses the connection", lost, LIMITS["refused"]),
        ("nobody signed in and nobody to ask, fresh process", gone, LIMITS["headless"]),
    ]
    for title, took, limit in rows:
        print(f"{title:52}{took:10.3f}{'' if limit is None else f'{limit:10.0f}'}")
    for title, took, limit in (rows[0], *rows[2:]):
        peer = ("with a fixed token", fixed) if title == rows[0][0] else None
        target = {"target": f"<= {limit:g} ms", "reached": took <= limit}
        tell(title, took, "ms", peer=peer, **target)
    missed = [title for title, took, limit in rows if limit is not None and took > limit]
    print(f"\nlimits: {'MISSED: ' + ', '.join(missed) if missed else 'kept'}")


if __name__ == "__main__":
    main()
