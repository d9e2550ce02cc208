"""Counts what needs an administrator's attention, for the entries of the admin's index.

Each number is a link to the list of what it counts. One query each, of whatever the person may look at: they do not
grow with what there is.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import NamedTuple

from django.db.models import Count, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django_tasks.base import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from accounts import locked_names
from accounts.models import SignInSource, User
from accounts.sign_in import health
from classes.models import Membership
from clusters.models import Cluster
from clusters.models.health import BY_HEALTH
from vms.models import (
    Alert,
    Assignment,
    ClusterSync,
    ConsoleSession,
    Node,
    Operation,
    VirtualMachine,
    WorkerBeat,
)

LATELY = timedelta(days=1)  # how long an operation that failed is worth a number


class Item(NamedTuple):
    """So many of something, and where they are listed. What is no problem is shown for information."""

    text: str
    url: str
    is_problem: bool = True


def for_request(request: HttpRequest) -> dict[str, list[Item]]:
    """By model ("vms.operation"), of those models that the person may look at. What is 0 is left out."""
    allowed = {label: count for label, count in COUNTS.items() if request.user.has_perm(_view(label))}
    return {label: list(count()) for label, count in allowed.items()}


def _view(label: str) -> str:
    app, model = label.split(".")
    return f"{app}.view_{model}"


def _list(label: str, **query: str) -> str:
    address = reverse(f"admin:{label.replace('.', '_')}_changelist")
    return f"{address}?{urlencode(query)}" if query else address


def _people() -> Iterator[Item]:
    if n := len(locked_names.current()):
        yield Item(ngettext("%(n)d locked", "%(n)d locked", n) % {"n": n}, _list("accounts.user", locked="yes"))
    if n := User.objects.filter(is_active=True, must_change_password=True).count():
        text = ngettext("%(n)d must change their password", "%(n)d must change their password", n) % {"n": n}
        wanted = {"must_change_password__exact": "1", "is_active__exact": "1"}
        yield Item(text, _list("accounts.user", **wanted), False)


def _sources(kind: SignInSource.Kind, label: str) -> Iterator[Item]:
    """Active ones with something wrong, as it is stored: nobody is asked."""
    wrong = {one.source.pk for one in health.findings(timezone.now()) if one.source.kind == kind and not one.ok}
    if n := len(wrong):
        text = ngettext("%(n)d with a problem", "%(n)d with problems", n) % {"n": n}
        yield Item(text, _list(label, is_active__exact="1"))


def _clusters() -> Iterator[Item]:
    blind = Q(verify_ssl=False, ca_certificate="", fingerprint="")
    active = Cluster.objects.filter(is_active=True)
    counts = {name: Count("pk", filter=condition) for name, condition in BY_HEALTH.items()}
    found = active.aggregate(**counts, blind=Count("pk", filter=blind))
    if n := found["failing"]:
        text = ngettext("%(n)d not responding", "%(n)d not responding", n) % {"n": n}
        yield Item(text, _list("clusters.cluster", health="failing", is_active__exact="1"))
    if n := found["distrusted"]:
        text = ngettext("%(n)d certificate not trusted", "%(n)d certificates not trusted", n) % {"n": n}
        yield Item(text, _list("clusters.cluster", health="distrusted", is_active__exact="1"))
    if n := found["rejecting"]:
        text = ngettext("%(n)d credential rejected", "%(n)d credentials rejected", n) % {"n": n}
        yield Item(text, _list("clusters.cluster", health="rejecting", is_active__exact="1"))
    if n := found["blind"]:
        text = ngettext("%(n)d certificate not verified", "%(n)d certificates not verified", n) % {"n": n}
        yield Item(text, _list("clusters.cluster", trust="none", is_active__exact="1"))


def _alerts() -> Iterator[Item]:
    if n := Alert.objects.open().count():
        yield Item(ngettext("%(n)d open", "%(n)d open", n) % {"n": n}, _list("vms.alert", open="yes"))


def _syncs() -> Iterator[Item]:
    if n := ClusterSync.objects.filter(cluster__is_active=True).exclude(notice="").count():
        text = ngettext("%(n)d with a notice", "%(n)d with a notice", n) % {"n": n}
        yield Item(text, _list("vms.clustersync", notice="yes"))


def _nodes() -> Iterator[Item]:
    if n := Node.objects.filter(online=False, missing_since=None).count():
        text = ngettext("%(n)d offline", "%(n)d offline", n) % {"n": n}
        yield Item(text, _list("vms.node", online__exact="0", presence="there"))


def _machines() -> Iterator[Item]:
    there = VirtualMachine.objects.filter(gone_at=None)
    doubted, missing = Q(doubted_since__isnull=False), Q(missing_since__isnull=False)
    found = there.aggregate(doubted=Count("pk", filter=doubted), missing=Count("pk", filter=missing))
    if n := found["doubted"]:
        text = ngettext("%(n)d with an uncertain identity", "%(n)d with an uncertain identity", n) % {"n": n}
        yield Item(text, _list("vms.virtualmachine", presence="doubted"))
    if n := found["missing"]:
        text = ngettext("%(n)d missing on its cluster", "%(n)d missing on their clusters", n) % {"n": n}
        yield Item(text, _list("vms.virtualmachine", presence="missing"))


def _operations() -> Iterator[Item]:
    since = timezone.now().replace(second=0, microsecond=0) - LATELY
    failed = Operation.objects.filter(state=Operation.State.FAILED, requested_at__gte=since)
    if n := failed.count():
        text = ngettext("%(n)d failed in 24 hours", "%(n)d failed in 24 hours", n) % {"n": n}
        yield Item(text, _list("vms.operation", state__exact="failed", requested_at__gte=since.isoformat(sep=" ")))


def _assignments() -> Iterator[Item]:
    if n := Assignment.objects.unprepared().count():
        text = ngettext("%(n)d machine could not be prepared", "%(n)d machines could not be prepared", n) % {"n": n}
        yield Item(text, _list("vms.assignment", lasts="unprepared"))


def _consoles() -> Iterator[Item]:
    if n := ConsoleSession.objects.alive().count():
        yield Item(ngettext("%(n)d open", "%(n)d open", n) % {"n": n}, _list("vms.consolesession"), False)


def _classes() -> Iterator[Item]:
    if n := Membership.objects.waiting().values("lab_class").distinct().order_by().count():
        text = ngettext("%(n)d with people waiting for a machine", "%(n)d with people waiting for a machine", n)
        yield Item(text % {"n": n}, _list("classes.labclass", waiting="yes"))


def _tasks() -> Iterator[Item]:
    if not WorkerBeat.objects.filter(seen_at__gt=timezone.now() - WorkerBeat.DEAD_AFTER).exists():
        yield Item(_("no worker running"), _list("django_tasks_database.dbtaskresult"))
    if n := DBTaskResult.objects.filter(status=TaskResultStatus.FAILED).count():
        text = ngettext("%(n)d task failed", "%(n)d tasks failed", n) % {"n": n}
        yield Item(text, _list("django_tasks_database.dbtaskresult", status__exact="FAILED"))


COUNTS: dict[str, Callable[[], Iterator[Item]]] = {
    "accounts.user": _people,
    "accounts.directory": partial(_sources, SignInSource.Kind.DIRECTORY, "accounts.directory"),
    "accounts.provider": partial(_sources, SignInSource.Kind.PROVIDER, "accounts.provider"),
    "accounts.trustedheader": partial(_sources, SignInSource.Kind.HEADER, "accounts.trustedheader"),
    "clusters.cluster": _clusters,
    "vms.alert": _alerts,
    "vms.clustersync": _syncs,
    "vms.node": _nodes,
    "vms.virtualmachine": _machines,
    "vms.operation": _operations,
    "vms.assignment": _assignments,
    "vms.consolesession": _consoles,
    "classes.labclass": _classes,
    "django_tasks_database.dbtaskresult": _tasks,
}
