"""Mischief: what happens to requests instead of, or after, an honest answer."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypedDict, Unpack

Before = Literal["headers", "body"]


@dataclass(frozen=True)
class Delay:
    """The answer, or its body, comes late by the simulated clock."""

    seconds: float
    before: Before = "headers"


@dataclass(frozen=True)
class Hang:
    """The answer never comes."""


@dataclass(frozen=True)
class Reset:
    """The connection closes before the status line."""


@dataclass(frozen=True)
class Drip:
    """The answer trickles, in real time: to outlast a client's read timeout is its purpose."""

    bytes_per_second: float


@dataclass(frozen=True)
class Reply:
    """These bytes instead of an answer. A Content-Length among the headers is sent as it is."""

    status: int
    reason: str
    body: bytes
    headers: tuple[tuple[str, str], ...]


Mischief = Delay | Hang | Reset | Drip | Reply


@dataclass(eq=False)
class Fault:
    """One rule. With `executed` the request takes effect before the mischief hides its answer."""

    mischief: Mischief
    path: re.Pattern[str]
    method: str | None
    node: str | None
    executed: bool
    left: int | None

    def fits(self, method: str, path: str, node: str) -> bool:
        is_meant = self.method in (None, method) and self.node in (None, node)
        return is_meant and self.path.search(path) is not None


class Scope(TypedDict, total=False):
    """For which requests, how often (None: for ever), and whether they take effect nevertheless."""

    times: int | None
    method: str | None
    node: str | None
    executed: bool


class Faults:
    """The rules of one cluster. The first which fits a request is applied to it, `times` times."""

    def __init__(self) -> None:
        self._rules: list[Fault] = []
        self._lock = threading.Lock()

    def delay(self, path_regex: str, seconds: float, before: Before = "headers", **scope: Unpack[Scope]) -> Fault:
        return self._add(Delay(seconds, before), path_regex, {"executed": True, **scope})

    def hang(self, path_regex: str, **scope: Unpack[Scope]) -> Fault:
        return self._add(Hang(), path_regex, scope)

    def reset(self, path_regex: str, **scope: Unpack[Scope]) -> Fault:
        return self._add(Reset(), path_regex, scope)

    def drip(self, path_regex: str, bytes_per_second: float, **scope: Unpack[Scope]) -> Fault:
        return self._add(Drip(bytes_per_second), path_regex, {"executed": True, **scope})

    def reply(
        self,
        path_regex: str,
        status: int = 200,
        reason: str = "OK",
        body: str | bytes = b"",
        headers: Mapping[str, str] | None = None,
        **scope: Unpack[Scope],
    ) -> Fault:
        content = body.encode() if isinstance(body, str) else body
        if headers is None:
            headers = {"Content-Type": "application/json;charset=UTF-8"}
        return self._add(Reply(status, reason, content, tuple(headers.items())), path_regex, scope)

    def remove(self, fault: Fault) -> None:
        with self._lock:
            self._rules = [rule for rule in self._rules if rule is not fault]

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def take(self, method: str, path: str, node: str) -> Fault | None:
        """The rule for this request, counted as used."""
        with self._lock:
            rule = next((one for one in self._rules if one.left != 0 and one.fits(method, path, node)), None)
            if rule is not None and rule.left is not None:
                rule.left -= 1
            return rule

    def _add(self, mischief: Mischief, path_regex: str, scope: Scope) -> Fault:
        fault = Fault(
            mischief,
            path=re.compile(path_regex),
            method=scope.get("method"),
            node=scope.get("node"),
            executed=scope.get("executed", False),
            left=scope.get("times"),
        )
        with self._lock:
            self._rules.append(fault)
        return fault
