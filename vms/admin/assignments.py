"""Who holds what, in the admin: one by one and many at once."""

from typing import Any

from django.contrib import admin, messages
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy, ngettext

from accounts.choosing import Choosing
from accounts.downloads import Downloadable
from vms.admin import bulk
from vms.admin.filters import ClusterOfMachineFilter, LastsFilter
from vms.models import Assignment

OVERTAKEN = gettext_lazy(
    "Somebody gave this machine away, or deleted it or the person, at the same moment. "
    "Nothing was saved: look again who holds it."
)


@admin.register(Assignment)
class AssignmentAdmin(Choosing[Assignment], Downloadable[Assignment]):
    list_display = ("vm", "user", "assigned_at", "ended_at")
    list_filter = (LastsFilter, ClusterOfMachineFilter, "assigned_at")
    list_select_related = ("vm", "user")
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("vm__name", "vm__vmid", "user__username", "user__first_name", "user__last_name")
    autocomplete_fields = ("vm", "user")
    fields = ("vm", "user", "ended_at")
    readonly_fields = ("ended_at",)
    actions = ("end",)
    change_list_template = "admin/vms/assignment/change_list.html"
    download_columns = ("username", "cluster", "vmid", "machine", "assigned_at", "ended_at")

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [path("bulk/", wrap(self.bulk_view), name="vms_assignment_bulk"), *super().get_urls()]

    def bulk_view(self, request: HttpRequest) -> HttpResponse:
        return bulk.view(request, self)

    def get_readonly_fields(self, request: HttpRequest, obj: Assignment | None = None) -> Any:
        """Who held what when is history: an assignment is ended and a new one made."""
        return self.readonly_fields if obj is None else (*self.readonly_fields, "vm", "user")

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """The form looks first, the database decides."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except IntegrityError:
            messages.error(request, OVERTAKEN)
            return redirect(request.path)

    @admin.action(description=gettext_lazy("End the assignment"), permissions=["change"])
    @transaction.atomic
    def end(self, request: HttpRequest, queryset: QuerySet[Assignment]) -> None:
        # Locked first: whoever ends the same a moment later finds that it was done, and writes nothing down.
        chosen = Assignment.objects.live().filter(pk__in=[row.pk for row in queryset]).order_by("pk")
        live = list(chosen.select_related("vm", "user").select_for_update(of=("self",)))
        ended = Assignment.objects.filter(pk__in=[row.pk for row in live]).end()
        for assignment in live:
            self.log_change(request, assignment, "Ended.")
        text = ngettext("%(n)d assignment ended.", "%(n)d assignments ended.", ended)
        messages.success(request, text % {"n": ended})

    # Columns of the download, named so that it can be read in again

    @admin.display(description=gettext_lazy("username"))
    def username(self, row: Assignment) -> str:
        return row.user.get_username()

    @admin.display(description=gettext_lazy("cluster"))
    def cluster(self, row: Assignment) -> str:
        return row.vm.cluster_id

    @admin.display(description=gettext_lazy("vmid"))
    def vmid(self, row: Assignment) -> int:
        return row.vm.vmid

    @admin.display(description=gettext_lazy("machine"))
    def machine(self, row: Assignment) -> str:
        return row.vm.name
