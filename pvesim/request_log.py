"""The log of every request, for tests to look at. It holds no secret."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

SECRET = re.compile(r"password|ticket|otp|challenge|secret|token", re.IGNORECASE)


@dataclass(frozen=True)
class Request:
    """`path` is below /api2/json, percent-decoded; `status` is 0 when there was no answer."""

    method: str
    path: str
    query: str
    identity: str
    status: int
    node: str
    at: float
    form: str = ""


class RequestLog:
    def __init__(self) -> None:
        self._requests: list[Request] = []

    def add(self, request: Request) -> None:
        self._requests.append(request)

    def all(self) -> list[Request]:
        return list(self._requests)

    def clear(self) -> None:
        self._requests.clear()

    def count(self, method: str | None = None, path_regex: str = "") -> int:
        pattern = re.compile(path_regex)
        return sum(
            method in (None, request.method) and pattern.search(request.path) is not None for request in self.all()
        )


def without_secrets(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    shown = [(key, "REDACTED" if SECRET.search(key) else value) for key, value in pairs]
    return urlencode(shown, safe="/:,;!@")
