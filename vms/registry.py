"""Which clusters there are. The only file that knows the order of sources: database, clusters.json, settings.

The database is left in three cases alone: no connection can be opened, the `clusters` table does not exist, or no
cluster was ever saved in it. Every other database error is raised: falling back on a busy or half-migrated database
would send the passwords of an old file to clusters that somebody has since switched off or moved.
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

from clusters import importing
from clusters.config import ClusterConfig, ClusterFileError, parse_entries, read_file, settle_default
from clusters.models import Adoption, Cluster
from vms import database_connectivity

logger = logging.getLogger(__name__)


class Source(StrEnum):
    DATABASE = "database"
    FILE = "clusters.json"
    DEFAULTS = "defaults"


class Reason(StrEnum):
    """Why the database is not the source, in English; a page says `label`."""

    NONE = ""
    NO_CONNECTION = gettext_noop("the database cannot be reached")
    NO_TABLE = gettext_noop("the database has no clusters table: run bin/manage migrate")
    NOT_ADOPTED = gettext_noop(
        "no cluster was ever saved in the database: add one under /admin/clusters/, or import an old file with "
        "bin/manage import_clusters"
    )

    @property
    def label(self) -> str:
        return _(self.value) if self else ""


@dataclass(frozen=True, kw_only=True)
class State:
    """Where the clusters come from. `reason` is empty on the database; `notices` tell what is wrong with a file."""

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
    """The active clusters as dictionaries with passwords, for old scripts. Nothing of the portal calls it."""
    return [config.to_dict() for config in clusters()]


def __getattr__(name: str) -> Any:
    if name == "CLUSTERS":
        return load_clusters_from_db()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# One resolution serves a request, a sync cycle or a command; outside of these every question is asked anew.

_memory: ContextVar[list[_Resolved] | None] = ContextVar("resolved_clusters", default=None)


@contextmanager
def resolved_once() -> Iterator[None]:
    token = _memory.set([])
    try:
        yield
    finally:
        _memory.reset(token)


def _current() -> _Resolved:
    memory = _memory.get()
    if memory is None:
        return _resolve()
    if not memory:
        memory.append(_resolve())
    return memory[0]


def _resolve() -> _Resolved:
    if not database_connectivity.can_open():
        return _fall_back(Reason.NO_CONNECTION)
    try:
        rows = _active_rows()
        adopted = bool(rows) or Adoption.objects.exists()
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
    if not adopted:
        return _fall_back(Reason.NOT_ADOPTED)
    _fallback_ended()
    return _Resolved(State(source=Source.DATABASE), tuple(row.config for row in rows))


def _active_rows() -> list[Cluster]:
    if not connection.in_atomic_block:
        return list(Cluster.objects.active())
    # On PostgreSQL a failed query breaks the transaction around it; the savepoint keeps the question harmless.
    with transaction.atomic():
        return list(Cluster.objects.active())


def _table_missing() -> bool:
    return Cluster._meta.db_table not in connection.introspection.table_names()


def _fall_back(reason: Reason) -> _Resolved:
    since = _fallback_began(reason)
    configs, source, notices = _outside_the_database()
    configs, decided = settle_default(configs)
    active = sorted((c for c in configs if c.is_active), key=lambda c: (not c.is_default, c.name, c.cluster_id))
    state = State(source=source, reason=reason, since=since, notices=(*notices, *decided))
    return _Resolved(state, tuple(active))


def _outside_the_database() -> tuple[list[ClusterConfig], Source, list[str]]:
    notices: list[str] = []
    try:
        return read_file(importing.find_file()), Source.FILE, notices
    except FileNotFoundError:
        pass
    except ClusterFileError as error:
        notices.append(str(error))
        _complain("second", error)
    try:
        return parse_entries(settings.CLUSTERS, source="settings"), Source.DEFAULTS, notices
    except ClusterFileError as error:
        notices.append(str(error))
        _complain("third", error)
    return [], Source.DEFAULTS, notices


# When this process first saw each reason. Kept only to say so: it decides nothing.
_began: dict[Reason, datetime] = {}
_complaints: set[str] = set()


def _complain(which: str, error: ClusterFileError) -> None:
    """Once for each fault, not with every page."""
    if str(error) not in _complaints:
        _complaints.add(str(error))
        logger.error("The %s source of clusters is unusable: %s", which, error)


def _fallback_began(reason: Reason) -> datetime:
    if reason not in _began:
        _began[reason] = timezone.now()
        # A new portal's first minute is nothing to be alarmed at.
        level = logging.INFO if reason is Reason.NOT_ADOPTED else logging.ERROR
        logger.log(level, "Clusters do not come from the database: %s.", reason)
    return _began[reason]


def _fallback_ended() -> None:
    if _began:
        level = logging.INFO if {*_began} == {Reason.NOT_ADOPTED} else logging.WARNING
        logger.log(level, "Clusters come from the database again.")
        _began.clear()
        _complaints.clear()
