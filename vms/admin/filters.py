"""Filters of the admin's lists of machines and of what belongs to them. Together they cost one query."""

from typing import Any

from django.contrib import admin
from django.db.models import Exists, FilteredRelation, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clusters.models import Cluster
from vms.models import Assignment, VirtualMachine

Choices = list[tuple[str, str]]

STATUSES = ("running", "stopped", "paused", "unknown")


def _clusters_and_pools(request: HttpRequest) -> list[tuple[str, str, str | None]]:
    """ID and name of each cluster with each of its pools, or with none: one query for two filters."""
    known: list[tuple[str, str, str | None]] | None = getattr(request, "clusters_and_pools", None)
    if known is None:
        rows = Cluster.objects.annotate(pool=FilteredRelation("pools", condition=Q(pools__missing_since=None)))
        known = list(rows.order_by("name").values_list("cluster_id", "name", "pool__name"))
        setattr(request, "clusters_and_pools", known)  # noqa: B010 - no attribute that a request is known to have
    return known


class ClusterFilter(admin.SimpleListFilter):
    title = gettext_lazy("cluster")
    parameter_name = "cluster"
    column = "cluster_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return list(dict.fromkeys((cluster_id, name) for cluster_id, name, _ in _clusters_and_pools(request)))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{self.column: self.value()}) if self.value() else queryset


class ClusterNameFilter(ClusterFilter):
    """For rows that outlive their cluster."""


class ClusterOfMachineFilter(ClusterFilter):
    column = "vm__cluster_id"


class StatusFilter(admin.SimpleListFilter):
    title = gettext_lazy("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [*((status, _(status)) for status in STATUSES), ("other", _("any other"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[VirtualMachine]) -> QuerySet[VirtualMachine]:
        if self.value() == "other":
            return queryset.exclude(status__in=STATUSES)
        return queryset.filter(status=self.value()) if self.value() else queryset


class PoolFilter(admin.SimpleListFilter):
    title = gettext_lazy("pool")
    parameter_name = "pool"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [(name, name) for name in sorted({pool for *_, pool in _clusters_and_pools(request) if pool})]

    def queryset(self, request: HttpRequest, queryset: QuerySet[VirtualMachine]) -> QuerySet[VirtualMachine]:
        return queryset.filter(pool=self.value()) if self.value() else queryset


class AssignedFilter(admin.SimpleListFilter):
    title = gettext_lazy("assigned")
    parameter_name = "held"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [("yes", _("to somebody")), ("no", _("to nobody"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[VirtualMachine]) -> QuerySet[VirtualMachine]:
        assigned = Exists(Assignment.objects.live().filter(vm=OuterRef("pk")))
        wanted = {"yes": assigned, "no": ~assigned}.get(self.value() or "")
        return queryset if wanted is None else queryset.filter(wanted)


class PresenceFilter(admin.SimpleListFilter):
    """Hides machines that are gone, unless they are selected."""

    title = gettext_lazy("presence")
    parameter_name = "presence"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [
            ("missing", _("missing now")),
            ("doubted", _("identity in doubt")),
            ("gone", _("gone")),
            ("all", _("also what is gone")),
        ]

    def choices(self, changelist: Any) -> Any:
        there, *rest = super().choices(changelist)
        return iter([{**there, "display": _("there")}, *rest])

    def queryset(self, request: HttpRequest, queryset: QuerySet[VirtualMachine]) -> QuerySet[VirtualMachine]:
        if self.value() == "missing":
            return queryset.filter(gone_at=None, missing_since__isnull=False)
        if self.value() == "doubted":
            return queryset.filter(gone_at=None, doubted_since__isnull=False)
        if self.value() == "gone":
            return queryset.exclude(gone_at=None)
        return queryset if self.value() == "all" else queryset.filter(gone_at=None)


class LiveFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "lasts"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [("yes", _("current")), ("no", _("ended")), ("unprepared", _("machine could not be prepared"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "unprepared":
            return queryset.unprepared()
        wanted: dict[str, dict[str, Any]] = {"yes": {"ended_at": None}, "no": {"ended_at__isnull": False}}
        return queryset.filter(**wanted.get(self.value() or "", {}))


class OpenAlertFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [("yes", _("open")), ("no", _("over"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "yes":
            return queryset.open()
        return queryset.exclude(closed_at=None) if self.value() == "no" else queryset


class NoticeFilter(admin.SimpleListFilter):
    title = gettext_lazy("notice")
    parameter_name = "notice"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [("yes", _("with a notice"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(cluster__is_active=True).exclude(notice="") if self.value() == "yes" else queryset


class NodePresenceFilter(admin.SimpleListFilter):
    title = gettext_lazy("presence")
    parameter_name = "presence"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [("there", _("listed by the cluster")), ("missing", _("no longer listed"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted: dict[str, dict[str, Any]] = {
            "there": {"missing_since": None},
            "missing": {"missing_since__isnull": False},
        }
        return queryset.filter(**wanted.get(self.value() or "", {}))
