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
from clusters.proxmox.session import LoginThrottle, Session

MAX_IDLE = 8
MAX_IDLE_IN_ALL = 64
IDLE_SECONDS = 60.0
# A login outlives its connections: a cluster closes connections after seconds, and tickets expire after hours.
LOGIN_SECONDS = 900.0

Key = tuple[Hashable, ...]


@dataclass(eq=False)
class _Bucket:
    """The sessions of one key: their shared credential, how many are in use, and the idle ones, newest last."""

    credential: credentials.Credential
    used: float = 0.0
    in_use: int = 0
    idle: list[tuple[float, Session]] = field(default_factory=list)


class SessionPool:
    def __init__(self) -> None:
        self._buckets: dict[Key, _Bucket] = {}
        self._lock = threading.Lock()
        self._salt = secrets.token_bytes(32)

    @contextmanager
    def session(
        self, config: ClusterConfig, *, deadline: float, throttle: LoginThrottle | None = None
    ) -> Iterator[Session]:
        """Acquire a session for the caller alone. It is kept when it is released, unless the caller raised."""
        credential = credentials.for_config(config)
        key = self._key(config, credential)
        bucket, session = self._acquire(key, credential)
        is_sound = False
        try:
            session = session or Session(config, deadline=deadline, credential=bucket.credential)
            session.reset(config, deadline=deadline, throttle=throttle)
            yield session
            is_sound = True
        finally:
            self._release(key, bucket, session, is_sound=is_sound)

    def forget(self, cluster_id: str | None = None) -> None:
        """Close the idle sessions of one cluster, or of all. Those in use are closed when they are released."""
        with self._lock:
            keys = [key for key in self._buckets if cluster_id in (None, key[0])]
            buckets = [self._buckets.pop(key) for key in keys]
        _close([session for bucket in buckets for _, session in bucket.idle])

    def _acquire(self, key: Key, credential: credentials.Credential) -> tuple[_Bucket, Session | None]:
        with self._lock:
            stale = self._take_stale()
            bucket = self._buckets.setdefault(key, _Bucket(credential))
            bucket.in_use += 1
            session = bucket.idle.pop()[1] if bucket.idle else None
        _close(stale)
        return bucket, session

    def _release(self, key: Key, bucket: _Bucket, session: Session | None, *, is_sound: bool) -> None:
        with self._lock:
            bucket.in_use -= 1
            bucket.used = time.monotonic()
            is_known = self._buckets.get(key) is bucket
            if session and is_sound and is_known and len(bucket.idle) < MAX_IDLE:
                bucket.idle.append((bucket.used, session))
                session = None
            stale = self._take_stale()
        _close([*stale, *([session] if session else [])])

    def _take_stale(self) -> list[Session]:
        now = time.monotonic()
        stale = []
        for key, bucket in list(self._buckets.items()):
            while bucket.idle and now - bucket.idle[0][0] > IDLE_SECONDS:
                stale.append(bucket.idle.pop(0)[1])
            if not bucket.in_use and now - bucket.used > LOGIN_SECONDS:
                del self._buckets[key]
        while sum(len(bucket.idle) for bucket in self._buckets.values()) > MAX_IDLE_IN_ALL:
            filled = [bucket for bucket in self._buckets.values() if bucket.idle]
            oldest = min(filled, key=lambda bucket: bucket.idle[0][0])
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
        """A digest of the secret, which a file may change without counting versions. Of no use outside this process."""
        (secret,) = credential.secrets
        return hashlib.blake2b(secret.encode("utf-8", "surrogatepass"), key=self._salt).digest()

    def after_fork(self) -> None:
        """In the child: its parent goes on with the connections, and perhaps holds the lock."""
        buckets, self._buckets, self._lock = self._buckets, {}, threading.Lock()
        _close([session for bucket in buckets.values() for _, session in bucket.idle])


def _close(sessions: list[Session]) -> None:
    for session in sessions:
        session.close()


session_pool = SessionPool()
os.register_at_fork(after_in_child=session_pool.after_fork)
atexit.register(session_pool.forget)
