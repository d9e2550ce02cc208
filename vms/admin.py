"""Machines, assignments and operations in the admin. Only assignments are written here by hand."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import ngettext

from vms.models import Assignment, Operation, VirtualMachine


class ReadOnly:
    """What is observed or recorded is not edited."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(VirtualMachine)
class VirtualMachineAdmin(ReadOnly, admin.ModelAdmin[VirtualMachine]):
    list_display = ("display_name", "vmid", "cluster", "node", "status", "held_by", "missing_since")
    list_filter = ("cluster", "status", "kind", "template", ("missing_since", admin.EmptyFieldListFilter), "node")
    search_fields = ("name", "vmid", "cluster__cluster_id", "cluster__name", "tags", "pool")
    list_select_related = ("cluster",)
    list_per_page = 50
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[VirtualMachine]:
        return super().get_queryset(request).prefetch_related("assignments__user")

    @admin.display(description="held by")
    def held_by(self, machine: VirtualMachine) -> str:
        return ", ".join(a.user.get_username() for a in machine.assignments.all() if a.ended_at is None)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only together with the cluster, whose confirmation page asks this of what goes with it."""
        return request.user.has_perm("clusters.delete_cluster") and self._deletes_cluster(request)

    @staticmethod
    def _deletes_cluster(request: HttpRequest) -> bool:
        match = request.resolver_match
        return bool(match and str(match.url_name).startswith("clusters_cluster_"))


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


admin.site.site_header = "Lab Portal administration"
admin.site.site_title = "Lab Portal"
admin.site.index_title = "Clusters, machines and people"
