"""Assignments in the admin, one by one and many at once."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import IntegrityError, transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.action_boxes import QuickActionBoxes
from accounts.autocomplete import CheckedAutocomplete
from accounts.downloads import Downloadable
from vms import preparation
from vms.admin.bulk import BulkPage
from vms.admin.filters import ClusterOfMachineFilter, LiveFilter
from vms.models import Assignment, Preparation
from vms.models.assignments import AssignmentQuerySet
from vms.pages.release_choice import ReleaseChoice, changed_message

State = Preparation.State

OVERTAKEN = gettext_lazy(
    "Nothing was saved: somebody assigned or deleted this machine, or deleted the person, at the same moment. "
    "Check who it is assigned to."
)


@admin.register(Assignment)
class AssignmentAdmin(QuickActionBoxes, CheckedAutocomplete[Assignment], Downloadable[Assignment]):
    list_display = ("vm", "user", "assigned_at", "ended_at", "readiness")
    list_filter = (LiveFilter, ClusterOfMachineFilter, "assigned_at")
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
        return BulkPage(request, self).respond()

    def get_readonly_fields(self, request: HttpRequest, obj: Assignment | None = None) -> Any:
        """A saved assignment is not changed: it is ended, and another one is added."""
        return self.readonly_fields if obj is None else (*self.readonly_fields, "vm", "user")

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """The form checks the constraint first, but only the database decides."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except IntegrityError:
            messages.error(request, OVERTAKEN)
            return redirect(request.path)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        """An unreleased assignment is ended, not deleted: nobody would know that the machine is not ready.

        This is no permission, because deleting a whole cluster asks for that, too.
        """
        shown, counted, lacking, protected = super().get_deleted_objects(objs, request)
        return shown, counted, lacking, [*protected, *(str(row) for row in objs if row.released_at is None)]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Assignment]:
        tried = Preparation.objects.filter(assignment=OuterRef("pk")).order_by("-asked_at", "-pk")
        return super().get_queryset(request).annotate(tried=Subquery(tried.values("state")[:1]))

    def view_on_site(self, row: Assignment) -> str | None:
        """The page of its machine in the portal."""
        return None if row.vm.gone_at else reverse("vms-machine", args=[row.vm_id])

    @admin.display(description=gettext_lazy("available to others"))
    def readiness(self, row: Assignment) -> str:
        if row.released_at or row.ended_at is None:
            return _("yes") if row.released_at else _("no, assigned")
        tried = getattr(row, "tried", "")
        words: dict[str, str] = {
            State.OPEN: _("no, being prepared"),
            State.FAILED: _("no, could not be prepared: free it"),
        }
        return words.get(tried, _("no, kept for this person"))

    @admin.action(description=gettext_lazy("End assignments and free the machines"), permissions=["change"])
    def end(self, request: HttpRequest, queryset: QuerySet[Assignment]) -> HttpResponse | None:
        """Ask first how the machines are prepared. Ended ones whose machine is not ready may be selected, too."""
        chosen: AssignmentQuerySet = Assignment.objects.filter(pk__in=[row.pk for row in queryset])
        choice = ReleaseChoice(request, chosen)
        if choice.outlooks and request.POST.get("sure") != "yes":
            return self._asked(request, ReleaseChoice(request, chosen, is_asked=False))
        if choice.outlooks and not choice.is_made:
            return self._asked(request, choice)
        person: Any = request.user
        try:
            with transaction.atomic():
                freed = (
                    preparation.free(chosen, way=choice.way, by=person, shown=choice.shown) if choice.is_made else []
                )
                for one in freed:
                    self.log_change(request, one.assignment, "Ended.")
        except preparation.Changed:
            messages.warning(request, changed_message())
            return None
        text = ngettext("%(n)d assignment ended.", "%(n)d assignments ended.", len(freed))
        messages.success(request, text % {"n": len(freed)})
        return None

    def _asked(self, request: HttpRequest, choice: ReleaseChoice) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Free machines"),
            "checkbox": ACTION_CHECKBOX_NAME,
            **choice.context,
        }
        return TemplateResponse(request, "admin/vms/assignment/free.html", context, status=choice.status)

    # Columns of the download, named so that it can be imported again

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
