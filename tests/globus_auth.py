"""A local authorization server that globus-sdk is pointed at: PKCE checked, id_token signed.

It speaks the few routes of Globus Auth that a sign-in uses. Every token it gives holds the word
``canary``, so that one can be looked for wherever it must not be.
"""

import base64
import contextlib
import functools
import hashlib
import html
import itertools
import json
import os
import secrets
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

GATEWAY = "681c10cc-f684-4540-bcd7-0b4df3bc26ef"
SCOPE = f"https://auth.globus.org/scopes/{GATEWAY}/action_all"
POLICY = "83732ff2-9c42-4548-b5ce-17e498c84f6a"
CURRENT = "7f3e61f5-e0de-4e8f-9150-0a62c65dda63"
OLDER = "58fdd3bc-e1c3-4ce5-80ea-8d6b87cfb944"
ALICE = "6b2b1487-4509-51c5-b4d0-33ebe3379c47"
BOB = "0c6e2a1f-8f1b-5b35-9d0f-2f6f4f9b7f22"
ACCOUNT, ACCOUNT_SECRET = "0ddba11-service-account", "canary-service-secret"


@functools.cache
def _key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _public_key():
    told = jwt.algorithms.RSAAlgorithm.to_jwk(_key().public_key())
    return json.loads(told) | {"alg": "RS512", "use": "sig"}


@dataclass
class Code:
    client: str
    redirect: str
    challenge: str
    scopes: list[str]
    identity: str
    expires: float


@dataclass
class AuthServer:
    """The server and what it remembers; set its fields to make it behave otherwise.

    `identity` signs in. `clock` seconds are added to its clock. `lifetime` is that of an access
    token. `failing` is a status for every token request. `delay` holds token requests up.
    """

    port: int
    identity: str = ALICE
    clock: float = 0.0
    lifetime: int = 172_800
    failing: int | None = None
    delay: float = 0.0
    codes: dict[str, Code] = field(default_factory=dict)
    authorized: list[dict[str, str]] = field(default_factory=list)
    access: dict[str, str] = field(default_factory=dict)
    refresh: dict[str, tuple[str, str]] = field(default_factory=dict)
    revoked: set[str] = field(default_factory=set)
    grants: list[str] = field(default_factory=list)
    issued: list[str] = field(default_factory=list)
    tell: object = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    _count: itertools.count = field(default_factory=lambda: itertools.count(1))

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/"

    @property
    def secrets(self):
        """Everything that must appear nowhere."""
        return [*self.issued, ACCOUNT_SECRET]

    def sign_in(self, url):
        """Open a link as a person's browser does, and return the code that the page shows."""
        with urllib.request.urlopen(url, timeout=60) as answer:
            page = answer.read().decode()
        return page.partition("<code>")[2].partition("</code>")[0]

    def now(self):
        return time.time() + self.clock

    def fresh(self, kind, identity):
        """Return a new token and remember whose it is."""
        token = f"canary-{kind}-{next(self._count)}-{secrets.token_urlsafe(24)}"
        self.issued.append(token)
        if kind == "access":
            self.access[token] = identity
            if self.tell:
                self.tell(token, identity)
        return token

    def grant(self, client, scopes, identity, refresh=None):
        """Return the body of a token response."""
        told = []
        for scope in scopes:
            server = "auth.globus.org" if scope == "openid" else scope.split("/")[-2]
            again = refresh or self.fresh("refresh", identity)
            self.refresh[again] = (identity, scope)
            told.append(
                {
                    "access_token": self.fresh("access", identity),
                    "refresh_token": again,
                    "expires_in": self.lifetime,
                    "resource_server": server,
                    "scope": scope,
                    "token_type": "Bearer",
                    "state": "_default",
                }
            )
        first, *others = told
        body = {**first, "other_tokens": others}
        if "openid" in scopes:
            now = int(self.now())
            claims = {"iss": self.url, "aud": client, "sub": identity, "iat": now}
            claims["exp"] = now + self.lifetime
            body["id_token"] = jwt.encode(claims, _key(), algorithm="RS512")
        return body

    def store(self, path, *, expires_in=100_000, identity=None, refresh=True, scope=SCOPE):
        """Write a store of tokens as the SDK does, with a live token; return the token."""
        identity = identity or self.identity
        token = self.fresh("access", identity)
        again = self.fresh("refresh", identity) if refresh else None
        if again:
            self.refresh[again] = (identity, scope)
        entry = {
            "resource_server": GATEWAY,
            "identity_id": identity,
            "scope": scope,
            "access_token": token,
            "refresh_token": again,
            "expires_at_seconds": int(time.time() + expires_in),
            "token_type": "Bearer",
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            json.dumps(
                {
                    "data": {"DEFAULT": {GATEWAY: entry}},
                    "format_version": "2.0",
                    "globus-sdk.version": "4.9.1",
                }
            )
        )
        path.chmod(0o600)
        return token

    # what is asked

    def authorize(self, query):
        asked = {name: values[0] for name, values in query.items()}
        self.authorized.append(asked)
        wrong = [
            asked.get("response_type") != "code",
            asked.get("client_id") not in (CURRENT, OLDER),
            asked.get("code_challenge_method") != "S256",
            asked.get("redirect_uri") != f"{self.url}v2/web/auth-code",
            not asked.get("code_challenge"),
        ]
        if any(wrong):
            return 400, "text/plain", b"no"
        code = secrets.token_urlsafe(22)
        self.codes[code] = Code(
            asked["client_id"],
            asked["redirect_uri"],
            asked["code_challenge"],
            asked["scope"].split(),
            self.identity,
            time.time() + 600,
        )
        page = f"<!doctype html><title>Globus</title><code>{html.escape(code)}</code>"
        return 200, "text/html", page.encode()

    def token(self, form, authorization):
        if self.delay:
            time.sleep(self.delay)
        if self.failing:
            return self.failing, {"errors": [{"detail": "broken", "code": "BROKEN"}]}
        kind = form.get("grant_type", "")
        with self.lock:
            self.grants.append(kind)
            if kind == "authorization_code":
                return self._by_code(form)
            if kind == "refresh_token":
                return self._by_refresh(form)
        right = base64.b64encode(f"{ACCOUNT}:{ACCOUNT_SECRET}".encode()).decode()
        if kind == "client_credentials" and authorization == f"Basic {right}":
            body = self.grant(ACCOUNT, form["scope"].split(), ACCOUNT)
            return 200, {k: v for k, v in body.items() if k != "refresh_token"}
        return 401, {"error": "invalid_client"}

    def _by_code(self, form):
        code = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if (
            code is None
            or code.expires < time.time()
            or (code.client, code.redirect) != (form.get("client_id"), form.get("redirect_uri"))
            or code.challenge != challenge
        ):
            return 400, {"error": "invalid_grant"}
        return 200, self.grant(code.client, code.scopes, code.identity)

    def _by_refresh(self, form):
        token = form.get("refresh_token", "")
        if token not in self.refresh or token in self.revoked:
            return 400, {"error": "invalid_grant"}
        identity, scope = self.refresh[token]
        body = self.grant(form.get("client_id"), [scope], identity, refresh=token)
        return 200, body


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def date_time_string(self, timestamp=None):
        return formatdate(timestamp or self.server.auth.now(), usegmt=True)

    def do_GET(self):
        parts = urlsplit(self.path)
        if parts.path == "/.well-known/openid-configuration":
            told = {
                "issuer": self.server.auth.url,
                "jwks_uri": f"{self.server.auth.url}jwk.json",
                "id_token_signing_alg_values_supported": ["RS512"],
            }
            self.say(200, told)
        elif parts.path == "/jwk.json":
            self.say(200, {"keys": [_public_key()]})
        elif parts.path == "/v2/oauth2/authorize":
            self.send(*self.server.auth.authorize(parse_qs(parts.query)))
        else:
            self.say(404, {"error": "not here"})

    def do_POST(self):
        text = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        form = {name: values[0] for name, values in parse_qs(text).items()}
        if self.path == "/v2/oauth2/token":
            self.say(*self.server.auth.token(form, self.headers.get("Authorization")))
        elif self.path == "/v2/oauth2/token/revoke":
            self.server.auth.revoked.add(form["token"])
            self.say(self.server.auth.failing or 200, {"active": False})
        else:
            self.say(404, {"error": "not here"})

    def say(self, status, body):
        self.send(status, "application/json", json.dumps(body).encode())

    def send(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True


@contextlib.contextmanager
def running():
    """Run a server in threads of this process; other processes can reach it, too."""
    _key()  # here: two threads that ask for the first at once would make two
    server = Server(("127.0.0.1", 0), Handler)
    server.auth = AuthServer(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.auth
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def store_path(client=CURRENT, app="alcf_tokens"):
    """Return where the SDK keeps the tokens of an application, in the home of this test."""
    return Path(os.environ["HOME"]) / ".globus" / "app" / client / app / "tokens.json"
