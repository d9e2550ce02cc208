"""The page *Clusters* for staff: the state of each, its next sync, and a button that syncs it now."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from accounts.http import AuthenticatedHttpRequest, login_required
from accounts.sign_in import health
from clusters.models import Cluster
from clusters.templatetags.ages import age, ago
from vms import registry
from vms.models import Alert, AlertMessage, ClusterSync, CredentialEnd, Node, Operation, VirtualMachine, WorkerBeat
from vms.monitoring import health_checks
from vms.monitoring.health_checks import Facts
from vms.pages import cluster_words

# How long the page says that somebody asked.
ASKED_FOR = timedelta(seconds=60)

# A worker takes up what is due within this time, if one is free.
OVERDUE = timedelta(seconds=5)


@dataclass(frozen=True)
class Badge:
    """`tone` is for the style sheet; `words` say the same."""

    tone: str
    words: str


@dataclass(frozen=True)
class ClusterRow:
    """A cluster on the page, in words."""

    pk: int
    cluster_id: str
    name: str
    is_default: bool
    badge: Badge
    problem: str
    facts: tuple[tuple[str, str], ...]
    alerts: tuple[str, ...]
    asked: str = ""
    responds: bool = False


@dataclass(frozen=True)
class StatusPage:
    rows: tuple[ClusterRow, ...]
    worker: str
    busy: bool = field(default=False)

    @property
    def title(self) -> str:
        """The number of clusters that respond, in words."""
        if not self.rows:
            return _("Clusters")
        text = ngettext(
            "%(responding)s of %(all)s cluster responding",
            "%(responding)s of %(all)s clusters responding",
            len(self.rows),
        )
        return text % {"responding": sum(row.responds for row in self.rows), "all": len(self.rows)}

    @property
    def fingerprint(self) -> str:
        """Changes when the page would say something else."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]


@require_GET
@login_required
def cluster_status(request: AuthenticatedHttpRequest) -> HttpResponse:
    """The whole page; to htmx the list alone, or 204 when nothing changed."""
    if not (request.user.is_staff and request.user.has_perm("clusters.view_cluster")):
        raise PermissionDenied
    now = timezone.now()
    asked, asked_at = request.GET.get("asked", ""), _moment(request.GET.get("at", ""), now)
    page = status_page(now, asked=asked, asked_at=asked_at)
    seen = page.fingerprint
    if request.htmx and request.GET.get("seen") == seen:
        return HttpResponse(status=204)
    again = {"asked": asked, "at": request.GET.get("at", "")} if asked_at else {}
    context: dict[str, Any] = {
        "page": page,
        "state": registry.state(),
        "sources": [] if request.htmx else health.findings(now),
        "poll": f"{request.path}?{urlencode({**again, 'seen': seen})}",
    }
    return render(request, "vms/_clusters.html" if request.htmx else "vms/clusters.html", context)


@require_POST
@login_required
@permission_required("clusters.test_cluster", raise_exception=True)
def sync_now(request: HttpRequest, cluster_id: str) -> HttpResponse:
    """Let a worker read the cluster as soon as possible. Nothing is sent from here."""
    cluster = get_object_or_404(Cluster.objects.active(), cluster_id=cluster_id)
    ClusterSync.request_sync(cluster.cluster_id)
    if not _worker(timezone.now()):
        messages.info(request, _("%(name)s will be synced as soon as a worker is running.") % {"name": cluster.name})
    query = urlencode({"asked": cluster.cluster_id, "at": int(timezone.now().timestamp() * 1000)})
    return redirect(f"{reverse('vms-clusters')}?{query}#cluster-{cluster.pk}")


def _moment(given: str, now: datetime) -> datetime | None:
    """The time of the person's click, given in milliseconds since 1970, if that was a moment ago."""
    if not (given.isascii() and given.isdigit() and len(given) <= 13):
        return None
    at = datetime.fromtimestamp(int(given) / 1000, tz=now.tzinfo)
    return at if now - ASKED_FOR < at <= now else None


def status_page(now: datetime, *, asked: str = "", asked_at: datetime | None = None) -> StatusPage:
    """The page, in a number of queries that does not depend on the number of clusters."""
    everything = health_checks.gather()
    nodes, machines, operations, alerts = _nodes(), _machines(), _operations(), _alerts()
    rows = []
    for facts in everything:
        known = facts.cluster.cluster_id
        row = _row(facts, nodes.get(known, []), machines.get(known, {}), operations.get(known, (0, 0)), now)
        row = replace(row, alerts=tuple(alerts.get(known, ())), responds=facts.answers)
        rows.append(replace(row, asked=_asked(facts, asked_at)) if asked_at and known == asked else row)
    return StatusPage(tuple(rows), _worker(now), busy=any(row.asked.endswith("…") for row in rows))


def _row(
    facts: Facts, nodes: list[Node], machines: dict[str, int], operations: tuple[int, int], now: datetime
) -> ClusterRow:
    cluster, health, sync = facts.cluster, facts.health, facts.sync
    # What is told of a cluster that is silent is how it was.
    then = "" if facts.answers or health is None else _(", as of the last response")
    told = {
        _("Version"): _("Proxmox VE %(version)s") % {"version": health.version}
        if health and health.version
        else _("unknown"),
        _("Nodes"): cluster_words.node_words(nodes) + (then if nodes else ""),
        _("Quorum"): {
            True: _("yes: most nodes are connected"),
            False: _("no: machines can't be started"),
            None: _("unknown"),
        }[sync.quorate if sync else None],
        _("Latency"): _("%(milliseconds)s ms") % {"milliseconds": sync.milliseconds} + then
        if sync and sync.milliseconds is not None
        else _("unknown"),
        _("Machines"): cluster_words.machine_words(machines) + then,
        _("Operations"): cluster_words.operation_words(*operations),
        _("Last sync"): ago(facts.synced_at) if facts.synced_at else _("never"),
        _("Circuit breaker"): _breaker(sync),
        _("Next try"): _next_try(facts, now),
        _("Credential"): _credential(facts),
    }
    problem = health.rendered_problem if health and not health.ok else sync.rendered_notice if sync else ""
    return ClusterRow(
        cluster.pk, cluster.cluster_id, cluster.name, cluster.is_default, _badge(facts, now), problem,
        tuple(told.items()), (),
    )  # fmt: skip


def _badge(facts: Facts, now: datetime) -> Badge:
    health = facts.health
    if health is None:
        return Badge("unknown", _("Not synced yet"))
    if health.ok:
        return Badge("paused", _("Out of date")) if facts.late_since(now) else Badge("running", _("Responding"))
    if health.has_bad_certificate:
        changed = health.has_changed_certificate
        return Badge("failed", _("Certificate changed") if changed else _("Certificate not trusted"))
    if health.rejects_credential:
        return Badge("failed", _("Credential rejected"))
    return Badge("failed", _("Not responding for %(age)s") % {"age": age(health.failing_since or health.checked_at)})


def _breaker(sync: ClusterSync | None) -> str:
    if sync and sync.is_breaker_open:
        return _("open: %(failures)s failures in a row, so the portal tries less often") % {"failures": sync.failures}
    return _("closed: the portal syncs as often as it should")


def _next_try(facts: Facts, now: datetime) -> str:
    sync = facts.sync
    if sync is None or sync.due_at < now - OVERDUE:
        return _("as soon as a worker is free")
    if facts.answers:
        return _("every %(seconds)s s") % {"seconds": f"{facts.every.total_seconds():.0f}"}
    if facts.rejected:
        return _("when a valid credential has been entered, or the connection has been tested")
    if sync.is_syncing or sync.due_at <= now:
        return _("now")
    return _("at %(time)s") % {"time": f"{timezone.localtime(sync.due_at):%H:%M:%S}"}


def _credential(facts: Facts) -> str:
    if facts.rejected or facts.read_token_rejected:
        return _("rejected: enter a valid one in the cluster's settings")
    if not (end := facts.known_expiry):
        return _("expiry unknown")
    if end.problem:
        return _("expiry unknown; reading it needs Sys.Audit on /access/groups")
    return _end_words(end)


def _end_words(end: CredentialEnd) -> str:
    return _("expires on %(day)s") % {"day": health_checks.day(end.earliest)} if end.earliest else _("does not expire")


def _asked(facts: Facts, asked_at: datetime) -> str:
    """First somebody wants it, then a worker has the turn, and then there is a result."""
    sync = facts.sync
    if sync is None or sync.asked_at is None or sync.asked_at < asked_at or sync.is_syncing:
        return _("Syncing…")
    return _("The cluster responded just now.") if facts.answers else _("The cluster did not respond just now.")


def _worker(now: datetime) -> str:
    """The number of running workers in words, or nothing."""
    alive = WorkerBeat.objects.filter(seen_at__gt=now - WorkerBeat.DEAD_AFTER).count()
    return ngettext("%(alive)s worker running", "%(alive)s workers running", alive) % {"alive": alive} if alive else ""


# The rest of the facts, by cluster, each in one query.


def _nodes() -> dict[str, list[Node]]:
    found: dict[str, list[Node]] = {}
    for node in Node.objects.present().filter(cluster__is_active=True).order_by("cluster_id", "name"):
        found.setdefault(node.cluster_id, []).append(node)
    return found


def _machines() -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    present = VirtualMachine.objects.present().on_active_clusters().filter(template=False)
    for cluster_id, status, count in (
        present.values_list("cluster__cluster_id", "status").annotate(n=Count("pk")).order_by()
    ):
        found.setdefault(cluster_id, {})[status] = count
    return found


def _operations() -> dict[str, tuple[int, int]]:
    waits = Q(admitted_at=None)
    rows: Iterable[Any] = (
        Operation.objects.open()
        .values("cluster_id")
        .annotate(under_way=Count("pk", filter=~waits), waiting=Count("pk", filter=waits))
        .order_by()
    )
    return {row["cluster_id"]: (row["under_way"], row["waiting"]) for row in rows}


def _alerts() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    sent = set(
        AlertMessage.objects.filter(event=AlertMessage.Event.OPEN, state=AlertMessage.State.SENT)
        .filter(alert__in=Alert.objects.open())
        .values_list("alert_id", flat=True)
    )
    for alert in Alert.objects.open():
        # Without mail and webhook, and while neither can be delivered, nobody was sent anything.
        text = _("%(trouble)s. Alert sent %(ago)s") if alert.pk in sent else _("%(trouble)s. Alert raised %(ago)s")
        told = ago(alert.opened_at or alert.seen_at)
        found.setdefault(alert.cluster_id, []).append(text % {"trouble": alert.get_kind_display(), "ago": told})
    return found
