"""Whose word counts on who a server is."""

from __future__ import annotations

import os
import ssl

import httpx

from alcf_jupyter.errors import UsageError
from alcf_jupyter.plain import brief


def trusted() -> ssl.SSLContext:
    """Trust what httpx trusts, or what the usual variables name (a site's own certificates).

    Raises
    ------
    UsageError
        What they name cannot be read.
    """
    file = os.environ.get("SSL_CERT_FILE") or os.environ.get("REQUESTS_CA_BUNDLE")
    folder = os.environ.get("SSL_CERT_DIR")
    try:
        if file or folder:
            context = ssl.create_default_context(cafile=file, capath=folder)
        else:
            context = httpx.create_ssl_context(trust_env=False)
    except OSError as error:
        raise UsageError(
            f"The certificates of {brief(file or folder, 120)} cannot be read.",
            why=brief(error.strerror or error),
            do="Look at the variables SSL_CERT_FILE, SSL_CERT_DIR and REQUESTS_CA_BUNDLE.",
        ) from None
    context.set_alpn_protocols(["http/1.1"])
    return context
