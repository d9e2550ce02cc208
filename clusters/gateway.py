"""Connections that the portal opens by itself, with a login throttle: one attempt for each credential.

The database remembers, for all processes, what a cluster has rejected.
Proxmox VE delays every rejected login by seconds, and somebody watches its log for guessing: a password that was
changed over there must not be tried again with every sync of every worker.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts import concurrency
from accounts.compiled_queries import CompiledByKey
from clusters import proxmox
from clusters.config import ClusterConfig
from clusters.models import Cluster, LoginState, ProvisioningAccess
from clusters.sentences import say

# Longer than a login takes until the gateway gives it up: a process that died in an attempt is not waited for.
TURN = timedelta(seconds=30)


class DatabaseLoginThrottle(proxmox.LoginThrottle):
    """Lets one process try at a time, and remembers in the cluster's row of `LoginState`. One for each connection."""

    def __init__(self) -> None:
        self._is_clean = False

    def acquire(self, config: ClusterConfig, *, patience: float) -> None:
        end = time.monotonic() + patience
        while not self._may_try(config):
            if time.monotonic() >= end:
                raise proxmox.TimedOut(sent=False)
            with concurrency.release_slot():
                time.sleep(0.1)

    def _may_try(self, config: ClusterConfig) -> bool:
        versions = _rejected_versions(config)
        if versions is None:
            return True
        rejected = versions[_rejected_of(config)]
        if rejected == config.credential_version:
            raise proxmox.LoginRejected(say("credential-rejected-before", credential=config.credential_name))
        self._is_clean = rejected is None
        if _is_by_token(config):
            return True  # a token does not log in, so nobody has to wait
        now = timezone.now()
        state = LoginState.objects.filter(cluster__cluster_id=config.cluster_id)
        free = state.filter(Q(busy_until=None) | Q(busy_until__lt=now))
        return bool(free.exclude(rejected_version=config.credential_version).update(busy_until=now + TURN))

    def accepted(self, config: ClusterConfig) -> None:
        if self._is_clean and _is_by_token(config):
            return  # nothing to take back, with every read of every cluster
        _write(config, **{_rejected_of(config): None})

    def rejected(self, config: ClusterConfig, error: proxmox.LoginRejected) -> None:
        _write(config, **{_rejected_of(config): config.credential_version})

    def release(self, config: ClusterConfig) -> None:
        _write(config)


class ProvisioningThrottle(proxmox.LoginThrottle):
    """Remembers that a cluster refused the token for making machines. A token does not log in: nobody waits."""

    def acquire(self, config: ClusterConfig, *, patience: float) -> None:
        if _access(config).filter(rejected_version=config.credential_version).exists():
            raise proxmox.LoginRejected(say("credential-rejected-before", credential=config.credential_name))

    def rejected(self, config: ClusterConfig, error: proxmox.LoginRejected) -> None:
        _access(config).update(rejected_version=config.credential_version)


def _access(config: ClusterConfig) -> QuerySet[ProvisioningAccess]:
    return ProvisioningAccess.objects.filter(cluster__cluster_id=config.cluster_id)


def _is_by_token(config: ClusterConfig) -> bool:
    return bool(config.token_id and config.token_secret)


def _rejected_of(config: ClusterConfig) -> str:
    """The column that remembers this credential: one that was rejected says nothing of the other."""
    return "rejected_read_version" if config.reads_only else "rejected_version"


_VERSIONS = ("rejected_version", "rejected_read_version")
_STATE = CompiledByKey(
    lambda cluster_id: LoginState.objects.filter(cluster__cluster_id=cluster_id).values_list(*_VERSIONS)
)


def _rejected_versions(config: ClusterConfig) -> dict[str, int | None] | None:
    """By the columns of `LoginState`. None for a cluster that is not in the database."""
    found = _STATE.first_raw(config.cluster_id)
    if found is None:
        cluster = Cluster.objects.filter(cluster_id=config.cluster_id).only("pk").first()
        if cluster is None:
            return None
        state = LoginState.objects.get_or_create(cluster=cluster)[0]
        found = tuple(getattr(state, name) for name in _VERSIONS)
    return dict(zip(_VERSIONS, found, strict=True))


def _write(config: ClusterConfig, **fields: object) -> None:
    if not _is_by_token(config):
        fields["busy_until"] = None  # the attempt is over
    if fields:
        LoginState.objects.filter(cluster__cluster_id=config.cluster_id).update(**fields)


@contextmanager
def connect(config: ClusterConfig, *, change_within: float = 0.0) -> Iterator[proxmox.Client]:
    """`proxmox.connect` for everything that the portal does by itself."""
    with proxmox.connect(config, throttle=DatabaseLoginThrottle(), change_within=change_within) as pve:
        yield pve


@contextmanager
def read(config: ClusterConfig, *, deadline: float = proxmox.DEADLINE) -> Iterator[proxmox.Reader]:
    """A connection that only reads; each call may take so many seconds."""
    with proxmox.read(config, deadline=deadline, throttle=DatabaseLoginThrottle()) as pve:
        yield pve


@contextmanager
def make(config: ClusterConfig, *, deadline: float = proxmox.DEADLINE) -> Iterator[proxmox.Maker]:
    """A connection that makes and removes machines, by the token for that; each call may take so many seconds.

    Raises `MakingIsOff`, which is a `NoCredential`, while the cluster has no such token or its switch is off.
    """
    making = _for_making(config)
    if making is None:
        raise proxmox.MakingIsOff
    with proxmox.make(making, deadline=deadline, throttle=ProvisioningThrottle()) as pve:
        yield pve


def may_make(config: ClusterConfig) -> bool:
    """Whether the cluster is active and its switch for making machines is on, at this moment."""
    return _for_making(config) is not None


def _for_making(config: ClusterConfig) -> ClusterConfig | None:
    access = _access(config).select_related("cluster").first()
    return access.config if access and access.cluster.is_active else None
