"""The cluster registry: which clusters there are, from which source (database, clusters.json, settings, in this order).

It falls back to another source than the database in three cases: no connection can be opened, the `clusters` table
does not exist, or no cluster was ever saved in it. Every other database error is raised: a fallback from a busy or
half-migrated database would send the passwords of an old file to clusters that were switched off or moved since.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.db import OperationalError, ProgrammingError, connection, transaction
from django.db.utils import InterfaceError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts.compiled_queries import CompiledList
from clusters import importing
from clusters.config import ClusterConfig, ClusterFileError, parse_entries, read_file, settle_default
from clusters.models import Adoption, Cluster
from vms import database_connectivity

logger = logging.getLogger(__name__)


class Source(StrEnum):
    DATABASE = "database"
    FILE = "clusters.json"
    SETTINGS = "defaults"  # the value is older than the name: `/healthz` and scripts know it


class Reason(StrEnum):
    """Why the database is not the source, in English; a page says `label`."""

    NONE = ""
    NO_CONNECTION = gettext_noop("the database cannot be reached")
    NO_TABLE = gettext_noop("the database has no clusters table: run bin/manage migrate")
    NOT_INITIALISED = gettext_noop(
        "no cluster was ever saved in the database: add one under /admin/clusters/, or import an old file with "
        "bin/manage import_clusters"
    )

    @property
    def label(self) -> str:
        return _(self.value) if self else ""


@dataclass(frozen=True, kw_only=True)
class State:
    """The source of clusters. `reason` is empty for the database; `notices` describe faults of a file."""

    source: Source
    reason: Reason = Reason.NONE
    since: datetime | None = None
    notices: tuple[str, ...] = ()

    @property
    def is_fallback(self) -> bool:
        return self.source is not Source.DATABASE


@dataclass(frozen=True)
class _Resolved:
    state: State
    clusters: tuple[ClusterConfig, ...] = field(default=())


class UnknownCluster(LookupError):
    """No active cluster has this ID."""


def clusters() -> tuple[ClusterConfig, ...]:
    """Active clusters: the default first, then by name. Their secrets are not decrypted."""
    return _current().clusters


def get(cluster_id: str) -> ClusterConfig:
    for config in clusters():
        if config.cluster_id == cluster_id:
            return config
    raise UnknownCluster(cluster_id)


def default() -> ClusterConfig | None:
    return next((config for config in clusters() if config.is_default), None)


def state() -> State:
    return _current().state


def load_clusters_from_db() -> list[dict[str, Any]]:
    """The active clusters as dictionaries with passwords, for old scripts. The portal does not call it."""
    return [config.to_dict() for config in clusters()]


def __getattr__(name: str) -> Any:
    if name == "CLUSTERS":
        return load_clusters_from_db()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# One resolution serves a request, a job or a command; outside of these every call resolves again.

_cache: ContextVar[list[_Resolved] | None] = ContextVar("resolved_clusters", default=None)


@contextmanager
def resolved_once() -> Iterator[None]:
    token = _cache.set([])
    try:
        yield
    finally:
        _cache.reset(token)


def _current() -> _Resolved:
    cached = _cache.get()
    if cached is None:
        return _resolve()
    if not cached:
        cached.append(_resolve())
    return cached[0]


def _resolve() -> _Resolved:
    if not database_connectivity.can_open():
        return _fall_back(Reason.NO_CONNECTION)
    try:
        rows = _active_rows()
        is_initialised = bool(rows) or Adoption.objects.exists()
    except (OperationalError, InterfaceError):
        if database_connectivity.was_lost():
            return _fall_back(Reason.NO_CONNECTION)
        if _table_missing():
            return _fall_back(Reason.NO_TABLE)
        raise
    except ProgrammingError:
        if _table_missing():
            return _fall_back(Reason.NO_TABLE)
        raise
    if not is_initialised:
        return _fall_back(Reason.NOT_INITIALISED)
    _fallback_ended()
    return _Resolved(State(source=Source.DATABASE), tuple(row.config for row in rows))


_ACTIVE = CompiledList(Cluster.objects.active)


def _active_rows() -> list[Cluster]:
    if not connection.in_atomic_block:
        return _ACTIVE.all()
    # On PostgreSQL a failed query aborts the surrounding transaction; a savepoint prevents that.
    with transaction.atomic():
        return _ACTIVE.all()


def _table_missing() -> bool:
    return Cluster._meta.db_table not in connection.introspection.table_names()


def _fall_back(reason: Reason) -> _Resolved:
    since = _fallback_since(reason)
    configs, source, notices = _from_file_or_settings()
    configs, decided = settle_default(configs)
    active = sorted((c for c in configs if c.is_active), key=lambda c: (not c.is_default, c.name, c.cluster_id))
    state = State(source=source, reason=reason, since=since, notices=(*notices, *decided))
    return _Resolved(state, tuple(active))


def _from_file_or_settings() -> tuple[list[ClusterConfig], Source, list[str]]:
    notices: list[str] = []
    try:
        return read_file(importing.find_file()), Source.FILE, notices
    except FileNotFoundError:
        pass
    except ClusterFileError as error:
        notices.append(str(error))
        _log_once("second", error)
    try:
        return parse_entries(settings.CLUSTERS, source="settings"), Source.SETTINGS, notices
    except ClusterFileError as error:
        notices.append(str(error))
        _log_once("third", error)
    return [], Source.SETTINGS, notices


# When this process first saw each reason, for pages and the log.
_first_seen: dict[Reason, datetime] = {}
_logged: set[str] = set()


def _log_once(which: str, error: ClusterFileError) -> None:
    """Log each fault once, not with every request."""
    if str(error) not in _logged:
        _logged.add(str(error))
        logger.error("The %s source of clusters is unusable: %s", which, error)


def _fallback_since(reason: Reason) -> datetime:
    if reason not in _first_seen:
        _first_seen[reason] = timezone.now()
        # A new portal has no clusters yet: that is no error.
        level = logging.INFO if reason is Reason.NOT_INITIALISED else logging.ERROR
        logger.log(level, "Clusters do not come from the database: %s.", reason)
    return _first_seen[reason]


def _fallback_ended() -> None:
    if _first_seen:
        level = logging.INFO if {*_first_seen} == {Reason.NOT_INITIALISED} else logging.WARNING
        logger.log(level, "Clusters come from the database again.")
        _first_seen.clear()
        _logged.clear()
