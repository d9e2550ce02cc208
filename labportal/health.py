"""Probes: database, worker and age of the machine list. They name no host and no cluster."""

import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLate
from datetime import datetime
from typing import Any

from django.db import DatabaseError, InterfaceError, connection
from django.db.models import Max
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from vms import database_connectivity, registry
from vms.models import WorkerBeat
from vms.monitoring import health_checks

# Seconds. A connection that was good may hang for ever, and a probe does not wait for that.
PATIENCE = 2.6

Body = dict[str, Any]

BROKEN = {registry.Reason.NO_CONNECTION, registry.Reason.NO_TABLE}
SILENT: Body = {"ok": False, "clusters_source": None, "reason": "the database does not answer"}
BROKEN_PROBE: Body = {"ok": False, "clusters_source": None, "reason": "the portal has an error: look at its log"}


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """200 while the portal works, 503 while it cannot; `reason` says why.

    `worker`: seconds since a worker was seen. `oldest_sync`: seconds since the machines of a cluster that answers
    were read, of the one where that is longest. `clusters_down`: clusters that do not answer, which is their trouble
    and not the portal's.
    """
    body = _now()
    return JsonResponse(body, status=200 if body["ok"] else 503)


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """For load balancers: 200 while pages can be made, which needs no worker; 503 while they cannot."""
    body = _now()
    ready = body["clusters_source"] is not None and body["reason"] not in BROKEN
    return JsonResponse({"ok": ready, "reason": "" if ready else body["reason"]}, status=200 if ready else 503)


def _now() -> Body:
    return _look() if connection.in_atomic_block else _shared_look()


# However many probes ask at once, one of them looks, and all hear the same.
_lock = threading.Lock()
_running: "Future[Body] | None" = None


def _shared_look() -> Body:
    global _running  # noqa: PLW0603 - one for the process
    with _lock:
        if _running is None or _running.done():
            _running = Future()
            threading.Thread(target=_fulfil, args=[_running], daemon=True).start()
        look = _running
    try:
        return look.result(PATIENCE)
    except TooLate:
        return SILENT


def _fulfil(look: "Future[Body]") -> None:
    try:
        look.set_result(_look())
    finally:
        if not look.done():
            look.set_result(BROKEN_PROBE)
        connection.close()


def _look() -> Body:
    try:
        with database_connectivity.ping_early(), registry.resolved_once():
            state = registry.state()
            if state.reason in BROKEN:
                return _told(state, ok=False, reason=str(state.reason))
            return _working(state, timezone.now())
    except (DatabaseError, InterfaceError) as error:
        return {"ok": False, "clusters_source": None, "reason": type(error).__name__}


def _working(state: registry.State, now: datetime) -> Body:
    """The database answers; without an active cluster in it, there is nothing for a worker to do."""
    everything = health_checks.gather()
    worker = _seconds(WorkerBeat.objects.aggregate(at=Max("seen_at"))["at"], now)
    syncs = [facts.synced_at for facts in everything if facts.answers and facts.synced_at]
    reason = str(state.reason)
    if everything and (worker is None or worker >= WorkerBeat.DEAD_AFTER.total_seconds()):
        reason = "no worker runs: start bin/manage worker, or bin/serve"
    elif any(facts.late_since(now) for facts in everything):
        reason = "machines of a cluster that answers are out of date: look at the worker's log"
    return _told(
        state,
        ok=reason == state.reason,
        reason=reason,
        worker=worker,
        oldest_sync=_seconds(min(syncs, default=None), now),
        clusters=len(everything),
        clusters_down=sum(facts.health is not None and not facts.health.ok for facts in everything),
    )


def _told(state: registry.State, *, ok: bool, reason: str, **more: Any) -> Body:
    since = {"since": state.since.isoformat(timespec="seconds")} if state.since else {}
    return {"ok": ok, "clusters_source": state.source, "reason": reason, **since, **more}


def _seconds(moment: datetime | None, now: datetime) -> int | None:
    return max(0, int((now - moment).total_seconds())) if moment else None
