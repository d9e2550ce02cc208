"""Machines, assignments and operations in the admin. Only assignments are written here by hand."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import ngettext

from vms.models import Alert, AlertMessage, Assignment, ClusterSync, Node, Operation, SyncRun, VirtualMachine


class ReadOnly:
    """What is observed or recorded is not edited."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class GoesWithItsCluster(ReadOnly):
    """The confirmation page of deleting a cluster asks this of whatever goes with it."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        match = request.resolver_match
        is_about_clusters = bool(match and str(match.url_name).startswith("clusters_cluster_"))
        return is_about_clusters and request.user.has_perm("clusters.delete_cluster")


@admin.register(VirtualMachine)
class VirtualMachineAdmin(GoesWithItsCluster, admin.ModelAdmin[VirtualMachine]):
    list_display = ("display_name", "vmid", "cluster", "node", "status", "held_by", "missing_since", "gone_at")
    list_filter = (
        "cluster", "status", "kind", "template", ("missing_since", admin.EmptyFieldListFilter),
        ("gone_at", admin.EmptyFieldListFilter), "node",
    )  # fmt: skip
    search_fields = ("name", "vmid", "cluster__cluster_id", "cluster__name", "tags", "pool")
    list_select_related = ("cluster",)
    list_per_page = 50
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[VirtualMachine]:
        return super().get_queryset(request).prefetch_related("assignments__user")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[VirtualMachine], search_term: str
    ) -> tuple[QuerySet[VirtualMachine], bool]:
        """What is gone is given to nobody."""
        if request.resolver_match and request.resolver_match.url_name == "autocomplete":
            queryset = queryset.filter(gone_at=None)
        return super().get_search_results(request, queryset, search_term)

    @admin.display(description="held by")
    def held_by(self, machine: VirtualMachine) -> str:
        return ", ".join(a.user.get_username() for a in machine.assignments.all() if a.ended_at is None)


@admin.register(ClusterSync)
class ClusterSyncAdmin(GoesWithItsCluster, admin.ModelAdmin[ClusterSync]):
    """How often a cluster is read is changed here; the rest is looked at."""

    list_display = ("cluster", "synced_at", "seconds_between", "milliseconds", "failures", "quorate", "notice")
    list_filter = (("notice", admin.EmptyFieldListFilter), "quorate")
    list_select_related = ("cluster",)
    search_fields = ("cluster__cluster_id", "cluster__name")
    fields = (
        "cluster", "interval", "deadline", "node_limit", "cluster_limit", "synced_at", "asked_at", "due_at",
        "milliseconds", "failures", "quorate", "notice", "believe_down_to",
    )  # fmt: skip
    readonly_fields = (
        "cluster", "synced_at", "asked_at", "due_at", "milliseconds", "failures", "quorate", "notice",
        "believe_down_to",
    )  # fmt: skip
    actions = ("read_now", "believe")

    def has_change_permission(self, request: HttpRequest, obj: ClusterSync | None = None) -> bool:
        return request.user.has_perm("vms.change_clustersync")

    @admin.display(description="every")
    def seconds_between(self, sync: ClusterSync) -> str:
        return f"{int(sync.every.total_seconds())} s"

    @admin.action(description="Read now", permissions=["change"])
    def read_now(self, request: HttpRequest, queryset: QuerySet[ClusterSync]) -> None:
        for sync in queryset:
            ClusterSync.hurry(sync.cluster_id)
        text = ngettext("%(n)d cluster is read next.", "%(n)d clusters are read next.", len(queryset))
        messages.success(request, text % {"n": len(queryset)})

    @admin.action(description="Believe the last answer", permissions=["change"])
    def believe(self, request: HttpRequest, queryset: QuerySet[ClusterSync]) -> None:
        """The next one is believed about what it leaves out, if it does not list even less."""
        for sync in queryset.select_related("cluster"):
            seen = sync.believe_last_answer()
            if seen is None:
                messages.info(request, f"{sync.cluster}: the last answer was not doubted, so nothing was changed.")
                continue
            self.log_change(request, sync, f"Believed an answer of {seen} machines.")
            text = ngettext(
                "%(cluster)s: the next answer is believed if it lists at least %(n)d machine.",
                "%(cluster)s: the next answer is believed if it lists at least %(n)d machines.",
                seen,
            )
            messages.success(request, text % {"cluster": sync.cluster, "n": seen})


@admin.register(SyncRun)
class SyncRunAdmin(GoesWithItsCluster, admin.ModelAdmin[SyncRun]):
    list_display = (
        "last_at", "cluster", "outcome", "runs", "milliseconds", "seen", "created", "changed", "missing", "gone",
        "problem",
    )  # fmt: skip
    list_filter = ("cluster", "outcome")
    list_select_related = ("cluster",)
    date_hierarchy = "last_at"
    list_per_page = 50
    show_full_result_count = False


@admin.register(Node)
class NodeAdmin(GoesWithItsCluster, admin.ModelAdmin[Node]):
    list_display = ("name", "cluster", "online", "since", "missing_since")
    list_filter = ("cluster", "online", ("missing_since", admin.EmptyFieldListFilter))
    list_select_related = ("cluster",)
    search_fields = ("name",)


@admin.register(Assignment)
class AssignmentAdmin(admin.ModelAdmin[Assignment]):
    list_display = ("vm", "user", "assigned_at", "ended_at")
    list_filter = (("ended_at", admin.EmptyFieldListFilter), "vm__cluster")
    list_select_related = ("vm", "user")
    search_fields = ("vm__name", "vm__vmid", "user__username", "user__first_name", "user__last_name")
    autocomplete_fields = ("vm", "user")
    fields = ("vm", "user", "ended_at")
    readonly_fields = ("ended_at",)
    actions = ("end",)

    def get_readonly_fields(self, request: HttpRequest, obj: Assignment | None = None) -> Any:
        """Who held what when is history: an assignment is ended and a new one made."""
        return self.readonly_fields if obj is None else (*self.readonly_fields, "vm", "user")

    @admin.action(description="End the assignment", permissions=["change"])
    def end(self, request: HttpRequest, queryset: QuerySet[Assignment]) -> None:
        live = list(queryset.filter(ended_at=None).select_related("vm", "user"))
        ended = Assignment.objects.filter(pk__in=[a.pk for a in live]).end()
        for assignment in live:
            self.log_change(request, assignment, "Ended.")
        text = ngettext("%(n)d assignment ended.", "%(n)d assignments ended.", ended)
        messages.success(request, text % {"n": ended})


@admin.register(Operation)
class OperationAdmin(ReadOnly, admin.ModelAdmin[Operation]):
    list_display = ("requested_at", "action", "vm_name", "vmid", "cluster_id", "requested_by_name", "state", "outcome")
    list_filter = ("state", "action", "cluster_id")
    search_fields = ("vm_name", "vmid", "requested_by_name", "upid")
    date_hierarchy = "requested_at"
    list_per_page = 50
    show_full_result_count = False
    fields = (
        "action", "vm_name", "vmid", "cluster_id", "requested_by_name", "requested_at", "sent_at", "finished_at",
        "state", "outcome", "upid",
    )  # fmt: skip


class MessageInline(ReadOnly, admin.TabularInline[AlertMessage, Alert]):
    model = AlertMessage
    extra = 0
    fields = ("channel", "event", "state", "tries", "next_at", "problem")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("vms.view_alert")


@admin.register(Alert)
class AlertAdmin(GoesWithItsCluster, admin.ModelAdmin[Alert]):
    list_display = ("since", "cluster", "kind", "text", "opened_at", "closed_at")
    list_filter = ("kind", ("closed_at", admin.EmptyFieldListFilter), "cluster")
    list_select_related = ("cluster",)
    list_per_page = 50
    show_full_result_count = False
    fields = ("cluster", "kind", "text", "since", "seen_at", "opened_at", "quiet_since", "closed_at")
    inlines = (MessageInline,)


admin.site.site_header = "Lab Portal administration"
admin.site.site_title = "Lab Portal"
admin.site.index_title = "Clusters, machines and people"
