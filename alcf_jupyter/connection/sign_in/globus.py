"""Globus, which knows who is who for ALCF: its clients, and what they say, in our own words.

Everything here blocks and is run in a worker's thread. globus_sdk is imported by the first call.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from alcf_jupyter.connection.profiles import ALCF_PROXY, is_loopback, proxy_to
from alcf_jupyter.errors import IdentityCheckError, NotSignedInError, UnreachableError, UsageError
from alcf_jupyter.plain import brief

if TYPE_CHECKING:
    from collections.abc import Iterator

    from globus_sdk import (
        AuthLoginClient,
        ConfidentialAppAuthClient,
        NativeAppAuthClient,
        OAuthTokenResponse,
    )

    from alcf_jupyter.connection.sign_in.secret import Secret

# public values of the gateway and of ALCF's own tools (alcf-tokens 0.4.0, inference_auth_token.py)
RESOURCE_SERVER = "681c10cc-f684-4540-bcd7-0b4df3bc26ef"
SCOPE = f"https://auth.globus.org/scopes/{RESOURCE_SERVER}/action_all"
POLICY = "83732ff2-9c42-4548-b5ce-17e498c84f6a"
AUTH = "auth.globus.org"

ENV_CLIENT = "ALCF_JUPYTER_GLOBUS_CLIENT"
ENV_AUTH_URL = "GLOBUS_SDK_SERVICE_URL_AUTH"
TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Application:
    """A program registered with Globus, under whose name tokens are kept.

    Attributes
    ----------
    name, client_id
        As registered.
    source
        Its store, in words for people.
    """

    name: str
    client_id: str
    source: str

    @property
    def path(self) -> Path:
        """Where globus-sdk keeps its tokens."""
        if os.name == "nt":
            data = os.environ.get("LOCALAPPDATA") or os.environ.get("APPDATA") or "~/AppData/Local"
            root = Path(data).expanduser() / "globus"
        else:
            root = Path("~/.globus").expanduser()
        return root / "app" / self.client_id / self.name / "tokens.json"


def current() -> Application:
    """Return the application that signs in here: that of alcf-tokens, unless set otherwise."""
    own = os.environ.get(ENV_CLIENT, "").strip()
    if own and not re.fullmatch(r"[0-9a-fA-F-]{36}", own):
        raise UsageError(
            f"{ENV_CLIENT} is no client id: {brief(own, 60)!r}.", do=f"%env {ENV_CLIENT}="
        )
    return Application(
        "alcf_tokens",
        own or "7f3e61f5-e0de-4e8f-9150-0a62c65dda63",
        "alcf-tokens store",
    )


OLDER = Application(
    "inference_app", "58fdd3bc-e1c3-4ce5-80ea-8d6b87cfb944", "inference_auth_token.py store"
)


def auth_url() -> str:
    """Return the address of Globus Auth.

    Raises
    ------
    UsageError
        The environment names another host, which would be sent what opens the account.
    """
    url = os.environ.get(ENV_AUTH_URL) or f"https://{AUTH}/"
    parts = urlsplit(url)
    if (parts.scheme, parts.hostname) != ("https", AUTH) and not is_loopback(parts.hostname or ""):
        raise UsageError(
            f"{ENV_AUTH_URL} names {brief(parts.hostname or url, 80)}, which is not Globus.",
            why="Nothing was sent there.",
            do=f"Unset it:  %env {ENV_AUTH_URL}=",
        )
    return url if url.endswith("/") else f"{url}/"


def native_client(client_id: str, proxy: str | None = None) -> NativeAppAuthClient:
    """Return a client for people; close it."""
    import globus_sdk

    client = globus_sdk.NativeAppAuthClient(client_id, environment="production", **_manners())
    _tune(client, proxy)
    return client


def service_client(
    client_id: str, secret: Secret, proxy: str | None = None
) -> ConfidentialAppAuthClient:
    """Return a client for a service account; close it."""
    import globus_sdk

    client = globus_sdk.ConfidentialAppAuthClient(
        client_id, secret.reveal(), environment="production", **_manners()
    )
    _tune(client, proxy)
    return client


def _manners() -> dict[str, Any]:
    """One retry, soon: by default a refused connection takes 13 s to be reported."""
    from globus_sdk.transport import RetryConfig

    return {
        "base_url": auth_url(),
        "retry_config": RetryConfig(max_retries=1, max_sleep=1, backoff=lambda _: 0.3),
    }


def _tune(client: AuthLoginClient, proxy: str | None) -> None:
    client.transport.http_timeout = TIMEOUT_SECONDS
    client.transport.session.trust_env = False  # one rule for proxies, that of all requests
    lead(client, proxy)


def lead(client: AuthLoginClient, proxy: str | None) -> None:
    """Let a client's requests take the proxy of this moment.

    Parameters
    ----------
    client
        What `native_client` or `service_client` returned.
    proxy
        What ``connect(proxy=…)`` was told.
    """
    way = proxy_to(auth_url(), proxy)
    client.transport.session.proxies = {"https": way} if way else {}


def entry_of(response: OAuthTokenResponse, identity: str) -> dict[str, dict[str, Any]]:
    """Return a token response as entries of a store, by service."""
    return {
        name: {
            "resource_server": name,
            "identity_id": identity or None,
            "scope": told["scope"],
            "access_token": told["access_token"],
            "refresh_token": told.get("refresh_token"),
            "expires_at_seconds": told["expires_at_seconds"],
            "token_type": told.get("token_type"),
        }
        for name, told in response.by_resource_server.items()
    }


def revoke(client: NativeAppAuthClient, tokens: list[Secret]) -> bool:
    """Tell Globus that tokens count no more; return whether it heard."""
    import globus_sdk

    try:
        for token in tokens:
            client.oauth2_revoke_token(token.reveal())
    except globus_sdk.GlobusError:
        return False
    return True


@contextlib.contextmanager
def explained(refused: NotSignedInError | None = None) -> Iterator[None]:
    """Turn the SDK's errors into ours.

    Parameters
    ----------
    refused
        To be raised where Globus refuses what it was given: a code, a refresh token, a secret.

    Raises
    ------
    UnreachableError
        No answer.
    IdentityCheckError
        An answer that is no answer.
    """
    import globus_sdk

    try:
        yield
    except globus_sdk.NetworkError as error:
        host = urlsplit(auth_url()).netloc
        raise UnreachableError(
            f"Globus ({host}), which signs you in, cannot be reached: {_reason(error)}",
            why="On an ALCF compute node it takes the proxy.",
            do=f"Type:  %env https_proxy={ALCF_PROXY}  and run the cell again.",
        ) from None
    except globus_sdk.AuthAPIError as error:
        if refused is not None and error.http_status in (400, 401, 403):
            said = brief(" ".join(error.messages) or error.code or "", 120)
            refused.why = " ".join(part for part in (refused.why, said and f"({said})") if part)
            raise refused from None
        raise IdentityCheckError(
            f"Globus answered with an error (HTTP {error.http_status}).",
            why=brief(" ".join(error.messages) or error.code or "", 200),
            do="Wait a minute and try again.",
        ) from None
    except (globus_sdk.GlobusError, KeyError, ValueError) as error:
        raise IdentityCheckError(
            f"What answers for Globus does not speak its language ({type(error).__name__}).",
            why="A proxy or a portal page may stand in between.",
            do="Look at the proxy:  %alcf status",
        ) from None


def _reason(error: Exception) -> str:
    text = brief(getattr(error, "underlying_exception", error), 2000)
    for words in ("refused", "timed out", "resolve", "unreachable", "certificate", "proxy"):
        if words in text.casefold():
            return {
                "refused": "the connection was refused.",
                "timed out": f"no answer within {TIMEOUT_SECONDS:.0f} s.",
                "resolve": "its name is not known here.",
                "unreachable": "there is no way to its network.",
                "certificate": "its certificate is not trusted here.",
                "proxy": "the proxy does not let it through.",
            }[words]
    return "the connection broke."
