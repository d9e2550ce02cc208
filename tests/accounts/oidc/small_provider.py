"""A small OpenID Connect provider in this process, which can be told to do each thing wrong."""

import base64
import hashlib
import json
import secrets
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

from joserfc import jws
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from tests.waits import TIMEOUT

CLIENT, SECRET = "lab-portal", "s%cr+t &ü"

KINDS: dict[str, Any] = {"RS": (RSAKey, 2048), "PS": (RSAKey, 2048), "Ed": (OKPKey, "Ed25519")}
CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}


@cache
def key_for(algorithm: str, kid: str = "one") -> Key:
    """Made once for all tests: an RSA key takes a while."""
    kind, size = (ECKey, CURVES[algorithm]) if algorithm in CURVES else KINDS[algorithm[:2]]
    made: Key = kind.generate_key(size, {"kid": kid})
    return made


@dataclass
class SmallProvider:
    """`claims` are those of whoever signs in next; `said` is what userinfo says beyond them, or instead."""

    issuer: str
    algorithm: str = "RS256"
    kid: str = "one"
    claims: dict[str, Any] = field(default_factory=lambda: {"sub": "248289", "preferred_username": "ana"})
    said: dict[str, Any] = field(default_factory=dict)
    overwritten: dict[str, Any] = field(default_factory=dict)  # claims of the ID token
    without: set[str] = field(default_factory=set)
    discovery: dict[str, Any] = field(default_factory=dict)  # overwrites
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)  # by path: instead of the right one
    ahead: float = 0.0  # seconds of its clock
    published: list[Any] | None = None  # keys
    signing_key: Any = None
    header: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)  # codes and tokens that it gave away
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)

    def authorize(self, address: str, **changes: str) -> str:
        """The person signs in there: the address to which the browser is sent back."""
        parts = urlsplit(address)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{self.issuer}/auth"
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        code = secrets.token_urlsafe(24)
        self.codes[code] = asked
        self.sent.append(code)
        back = {"code": code, "state": asked["state"], "iss": self.issuer} | changes
        return asked["redirect_uri"] + "?" + urlencode({name: value for name, value in back.items() if value})

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/auth",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "userinfo_endpoint": f"{self.issuer}/me",
            "end_session_endpoint": f"{self.issuer}/session/end",
            "authorization_response_iss_parameter_supported": True,
        } | self.discovery

    def keys(self) -> list[Any]:
        return self.published if self.published is not None else [self.key.as_dict(private=False)]

    @property
    def key(self) -> Key:
        return self.signing_key or key_for(self.algorithm, self.kid)

    def id_token(self, asked: dict[str, str]) -> str:
        now = int(time.time() + self.ahead)
        claims = {
            "iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked.get("nonce"),
            **self.claims, **self.overwritten,
        }  # fmt: skip
        body = json.dumps({name: value for name, value in claims.items() if name not in self.without})
        return sign({"alg": self.algorithm, "kid": self.kid} | self.header, body, self.key)

    def redeem(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        asked = self.codes.pop(form.get("code", ""), None)
        named = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        if tuple(map(unquote_plus, named.split(":"))) != (CLIENT, SECRET):
            return 401, {"error": "invalid_client"}
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked is None or asked["code_challenge"] != challenge or asked["redirect_uri"] != form["redirect_uri"]:
            return 400, {"error": "invalid_grant", "error_description": form.get("code", "")}
        access, token = secrets.token_urlsafe(24), self.id_token(asked)
        self.tokens.add(access)
        self.sent += [access, token]
        return 200, {"access_token": access, "token_type": "Bearer", "id_token": token}

    def respond(self, path: str, form: dict[str, str], authorization: str) -> tuple[int, bytes]:
        self.asked.append(path)
        if path in self.answers:
            return self.answers[path]
        if path == "/.well-known/openid-configuration":
            return 200, json.dumps(self.metadata()).encode()
        if path == "/jwks":
            return 200, json.dumps({"keys": self.keys()}).encode()
        if path == "/token":
            status, told = self.redeem(form, authorization)
            return status, json.dumps(told).encode()
        if path == "/me" and authorization.removeprefix("Bearer ") in self.tokens:
            return 200, json.dumps(self.claims | self.said).encode()
        return 404, b"{}"


def sign(header: dict[str, Any], body: str, key: Key) -> str:
    """Whatever the header says: also what no provider should sign, or should sign with."""
    signed = f"{_encoded(json.dumps(header).encode())}.{_encoded(body.encode())}"
    if header["alg"] == "none":
        return f"{signed}."
    return f"{signed}.{_encoded(jws.JWSRegistry.algorithms[header['alg']].sign(signed.encode(), key))}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def symmetric(text: str, kid: str = "one") -> Key:
    return OctKey.import_key(text, {"kid": kid})


@contextmanager
def running(tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[SmallProvider]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.answer({name: values[0] for name, values in parse_qs(body).items()})

        def answer(self, form: dict[str, str]) -> None:
            status, body = provider.respond(self.path, form, self.headers.get("Authorization", ""))
            self.send_response_only(status)
            self.send_header("Date", self.date_time_string(time.time() + provider.ahead))
            self.send_header("Content-Length", str(len(body)))
            if 300 <= status < 400:
                self.send_header("Location", body.decode())
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    scheme = "https" if tls else "http"
    provider = SmallProvider(f"{scheme}://{host}:{server.server_port}")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join(TIMEOUT)
        server.server_close()
