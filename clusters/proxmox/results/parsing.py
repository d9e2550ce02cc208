"""Parsing a response: strict about its form, and within a limit of memory."""

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

import requests

from clusters.proxmox.errors import ProtocolError
from clusters.proxmox.results.coercion import text
from clusters.sentences import say

MAX_DEPTH = 32
# Of all that is made of one answer, in bytes: twice what a list of 10,000 guests needs.
MAX_WEIGHT = 48 * 2**20
# What a value and a container take, with their places in what holds them; text counts in full besides.
VALUE_WEIGHT = 72
CONTAINER_WEIGHT = 256

# As a rule an emoji, or one that is escaped. What of them there may be for being replaced, which takes memory, too.
_EMOJI = re.compile(
    rb"\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}"
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
MOST_EMOJI = 100_000

# What makes two bytes of a letter and of all that stand beside it, and what makes four, wherever they are.
_WIDE = re.compile(rb"[\xc4-\xff]")
_HIGH = re.compile(rb"[\xf0-\xff]")
_ESCAPED_HIGH = re.compile(rb"\\u[dD][89abAB]")
_ALL_HIGH = bytes(range(0xF0, 0x100))


class Serializer:
    """In the place of proxmoxer's own, which returns what it cannot read as if it were the answer."""

    def loads(self, response: requests.Response) -> Any:
        """The value under `data`. Raises `ProtocolError`."""
        document = parse(response.content)
        if not isinstance(document, dict) or "data" not in document:
            raise ProtocolError(say("no-data"))
        return document["data"]

    def loads_errors(self, response: requests.Response) -> dict[str, str]:
        """The text for each parameter. Many errors have no body, or one that is not JSON."""
        try:
            document = parse(response.content)
        except ProtocolError:
            return {}
        errors = document.get("errors") if isinstance(document, dict) else None
        if not isinstance(errors, dict):
            return {}
        return {text(name, 60): text(why, 200) for name, why in list(errors.items())[:20]}


def parse(content: bytes) -> Any:
    """Raises `ProtocolError`, before it takes much memory. An answer that its emoji make too heavy loses them."""
    opened = openings(content)
    if not is_light(content, opened):
        content = _EMOJI.sub(b"?", content) if _has_few_emoji(content) else content
        if not is_light(content, opened):
            raise ProtocolError(say("too-many-values"))
    try:
        document = json.loads(content.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise ProtocolError(say("no-json")) from None
    if _may_be_deep(document, opened) and _is_deep(document):
        raise ProtocolError(say("json-too-deep", most=MAX_DEPTH))
    return document


def is_light(content: bytes, opened: int) -> bool:
    """Whether so much memory is enough, `opened` containers among it.

    Two bytes may stand for a list, and one emoji makes four of every letter beside it.
    """
    # The text is there twice when it is one long value.
    weight = (1 + 2 * _width(content)) * len(content) + opened * CONTAINER_WEIGHT
    if weight + len(content) // 2 * VALUE_WEIGHT <= MAX_WEIGHT:
        return True  # however many commas there are: counting them takes half as long as reading
    return weight + content.count(b",") * VALUE_WEIGHT <= MAX_WEIGHT


def _width(content: bytes) -> int:
    if content.isascii() and b"\\" not in content:
        return 1  # as nearly always: searching takes longer than reading
    escapes = b"\\u" in content
    if _HIGH.search(content) or (escapes and _ESCAPED_HIGH.search(content)):
        return 4
    return 2 if escapes or _WIDE.search(content) else 1


def openings(content: bytes) -> int:
    """At least as many as there are containers."""
    return len(content) - len(content.translate(None, b"[{"))  # a third of what two counts take


def _has_few_emoji(content: bytes) -> bool:
    count = len(content) - len(content.translate(None, _ALL_HIGH)) + content.count(b"\\u")
    return 0 < count <= MOST_EMOJI


def clean_reason(reason: object) -> str:
    """The reason phrase is UTF-8 which HTTP libraries take for Latin-1."""
    phrase = reason if isinstance(reason, str) else ""
    return text(phrase.encode("latin-1", "replace").decode("utf-8", "replace"), 4000)


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def _may_be_deep(document: object, opened: int) -> bool:
    """False for a list of flat rows: of containers that lie side by side, only one adds to the depth."""
    found = document.get("data") if isinstance(document, dict) else None
    side_by_side = list(map(type, found)).count(dict) if isinstance(found, list) else 0
    return opened - max(0, side_by_side - 1) > MAX_DEPTH


def _is_deep(document: object) -> bool:
    """Whether containers are nested beyond the limit, found without recursion."""
    level = list(_containers([document]))
    for _ in range(MAX_DEPTH):
        level = [child for container in level for child in _containers(container)]
    return bool(level)


def _containers(container: Any) -> Iterator[Any]:
    children = container.values() if isinstance(container, dict) else container
    return (child for child in children if isinstance(child, dict | list))
