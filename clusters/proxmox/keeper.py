"""Sessions kept for the next caller: connections that are open already, and one login for many threads.

Whatever decides where and as whom a session speaks is part of its key, so a changed configuration meets a new one.
"""

import atexit
import hashlib
import os
import secrets
import threading
import time
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from clusters.config import ClusterConfig
from clusters.proxmox import credentials
from clusters.proxmox.gate import LoginGate
from clusters.proxmox.session import Session

MAX_IDLE = 8
MAX_IDLE_IN_ALL = 64
IDLE_SECONDS = 60.0
# A login outlives its connections: a cluster closes these after a few seconds, and its tickets after hours.
LOGIN_SECONDS = 900.0

Key = tuple[Hashable, ...]


@dataclass(eq=False)
class _Shelf:
    """Of one key: the credential that its sessions share, and those of them that nobody uses now, newest last."""

    credential: credentials.Credential
    used: float = 0.0
    borrowed: int = 0
    idle: list[tuple[float, Session]] = field(default_factory=list)


class Keeper:
    def __init__(self) -> None:
        self._shelves: dict[Key, _Shelf] = {}
        self._lock = threading.Lock()
        self._salt = secrets.token_bytes(32)

    @contextmanager
    def session(self, config: ClusterConfig, *, deadline: float, gate: LoginGate | None = None) -> Iterator[Session]:
        """One for the caller alone. Kept afterwards, unless an error came out of it."""
        credential = credentials.of(config)
        key = self._key(config, credential)
        shelf, session = self._borrow(key, credential)
        try:
            session = session or Session(config, deadline=deadline, credential=shelf.credential)
            session.lend(config, deadline=deadline, gate=gate)
            yield session
        except BaseException:
            self._give_back(key, shelf, session, is_sound=False)
            raise
        self._give_back(key, shelf, session, is_sound=True)

    def forget(self, cluster_id: str | None = None) -> None:
        """Close what is kept of one cluster, or of all. What is in use is closed when it comes back."""
        with self._lock:
            keys = [key for key in self._shelves if cluster_id in (None, key[0])]
            shelves = [self._shelves.pop(key) for key in keys]
        _close([session for shelf in shelves for _, session in shelf.idle])

    def _borrow(self, key: Key, credential: credentials.Credential) -> tuple[_Shelf, Session | None]:
        with self._lock:
            stale = self._take_stale()
            shelf = self._shelves.setdefault(key, _Shelf(credential))
            shelf.borrowed += 1
            session = shelf.idle.pop()[1] if shelf.idle else None
        _close(stale)
        return shelf, session

    def _give_back(self, key: Key, shelf: _Shelf, session: Session | None, *, is_sound: bool) -> None:
        with self._lock:
            shelf.borrowed -= 1
            shelf.used = time.monotonic()
            is_known = self._shelves.get(key) is shelf
            if session and is_sound and is_known and len(shelf.idle) < MAX_IDLE:
                shelf.idle.append((shelf.used, session))
                session = None
            stale = self._take_stale()
        _close([*stale, *([session] if session else [])])

    def _take_stale(self) -> list[Session]:
        now = time.monotonic()
        stale = []
        for key, shelf in list(self._shelves.items()):
            while shelf.idle and now - shelf.idle[0][0] > IDLE_SECONDS:
                stale.append(shelf.idle.pop(0)[1])
            if not shelf.borrowed and now - shelf.used > LOGIN_SECONDS:
                del self._shelves[key]
        while sum(len(shelf.idle) for shelf in self._shelves.values()) > MAX_IDLE_IN_ALL:
            oldest = min((shelf for shelf in self._shelves.values() if shelf.idle), key=lambda shelf: shelf.idle[0][0])
            stale.append(oldest.idle.pop(0)[1])
        return stale

    def _key(self, config: ClusterConfig, credential: credentials.Credential) -> Key:
        return (
            config.cluster_id,
            config.host,
            config.port,
            config.addresses,
            config.trust,
            config.fingerprint,
            config.ca_certificate,
            config.credential_version,
            config.user,
            config.token_id,
            type(credential).__name__,
            self._digest(credential),
        )

    def _digest(self, credential: credentials.Credential) -> bytes:
        """Of the secret, which a file may change without counting versions. Of no use outside this process."""
        (secret,) = credential.secrets
        return hashlib.blake2b(secret.encode("utf-8", "surrogatepass"), key=self._salt).digest()

    def after_fork(self) -> None:
        """In the child: its parent goes on with the connections, and perhaps holds the lock."""
        shelves, self._shelves, self._lock = self._shelves, {}, threading.Lock()
        _close([session for shelf in shelves.values() for _, session in shelf.idle])


def _close(sessions: list[Session]) -> None:
    for session in sessions:
        session.close()


keeper = Keeper()
os.register_at_fork(after_in_child=keeper.after_fork)
atexit.register(keeper.forget)
