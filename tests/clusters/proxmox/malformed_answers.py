"""Answers that are meant to do harm, or come from something that is no cluster: a list of them, by name.

Each is bytes on the wire, the question that it answers, and what is to become of it: an error, or values in which
nothing of it is left.
"""

import gzip
import json
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from clusters import proxmox

from .rawserver import MARKER, RawServer, ok

Ask = Callable[[proxmox.Client], object]
Answer = bytes | Callable[[socket.socket], None]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
MIB = 2**20
GOOD = b'{"data":{"version":"9.2.11","release":"9.2"}}'


@dataclass(frozen=True)
class Malformed:
    """`path` is what plain proxmoxer asks for.

    `is_clean` is of answers that are taken, without what is bad in them, and `is_good_row` of rows as they came.
    """

    name: str
    answer: Answer
    path: str = "version"
    ask: Ask = proxmox.Client.version
    is_clean: Callable[[Any], bool] | None = None
    is_good_row: Callable[[Any], bool] | None = None
    is_slow: bool = False

    def speak(self, server: RawServer, conn: socket.socket) -> None:
        server.read_head(conn)
        if isinstance(self.answer, bytes):
            conn.sendall(self.answer)
        else:
            self.answer(conn)


def refused(status: str, body: bytes = b"", kind: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


def redirect(location: str) -> bytes:
    return f"HTTP/1.1 307 x\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


def gzipped(body: bytes) -> bytes:
    return ok(body, "Content-Encoding: gzip")


def bomb(size: int) -> bytes:
    """A good answer behind so many blanks."""
    squeeze = zlib.compressobj(9, wbits=31)
    parts = [squeeze.compress(b" " * MIB) for _ in range(size // MIB)]
    return gzipped(b"".join(parts) + squeeze.compress(GOOD) + squeeze.flush())


def slowly(first: bytes, rest: bytes) -> Answer:
    def speak(conn: socket.socket) -> None:
        conn.sendall(first)
        for byte in rest:
            conn.sendall(bytes([byte]))
            time.sleep(0.02)

    return speak


def endless(first: bytes, again: bytes, times: int) -> Answer:
    def speak(conn: socket.socket) -> None:
        conn.sendall(first)
        for _ in range(times):
            conn.sendall(again)

    return speak


def nested(levels: int) -> bytes:
    return b'{"data":{"version":"9","x":' + b"[" * levels + b"]" * levels + b"}}"


# What is under an address that is no cluster, or a broken one

BODIES: dict[str, bytes] = {
    "nothing": b"",
    "blanks": b"   ",
    "half of the JSON": GOOD[:20],
    "JSON twice": GOOD + GOOD,
    "JSON with a byte order mark": b"\xef\xbb\xbf" + GOOD,
    "JSON in UTF-16": GOOD.decode().encode("utf-16"),
    "JSON with a broken letter": GOOD.replace(b"9.2.11", b"9.2.\xff"),
    "JSON with a zero byte": GOOD + b"\0",
    "JSON with a comment": b"/* hi */" + GOOD,
    "JSON with a comma too many": b'{"data":{"version":"9",}}',
    "Python instead of JSON": b"{'data': {'version': '9'}}",
    "XML": b'<?xml version="1.0"?><data/>',
    "a page that says it is JSON": b"<html>Log in to the network</html>",
    "plain text": b"It works!",
    "a number of 5000 digits": b'{"data":' + b"1" * 5000 + b"}",
    "not a number": b'{"data":{"version":NaN}}',
    "infinity": b'{"data":{"version":Infinity}}',
    "minus infinity": b'{"data":{"version":-Infinity}}',
    "null for all": b"null",
    "true for all": b"true",
    "a number for all": b"1",
    "a text for all": b'"data"',
    "an empty list for all": b"[]",
    "a list for all": b"[1]",
    "an empty object": b"{}",
    "data in another case": b'{"Data":{"version":"9"}}',
    "an error with status 200": b'{"success":0,"status":500,"message":"no"}',
    "data that is null": b'{"data":null}',
    "data that is a list": b'{"data":[]}',
    "data that is a number": b'{"data":1}',
    "data that is a text": b'{"data":"9"}',
    "data that is false": b'{"data":false}',
    "data without a version": b'{"data":{}}',
    "a version that is a list": b'{"data":{"version":["9"]}}',
    "a version that is an object": b'{"data":{"version":{"9":9}}}',
    "a version that is empty": b'{"data":{"version":""}}',
    "33 levels of lists": nested(33),
    "900 levels of lists": nested(900),
    "90,000 levels of lists": nested(90_000),
}

LISTS: dict[str, bytes] = {
    "an object where a list should be": b'{"data":{"100":{"type":"qemu"}}}',
    "a text where a list should be": b'{"data":"qemu/100"}',
    "null where a list should be": b'{"data":null}',
    "20,001 rows": b'{"data":[' + b"{}," * 20_000 + b"{}]}",
    "a million numbers": b'{"data":[' + b"1," * 1_000_000 + b"1]}",
    "a million texts": b'{"data":[' + b'"",' * 1_000_000 + b'""]}',
    "300,000 objects": b'{"data":[' + b"{}," * 300_000 + b"{}]}",
}

GUEST = {"type": "qemu", "vmid": 100, "node": "pve1", "name": "web", "status": "running"}
ROWS: dict[str, list[Any]] = {
    "a number for two guests": [GUEST, {**GUEST, "name": "twin"}],
    "a guest with a negative number": [{**GUEST, "vmid": -100}],
    "a guest with a number beyond all": [{**GUEST, "vmid": 10**12}],
    "a guest with true for a number": [{**GUEST, "vmid": True}],
    "a guest with a path for a number": [{**GUEST, "vmid": "../100"}],
    "a guest on a node that is a path": [{**GUEST, "node": "../../access"}],
    "a guest on a node that is a query": [{**GUEST, "node": "pve1?x=1"}],
    "a guest on a node of two lines": [{**GUEST, "node": "pve1\nHost: evil"}],
    "a row that is a text": ["qemu/100"],
    "a row that is a list": [[GUEST]],
    "a node that is a path": [{"type": "node", "node": "../../access"}],
}

NAMES: dict[str, str] = {
    "a name that turns the text around": "web\u202egpj.exe",
    "a name that isolates what follows": "web\u2066x",
    "a name with a hidden letter": "ro\u200bot",
    "a name with a mark of direction": "admin\u200f",
    "a name with terminal codes": "\x1b[31mred\x07",
    "a name of two lines": "web\r\nSet-Cookie: a=b",
    "a name with a zero byte": "web\0",
    "a name that cannot be stored": "\ud800",
    "a name of 4096 letters": "x" * 4096,
    "a name that is an object": None,  # type: ignore[dict-item]
}

WIRE: dict[str, Answer] = {
    "a greeting instead of HTTP": b"hello\r\n\r\n",
    "the greeting of SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "a status that is no number": b"HTTP/1.1 abc OK\r\n\r\n",
    "two hundred headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n" + GOOD,
    "a status line without end": b"HTTP/1.1 200 " + b"x" * 100_000 + b"\r\n\r\n",
    "a header without end": HEAD + b"X: " + b"y" * 100_000 + b"\r\n\r\n" + GOOD,
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a body cut off": HEAD + b"Content-Length: 5000\r\n\r\n" + GOOD,
    "a chunk whose length is none": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzzz\r\n",
    "a chunk whose length has no end": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 100_000,
    "chunks that break off": HEAD + b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"dat\r\n',
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "nothing at all": b"",
    "a redirect to nowhere": b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
    "a redirect in a circle": redirect("/api2/json/version"),
    "a redirect to a file": redirect("file:///etc/passwd"),
    "something that has not changed": b"HTTP/1.1 304 Not Modified\r\n\r\n",
    "gzip that is none": gzipped(b"not gzip"),
    "gzip with a wrong sum": gzipped(gzip.compress(GOOD, mtime=0)[:-12] + b"x" * 12),
    "an unknown status": refused("999 Strange", b"{}"),
    "a page of a proxy for 502": refused("502 Bad Gateway", b"<html>", "text/html"),
    "a page of a proxy for 401": refused("401 Unauthorized", b"<html>", "text/html"),
    "a page of a portal for 200": refused("200 OK", b"<html>", "text/HTML; charset=utf-8"),
    "an error whose body is a list": refused("500 no", b"[1]"),
    "an error whose body is a text": refused("500 no", b'"no"'),
    "an error that is nested": refused("500 no", b"[" * 90_000),
}

SLOW: dict[str, Answer] = {
    "a status line of one byte at a time": slowly(b"", HEAD + b"Content-Length: 2\r\n\r\n{}"),
    "a header of one byte at a time": slowly(HEAD, b"X-Filler: " + b"x" * 60),
    "a body of one byte at a time": slowly(HEAD + b"Content-Length: 60\r\n\r\n", b" " * 60),
    "chunks of one byte at a time": slowly(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n" * 10),
    "a promise to continue, for ever": slowly(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 3),
}

LARGE: dict[str, Answer] = {
    "a bomb of gzip": bomb(80 * MIB),
    "a body of 70 MiB": endless(HEAD + b"Content-Length: %d\r\n\r\n" % (70 * MIB), b" " * MIB, 70),
    "a body without a length": endless(HEAD + b"\r\n", b" " * MIB, 70),
    "a text that takes four times its length": ok(
        b'{"data":{"version":"9","x":"' + "y\U0001f4a3".encode() * 120_000 + b"y" * (7 * MIB) + b'"}}'
    ),
}

ECHO = f"PVEAPIToken=portal@pve!labs={MARKER}"
REASONS: dict[str, bytes] = {
    "a reason with terminal codes": refused("500 \x1b[31mred\x07"),
    "a reason that turns the text around": refused("500 web\u202egpj.exe"),
    "a reason in another language": refused("500 Größe überschritten"),
    "a reason of 60,000 letters": refused("500 " + "x" * 60_000),
    "a reason that repeats the token": refused(f"500 {ECHO}"),
    "a parameter that repeats the token": refused("400 no", json.dumps({"errors": {"x": ECHO}}).encode()),
}


def _all() -> Iterator[Malformed]:
    for name, body in BODIES.items():
        yield Malformed(name, ok(body))
    for name, body in LISTS.items():
        yield Malformed(name, ok(body), "cluster/resources", proxmox.Client.resources)
    for name, rows in ROWS.items():
        body = json.dumps({"data": rows}).encode()
        yield Malformed(
            name, ok(body), "cluster/resources", proxmox.Client.resources, lambda found: found.rejected == 1
        )
    for name, given in NAMES.items():
        body = json.dumps({"data": [{**GUEST, "name": given if given is not None else {}}]}).encode()
        yield Malformed(name, ok(body), "cluster/resources", proxmox.Client.resources, _has_a_clean_name, _is_clean_row)
    for name, answer in {**WIRE, **LARGE, **REASONS}.items():
        yield Malformed(name, answer)
    for name, answer in SLOW.items():
        yield Malformed(name, answer, is_slow=True)


def _has_a_clean_name(found: proxmox.Resources) -> bool:
    return is_clean(found.guests[0].name)


def _is_clean_row(row: dict[str, Any]) -> bool:
    return is_clean(row["name"])


def is_clean(text: object) -> bool:
    """Short text that shows what it is, and can be stored."""
    return isinstance(text, str) and len(text) <= 255 and text.isprintable() and text == text.strip()


MALFORMED = tuple(_all())
