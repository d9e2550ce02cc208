"""Metrics for Prometheus, counted in the database at each request, so that all processes say the same."""

import hmac
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Max, Min, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from labportal.version import VERSION
from vms import registry
from vms.models import Alert, Operation, VirtualMachine, WorkerBeat
from vms.monitoring import health_checks
from vms.monitoring.health_checks import Facts


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """401 for who lacks the token, and 404 for everybody where no token is set. Clusters are named by their ID."""
    if not settings.METRICS_TOKEN:
        raise Http404
    if not _is_allowed(request):
        return HttpResponse("Say Authorization: Bearer and the token.\n", status=401, content_type="text/plain",
                            headers={"WWW-Authenticate": "Bearer"})  # fmt: skip
    found = CollectorRegistry(auto_describe=False)
    found.register(Portal())
    return HttpResponse(generate_latest(found), content_type=CONTENT_TYPE_LATEST)


def _is_allowed(request: HttpRequest) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    right = hmac.compare_digest(given.strip().encode(), settings.METRICS_TOKEN.encode())
    return right and scheme.lower() == "bearer"


class Portal(Collector):
    """A constant number of queries, whatever there is."""

    def collect(self) -> Iterator[Metric]:
        now = timezone.now()
        state = registry.state()
        yield InfoMetricFamily("labportal", "The program.", {"version": VERSION})
        yield _gauge("fallback", "1 while clusters do not come from the database.", ["source"],
                     [([state.source], state.is_fallback)])  # fmt: skip
        yield from _clusters(health_checks.gather(), now)
        yield from _machines_and_alerts()
        yield from _operations(now)
        yield from _workers(now)


def _gauge(
    name: str, text: str, labels: list[str], values: Iterable[tuple[list[str], float | None]]
) -> GaugeMetricFamily:
    """A gauge without the values that are None."""
    family = GaugeMetricFamily(f"labportal_{name}", text, labels=labels)
    for label_values, value in values:
        if value is not None:
            family.add_metric(label_values, float(value))
    return family


def _age(moment: datetime | None, now: datetime) -> float | None:
    return max(0.0, (now - moment).total_seconds()) if moment else None


def _clusters(everything: list[Facts], now: datetime) -> Iterator[Metric]:
    def each(name: str, text: str, values: Iterable[float | None]) -> GaugeMetricFamily:
        ids = ([facts.cluster.cluster_id] for facts in everything)
        return _gauge(f"cluster_{name}", text, ["cluster"], zip(ids, values, strict=True))

    syncs = [facts.sync for facts in everything]
    yield each("up", "1 when the cluster answered last time.", (facts.answers for facts in everything))
    yield each("last_success_age_seconds", "Since the read that was taken over last.",
               (_age(facts.synced_at, now) for facts in everything))  # fmt: skip
    yield each("latency_seconds", "That the last answer took.",
               (s.milliseconds / 1000 if s and s.milliseconds is not None else None for s in syncs))  # fmt: skip
    yield each("failures", "Reads in a row that failed.", (s.failures if s else None for s in syncs))
    yield each(
        "breaker_open", "1 while the cluster is tried more seldom.", (s.is_breaker_open if s else None for s in syncs)
    )
    yield each("quorate", "1 when the cluster has quorum.", (s.quorate if s else None for s in syncs))
    yield each("credential_ends_seconds", "Until the first of the portal's credentials ends.",
               ((end.earliest - now).total_seconds() if (end := f.known_expiry) and end.earliest else None
                for f in everything))  # fmt: skip


def _machines_and_alerts() -> Iterator[Metric]:
    machines = VirtualMachine.objects.present().on_active_clusters().values_list("cluster__cluster_id", "status")
    counted = machines.annotate(n=Count("pk")).order_by()
    yield _gauge("machines", "Machines that are there, by status.", ["cluster", "status"],
                 (([cluster, status], n) for cluster, status, n in counted))  # fmt: skip
    alerts = Alert.objects.open().values_list("cluster__cluster_id", "kind")
    yield _gauge("alerts", "Troubles that administrators were told of and that last.", ["cluster", "kind"],
                 (([cluster, kind], 1) for cluster, kind in alerts))  # fmt: skip


def _operations(now: datetime) -> Iterator[Metric]:
    by_state = Operation.objects.open().values_list("state", "action").annotate(n=Count("pk")).order_by()
    yield _gauge("operations_open", "Operations that are not finished.", ["state", "action"],
                 (([state, action], n) for state, action, n in by_state))  # fmt: skip
    recent = Operation.objects.commands().filter(finished_at__gt=now - timedelta(hours=1))
    by_outcome = recent.values_list("state").annotate(n=Count("pk")).order_by()
    yield _gauge("operations_finished_last_hour", "Operations by how they ended.", ["outcome"],
                 (([state], n) for state, n in by_outcome))  # fmt: skip
    oldest = Operation.objects.waiting().order_by().aggregate(at=Min("requested_at"))["at"]
    yield _gauge("operations_oldest_waiting_seconds", "How long the oldest one has waited for its turn.", [],
                 [([], _age(oldest, now) or 0)])  # fmt: skip


def _workers(now: datetime) -> Iterator[Metric]:
    alive = Count("pk", filter=Q(seen_at__gt=now - WorkerBeat.DEAD_AFTER))
    seen = WorkerBeat.objects.order_by().aggregate(alive=alive, newest=Max("seen_at"))
    last_seen = _age(seen["newest"], now)
    yield _gauge("workers", "Workers that are alive.", [], [([], seen["alive"])])
    yield _gauge("worker_last_seen_seconds", "Since the newest sign of life.", [], [([], last_seen)])
