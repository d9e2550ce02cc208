"""Operations in the admin, read-only, with a download."""

from django.contrib import admin
from django.urls import reverse
from django.utils.translation import gettext_lazy

from accounts.downloads import Downloadable
from vms.admin.common import ReadOnly
from vms.admin.filters import ClusterNameFilter
from vms.models import Operation


@admin.register(Operation)
class OperationAdmin(ReadOnly, Downloadable[Operation]):
    list_display = ("requested_at", "action", "vm_name", "vmid", "cluster_id", "requested_by_name", "state", "message")
    list_filter = ("state", "action", "requested_at", ClusterNameFilter)
    search_fields = ("vm_name", "vmid", "requested_by_name", "upid")
    list_per_page = 50
    show_full_result_count = False
    fields = (
        "action", "snapshot", "vm_name", "vmid", "cluster_id", "node", "requested_by_name", "requested_at",
        "admitted_at", "sent_at", "finished_at", "state", "message", "upid",
    )  # fmt: skip
    readonly_fields = ("message",)
    download_columns = (
        "requested_at", "action", "snapshot", "vm_name", "vmid", "cluster_id", "node", "requested_by_name", "state",
        "message", "admitted_at", "sent_at", "finished_at", "upid",
    )  # fmt: skip

    def view_on_site(self, operation: Operation) -> str | None:
        """The page of its machine in the portal."""
        is_there = operation.vm is not None and operation.vm.gone_at is None
        return reverse("vms-machine", args=[operation.vm_id]) if is_there else None

    @admin.display(description=gettext_lazy("outcome"), ordering="outcome")
    def message(self, operation: Operation) -> str:
        return operation.rendered_outcome
