"""Reading the text of an answer, strict about its form."""

import json
from collections.abc import Iterator
from typing import Any, NoReturn

import requests

from clusters.proxmox.errors import ProtocolError
from clusters.proxmox.values import text

MAX_DEPTH = 32
# More than the largest list needs; and little enough that what is made of it fits into memory.
MAX_VALUES = 1_000_000
MAX_CONTAINERS = 100_000


class Serializer:
    """In the place of proxmoxer's own, which returns what it cannot read as if it were the answer."""

    def loads(self, response: requests.Response) -> Any:
        """What is under `data`. Raises `ProtocolError`."""
        document = parse(response.content)
        if not isinstance(document, dict) or "data" not in document:
            raise ProtocolError("no data in it")
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
    if content.count(b",") > MAX_VALUES or content.count(b"[") + content.count(b"{") > MAX_CONTAINERS:
        raise ProtocolError("too many values")
    try:
        document = json.loads(content.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise ProtocolError("no readable JSON") from None
    if _is_deep(document):
        raise ProtocolError(f"JSON nested deeper than {MAX_DEPTH} levels")
    return document


def clean_reason(reason: object) -> str:
    """The reason phrase is UTF-8 which HTTP libraries take for Latin-1."""
    phrase = reason if isinstance(reason, str) else ""
    return text(phrase.encode("latin-1", "replace").decode("utf-8", "replace"), 4000)


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def _is_deep(document: object) -> bool:
    """Whether containers are nested beyond the limit, found without recursion."""
    level = list(_containers([document]))
    for _ in range(MAX_DEPTH):
        level = [child for container in level for child in _containers(container)]
    return bool(level)


def _containers(container: Any) -> Iterator[Any]:
    children = container.values() if isinstance(container, dict) else container
    return (child for child in children if isinstance(child, dict | list))
