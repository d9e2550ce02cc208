"""Connections to a directory's servers: opened with the school's authorities and short timeouts, and kept for a while.

A directory has two kinds: one bound as its reader account, and one on which people's passwords are tried. Both are kept
for a minute, so that a sign-in costs no TLS handshake. Whatever fails, besides a person's password, is `SourceDown`.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

import ldap

from accounts.models.sources import SignInSource
from accounts.sentences import say
from accounts.sign_in.ldap import authorities, problems, tls
from accounts.sign_in.outages import SourceDown

T = TypeVar("T")

NO_ANSWER = (ldap.SERVER_DOWN, ldap.TIMEOUT, ldap.CONNECT_ERROR, ldap.UNAVAILABLE, ldap.BUSY)

KEPT, FOR = 4, 60.0  # connections of each kind, and seconds
# After an outage people are told at once for so many seconds; then one of them finds out whether it is over.
PAUSE = 5.0
# How many sign-ins one process has under way with a directory, and how many more wait for one of these to end.
ACTIVE, WAITING = 8, 100

_LOCAL = {"localhost", "127.0.0.1", "::1"}


def options(source: SignInSource, seconds: float) -> dict[int, Any]:
    """For a connection. NEWCTX comes last: without it, or before the others, no option of TLS has any effect."""
    found: dict[int, Any] = {
        ldap.OPT_PROTOCOL_VERSION: 3,
        ldap.OPT_REFERRALS: 0,  # followed anonymously, which a directory answers with an error
        ldap.OPT_NETWORK_TIMEOUT: seconds,
        ldap.OPT_TIMEOUT: seconds,
        ldap.OPT_X_TLS_REQUIRE_CERT: ldap.OPT_X_TLS_DEMAND,
    }
    if file := authorities.file_of(source.ca_certificates):
        found[ldap.OPT_X_TLS_CACERTFILE] = file
    found[ldap.OPT_X_TLS_NEWCTX] = 0
    return found


def is_encrypted(source: SignInSource, uri: str) -> bool:
    """Or does not leave this machine."""
    address = urlsplit(uri)
    return address.scheme == "ldaps" or source.start_tls or address.hostname in _LOCAL


def connect(source: SignInSource, uri: str, seconds: float) -> Any:
    """A connection that is bound as nobody. Raises `ldap.LDAPError`, or `SourceDown` for one in the clear."""
    if not is_encrypted(source, uri):
        raise SourceDown(source, say("sign-in-not-encrypted", server=uri))
    look_first(source, uri, seconds)
    connection = ldap.initialize(uri, bytes_mode=False)
    for option, value in options(source, seconds).items():
        connection.set_option(option, value)
    if source.start_tls and uri.startswith("ldap:"):
        connection.start_tls_s()
    return connection


class Untrusted(ldap.SERVER_DOWN):  # type: ignore[misc]
    """Its certificate is not trusted, for this reason."""

    def __init__(self, reason: str) -> None:
        super().__init__({"desc": reason})
        self.reason = reason


def look_first(source: SignInSource, uri: str, seconds: float) -> None:
    """Raises what the library would, in time, and with the reason."""
    try:
        presented = tls.certificate(source, uri, seconds)
    except (OSError, tls.CannotStartTls):
        raise ldap.SERVER_DOWN({"desc": "no answer"}) from None
    if presented and presented.problem:
        raise Untrusted(presented.problem)


@dataclass
class Pool:
    """What one process keeps of a directory."""

    source: SignInSource
    version: object
    _idle: dict[bool, list[tuple[float, Any]]] = field(default_factory=lambda: {True: [], False: []})
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _active: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(ACTIVE))
    _waiting: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(ACTIVE + WAITING))
    _silent: dict[str, float] = field(default_factory=dict)  # servers that failed, and when
    _told_until: float = 0.0
    primary_groups: dict[bytes, tuple[float, tuple[str, ...]]] = field(default_factory=dict)  # DNs by SID, for a while

    @property
    def seconds(self) -> float:
        return float(self.source.timeout_seconds)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Raises `SourceDown` at once while the directory is known not to answer, and when too many wait for it."""
        if not self._waiting.acquire(blocking=False):
            raise SourceDown(self.source, say("sign-in-busy"), is_news=False)
        try:
            if not self._active.acquire(timeout=self.seconds):
                raise SourceDown(self.source, say("sign-in-busy"), is_news=False)
            try:
                self._find_out()
                yield
            finally:
                self._active.release()
        finally:
            self._waiting.release()

    def _find_out(self) -> None:
        """One asks whether an outage is over; the others are told at once meanwhile."""
        now = time.monotonic()
        with self._lock:
            if now < self._told_until:
                raise SourceDown(self.source, say("sign-in-no-answer"), is_news=False)
            if self._told_until:
                self._told_until = now + self.seconds

    def as_reader(self, act: Callable[[Any], T]) -> T:
        return self._with(act, is_reader=True)

    def as_nobody(self, act: Callable[[Any], T]) -> T:
        return self._with(act, is_reader=False)

    def _with(self, act: Callable[[Any], T], *, is_reader: bool) -> T:
        """`act` may run again: the server may have closed a kept connection meanwhile, or does not answer."""
        try:
            while (kept := self._take(is_reader=is_reader)) is not None:
                try:
                    return self._done(kept, act(kept), is_reader=is_reader)
                except ldap.SERVER_DOWN:
                    close(kept)
                except BaseException:
                    close(kept)
                    raise
            return self._anew(act, is_reader=is_reader)
        except ldap.LDAPError as error:
            self._down()
            raise SourceDown(self.source, problems.of(error)) from None

    def _done(self, connection: Any, result: T, *, is_reader: bool) -> T:
        self._told_until = 0.0
        with self._lock:
            if len(self._idle[is_reader]) < KEPT:
                self._idle[is_reader].append((time.monotonic(), connection))
                return result
        close(connection)
        return result

    def _take(self, *, is_reader: bool) -> Any:
        with self._lock:
            while self._idle[is_reader]:
                kept_at, connection = self._idle[is_reader].pop()
                if time.monotonic() - kept_at < FOR:
                    return connection
                close(connection)
        return None

    def _anew(self, act: Callable[[Any], T], *, is_reader: bool) -> T:
        """With the first server that answers. Those that failed come last; all together have the timeout of one."""
        servers = sorted(self.source.server_list, key=lambda uri: self._silent.get(uri, 0.0))
        deadline = time.monotonic() + self.seconds
        for left, uri in zip(range(len(servers), 0, -1), servers, strict=True):
            connection = None
            try:
                connection = connect(self.source, uri, max(0.1, (deadline - time.monotonic()) / left))
                if is_reader:
                    bind_reader(self.source, connection)
                result = act(connection)
            except NO_ANSWER:
                close(connection)
                self._silent[uri] = time.monotonic()
                if left == 1:
                    raise
            except BaseException:
                close(connection)
                raise
            else:
                connection.set_option(ldap.OPT_TIMEOUT, self.seconds)
                return self._done(connection, result, is_reader=is_reader)
        raise SourceDown(self.source, say("sign-in-no-server"))

    def _down(self) -> None:
        with self._lock:
            self._told_until = time.monotonic() + PAUSE

    def close(self) -> None:
        with self._lock:
            for kept in self._idle.values():
                for _at, connection in kept:
                    close(connection)
                kept.clear()


_pools: dict[int, Pool] = {}
_pools_lock = threading.Lock()


def pool_of(source: SignInSource) -> Pool:
    """This process's. A directory that was changed has a new one."""
    version = (source.changed_at, source.credential_version)
    with _pools_lock:
        pool = _pools.get(source.pk)
        if pool is None or pool.version != version:
            if pool:
                pool.close()
            pool = _pools[source.pk] = Pool(source, version)
        return pool


def close(connection: Any) -> None:
    if connection is None:
        return
    with suppress(ldap.LDAPError):
        connection.unbind_s()


def bind_reader(source: SignInSource, connection: Any) -> None:
    """As the account that reads people and groups; as nobody where there is none."""
    connection.simple_bind_s(source.bind_dn, source.secret.reveal() if source.bind_dn and source.secret else "")
