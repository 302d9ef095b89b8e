"""What a store of tokens holds for one service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alcf_jupyter.connection.sign_in.secret import Secret, is_token

if TYPE_CHECKING:
    from collections.abc import Mapping

SIGNED_IN_AT = "alcf_jupyter.signed_in_at"
"""Our own key in an entry: when the sign-in was, in epoch seconds. Other tools keep or drop it."""


class Grant:
    """What the store holds for one service.

    Parameters
    ----------
    entry
        The entry as it stands in the file.
    """

    __slots__ = ("access", "expires_at", "identity", "refresh", "scopes", "signed_in_at")

    def __init__(self, entry: Mapping[str, Any]) -> None:
        refresh, expires = entry.get("refresh_token"), entry.get("expires_at_seconds")
        since = entry.get(SIGNED_IN_AT)
        self.access = Secret(entry["access_token"], "the token store")
        self.refresh = Secret(str(refresh), "the token store") if is_token(refresh) else None
        self.expires_at = float(expires) if isinstance(expires, int | float) else 0.0
        self.scopes = str(entry.get("scope") or "").split()
        self.identity = str(entry.get("identity_id") or "")
        self.signed_in_at = float(since) if isinstance(since, int | float) else None
