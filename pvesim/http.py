"""HTTP/1.1 messages, as the API daemon of Proxmox VE reads and writes them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import parse_qsl, unquote, urlsplit

SERVER = "pve-api-daemon/3.0"
JSON_TYPE = "application/json;charset=UTF-8"
VERBS = ("GET", "POST", "PUT", "DELETE")
GZIP_FROM = 1024
LARGEST_BODY = 512 * 1024
LARGEST_HEAD = 64 * 1024


class UnreadableError(Exception):
    """The daemon gives up on this connection without an answer."""


@dataclass(frozen=True)
class Message:
    """One request as it came."""

    verb: str
    target: str
    version: str
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> str:
        return urlsplit(self.target).query

    @property
    def accepts_gzip(self) -> bool:
        return "gzip" in self.headers.get("accept-encoding", "")

    @property
    def wants_close(self) -> bool:
        return "close" in self.headers.get("connection", "").lower()

    @property
    def is_json(self) -> bool:
        return self.headers.get("content-type", "").split(";")[0].strip().lower() == "application/json"

    def parameters(self) -> dict[str, str]:
        """Query and body together; a value is text, as in a form."""
        given = dict(parse_qsl(self.query, keep_blank_values=True))
        if self.is_json and self.body:
            return given | _from_json(self.body)
        return given | dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))


@dataclass(eq=False)
class Document:
    """A body which is sent again and again, and compressed once."""

    body: bytes
    packed: bytes = b""

    def gzipped(self) -> bytes:
        self.packed = self.packed or _gzipped(self.body)
        return self.packed


@dataclass(frozen=True)
class Response:
    status: int
    reason: str
    body: bytes = b""
    content_type: str | None = None
    connections: tuple[str, ...] = ("Keep-Alive",)
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0.0
    document: Document | None = field(default=None, repr=False)
    # The port of the node to which a websocket leads from here.
    tunnel: int | None = None

    @property
    def is_error(self) -> bool:
        return self.status >= 400

    def compressed(self) -> Response:
        if len(self.body) <= GZIP_FROM or not self.content_type or self.headers:
            return self
        is_document = self.document is not None and self.document.body is self.body
        body = self.document.gzipped() if self.document and is_document else _gzipped(self.body)
        return replace(self, body=body, headers=(*self.headers, ("Content-Encoding", "gzip")))

    def closing(self) -> Response:
        return replace(self, connections=("close",))

    def head(self) -> bytes:
        """The reason phrase goes out as the UTF-8 which it is; most clients take it for Latin-1."""
        date = format_datetime(datetime.now(UTC), usegmt=True)
        pairs = [
            ("Cache-Control", "max-age=0"),
            *(("Connection", value) for value in self.connections),
            ("Date", date),
            ("Pragma", "no-cache"),
            ("Server", SERVER),
            ("Content-Length", str(len(self.body))),
            *([("Content-Type", self.content_type)] if self.content_type else []),
            ("Expires", date),
            *self.headers,
        ]
        return write_head(self.status, self.reason, pairs)


def write_head(status: int, reason: str, headers: list[tuple[str, str]]) -> bytes:
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode()


def read_head(head: bytes) -> Message:
    first, *lines = head.decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or len(lines) > 66:
        raise UnreadableError
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return Message(parts[0], parts[1], parts[2], headers)


def json_response(status: int, reason: str, content: object) -> Response:
    return Response(status, reason, json_bytes(content), JSON_TYPE)


def document_response(document: Document) -> Response:
    return Response(200, "OK", document.body, JSON_TYPE, document=document)


def json_bytes(content: object) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def _gzipped(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=1, mtime=0)


def text_response(status: int, reason: str) -> Response:
    """Errors of the HTTP layer itself repeat their reason, without a content type."""
    return Response(status, reason, reason.encode()).closing()


def refusal(message: Message) -> Response | None:
    """What the HTTP layer refuses before anybody looks at the path."""
    if not message.version.startswith("HTTP/1."):
        return text_response(506, f"http protocol version {message.version} not supported")
    if message.verb not in VERBS:
        return Response(501, f"method '{message.verb}' not available").closing()
    if "transfer-encoding" in message.headers:
        return text_response(501, "chunked transfer encoding not supported")
    if message.verb in ("GET", "DELETE") and message.headers.get("content-length", "0") != "0":
        return text_response(501, f"Unexpected content for method '{message.verb}'")
    return None


def _from_json(body: bytes) -> dict[str, str]:
    try:
        content = json.loads(body)
    except ValueError as problem:
        raise MalformedJsonError(str(problem)) from None
    if not isinstance(content, dict):
        raise MalformedJsonError("not an object")
    return {name: _as_text(value) for name, value in content.items() if value is not None}


class MalformedJsonError(Exception):
    @property
    def response(self) -> Response:
        expected = "neither tag, array, object, number, string or atom"
        return text_response(500, f"malformed JSON string, {expected}: {self}")


def _as_text(value: object) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value)
