"""Faults of single answers: what happens to requests instead of, or after, an honest answer."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypedDict, Unpack

from pvesim.faults.malformed import MALFORMED, TEXTS, UNSAFE_TEXT, Rewriter, named

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


@dataclass(frozen=True)
class Rewrite:
    """The honest answer, changed."""

    rewrite: Rewriter


@dataclass(frozen=True)
class Truncate:
    """The headers promise all of the body, and only this share of it comes."""

    share: float


@dataclass(frozen=True)
class Then:
    """An honest answer, and something which happens after it was made."""

    action: Callable[[], None]


Effect = Delay | Hang | Reset | Drip | Reply | Rewrite | Truncate | Then


@dataclass(eq=False)
class Fault:
    """One rule. With `executed` the request takes effect before the effect hides its answer."""

    effect: Effect
    path: re.Pattern[str]
    method: str | None
    node: str | None
    executed: bool
    left: int | None
    reused: bool = False

    def fits(self, method: str, path: str, node: str, reused: bool) -> bool:
        is_meant = self.method in (None, method) and self.node in (None, node) and self.reused <= reused
        return is_meant and self.path.search(path) is not None


class Scope(TypedDict, total=False):
    """For which requests, how often (None: for ever), and whether they take effect nevertheless.

    `reused` spares the first request of every connection.
    """

    times: int | None
    method: str | None
    node: str | None
    executed: bool
    reused: bool


class ResponseFaults:
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

    def malformed(self, kind: str, path_regex: str = ".", **scope: Unpack[Scope]) -> Fault:
        """An answer which is not as it should be; the kinds stand in `malformed.MALFORMED`."""
        return self._add(Rewrite(named(MALFORMED, kind)), path_regex, {"executed": True, **scope})

    def unsafe_text(self, kind: str = "script", path_regex: str = ".", **scope: Unpack[Scope]) -> Fault:
        """Names, tags, comments and log lines of a kind which stands in `malformed.TEXTS`."""
        return self._add(Rewrite(named(UNSAFE_TEXT, kind)), path_regex, {"executed": True, **scope})

    def unsafe_reason(self, kind: str = "script", path_regex: str = ".", **scope: Unpack[Scope]) -> Fault:
        """A refusal whose reason phrase is such a text, as far as its first line goes."""
        named(UNSAFE_TEXT, kind)
        return self.reply(path_regex, 500, TEXTS[kind].split("\n")[0], '{"data":null}', **scope)

    def truncated(self, path_regex: str = ".", share: float = 0.5, **scope: Unpack[Scope]) -> Fault:
        """A body which breaks off."""
        return self._add(Truncate(share), path_regex, {"executed": True, **scope})

    def redirect(self, location: str, path_regex: str = ".", status: int = 301, **scope: Unpack[Scope]) -> Fault:
        return self.reply(path_regex, status, "Moved", headers={"Location": location}, **scope)

    def after(self, path_regex: str, action: Callable[[], None], **scope: Unpack[Scope]) -> Fault:
        """Something happens between a request like this, once, and the next one."""
        return self._add(Then(action), path_regex, {"times": 1, "executed": True, **scope})

    def remove(self, fault: Fault) -> None:
        with self._lock:
            self._rules = [rule for rule in self._rules if rule is not fault]

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def take(self, method: str, path: str, node: str, *, reused: bool = False) -> Fault | None:
        """The rule for this request, counted as used."""
        with self._lock:
            rule = next((one for one in self._rules if one.left != 0 and one.fits(method, path, node, reused)), None)
            if rule is not None and rule.left is not None:
                rule.left -= 1
            return rule

    def _add(self, effect: Effect, path_regex: str, scope: Scope) -> Fault:
        fault = Fault(
            effect,
            path=re.compile(path_regex),
            method=scope.get("method"),
            node=scope.get("node"),
            executed=scope.get("executed", False),
            left=scope.get("times"),
            reused=scope.get("reused", False),
        )
        with self._lock:
            self._rules.append(fault)
        return fault
