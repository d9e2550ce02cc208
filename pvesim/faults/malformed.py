"""Honest answers turned into bad ones."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace

from pvesim.http import Response

Rewriter = Callable[[Response], Response]
Change = Callable[[object], object]

PORTAL = b"<!DOCTYPE html><html><head><title>Welcome</title></head><body>Please accept our terms.</body></html>"
TEXT_FIELDS = frozenset("name tags comment description hostname exitstatus t pretty-name".split())
FLAG_FIELDS = frozenset("template quorate online local shared managed agent active enabled running vmstate".split())
IDENTITY_FIELDS = frozenset("id type upid poolid".split())
TEXTS = {
    "script": "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>",
    "rtl": "web\u202egpj.exe\u2066",
    "long": "x" * 4096,
    "newline": "first\nsecond\r\nSet-Cookie: a=b",
    "control": "a\x00b\x1b[31mc\x7f",
    "non-latin": "Größe 服务器 сервер ✓",
    "blank": " \u200b ",
    "invisible": "ro\u200bot\u200d\u2060\ufeff\u061c\u202a\u2069\u3164",
    "formula": "=HYPERLINK(1)",
    "template": "{{ 7*7 }}{% x %}",
}


def body(change: Callable[[bytes], bytes]) -> Rewriter:
    return lambda answer: replace(answer, body=change(answer.body))


def constant(text: str) -> Rewriter:
    return body(lambda _: text.encode())


def data(change: Change) -> Rewriter:
    """Changes what stands under `data`; answers without it stay as they are."""

    def rewrite(answer: Response) -> Response:
        content = json.loads(answer.body) if answer.body[:1] == b"{" else {}
        if content.get("data") is None:
            return answer
        content["data"] = change(content["data"])
        return replace(answer, body=json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode())

    return rewrite


def values(change: Callable[[str, object], object]) -> Rewriter:
    """Changes every value which is neither object nor list, by its name."""

    def walk(name: str, value: object) -> object:
        if isinstance(value, dict):
            return {key: walk(key, inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [walk(name, inner) for inner in value]
        return change(name, value)

    return data(lambda content: walk("", content))


def numbers(change: Callable[[float], object]) -> Rewriter:
    return values(lambda _, value: change(value) if isinstance(value, int | float) else value)


def text(chosen: str) -> Rewriter:
    return values(lambda name, value: chosen if name in TEXT_FIELDS and isinstance(value, str) else value)


def _other_shape(content: object) -> object:
    return {"0": content} if isinstance(content, list) else [content]


def _twice(content: object) -> object:
    """Every row comes again under another name."""
    if not isinstance(content, list):
        return content
    return content + [{**row, "name": "twin"} if isinstance(row, dict) else row for row in content]


def _bare_rows(content: object) -> object:
    if isinstance(content, list):
        return [_bare_rows(row) for row in content]
    if isinstance(content, dict):
        return {key: value for key, value in content.items() if key in IDENTITY_FIELDS}
    return content


def _deep(content: object) -> object:
    for _ in range(500):
        content = [content]
    return content


def _cut_gzip(answer: Response) -> Response:
    packed = gzip.compress(answer.body, mtime=0)
    return replace(answer, body=packed[: len(packed) // 2], headers=(("Content-Encoding", "gzip"),))


def _unknown_word(name: str, value: object) -> object:
    return {"type": "toaster", "status": "levitating", "qmpstatus": "levitating"}.get(name, value)


MALFORMED: dict[str, Rewriter] = {
    "half-json": body(lambda content: content[: len(content) // 2]),
    "html": lambda answer: replace(answer, body=PORTAL, content_type="text/html; charset=utf-8"),
    "empty": body(lambda _: b""),
    "empty-object": constant("{}"),
    "empty-list": constant("[]"),
    "null": constant("null"),
    "null-data": constant('{"data":null}'),
    "other-shape": data(_other_shape),
    "error-as-list": lambda answer: replace(answer, status=500, reason="broken", body=b'["broken"]').closing(),
    "error-as-html": lambda answer: replace(answer, status=502, reason="Bad Gateway", body=PORTAL).closing(),
    "wrong-type": lambda answer: replace(answer, content_type="text/plain"),
    "no-type": lambda answer: replace(answer, content_type=None),
    "bom": body(lambda content: b"\xef\xbb\xbf" + content),
    "invalid-utf8": body(lambda content: content.replace(b'":"', b'":"\xff\xfe')),
    "cut-gzip": _cut_gzip,
    "numbers-as-strings": numbers(str),
    "flags-as-words": values(lambda name, value: str(bool(value)).lower() if name in FLAG_FIELDS else value),
    "flags-as-booleans": values(lambda name, value: bool(value) if name in FLAG_FIELDS else value),
    "duplicates": data(_twice),
    "negative": numbers(lambda number: -number - 1),
    "huge": numbers(lambda _: 10**30),
    "not-a-number": numbers(lambda _: float("nan")),
    "infinite": numbers(lambda _: float("inf")),
    "missing-fields": data(_bare_rows),
    "null-fields": values(lambda name, value: value if name in IDENTITY_FIELDS else None),
    "unknown-words": values(_unknown_word),
    "objects-for-text": values(lambda name, value: {"text": value} if isinstance(value, str) else value),
    "deep": data(_deep),
}


def named(table: dict[str, Rewriter], name: str) -> Rewriter:
    if name not in table:
        raise ValueError(f"no '{name}'; there are {', '.join(table)}")
    return table[name]


UNSAFE_TEXT: dict[str, Rewriter] = {name: text(chosen) for name, chosen in TEXTS.items()}
