"""Open consoles in the admin: a list, and an action that closes them."""

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from clusters.templatetags.ages import age
from vms.admin.common import ReadOnly
from vms.admin.filters import ClusterNameFilter
from vms.models import ConsoleSession


@admin.register(ConsoleSession)
class ConsoleSessionAdmin(ReadOnly, admin.ModelAdmin[ConsoleSession]):
    list_display = ("user_name", "machine", "vmid", "cluster_id", "mode", "opened_at", "duration", "process", "status")
    list_filter = ("mode", "opened_at", ClusterNameFilter)
    search_fields = ("user_name", "vm_name", "vmid")
    list_per_page = 50
    show_full_result_count = False
    fields = (
        "user_name", "vm_name", "vmid", "cluster_id", "node", "mode", "opened_at", "duration", "process", "status",
    )  # fmt: skip
    readonly_fields = ("duration", "status")
    actions = ("close",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ConsoleSession]:
        found: QuerySet[ConsoleSession] = ConsoleSession.objects.alive()
        return found

    def has_close_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("vms.operate_virtualmachine")

    @admin.display(description=gettext_lazy("machine"), ordering="vm_name")
    def machine(self, row: ConsoleSession) -> str:
        return row.vm_name or str(row.vmid)

    @admin.display(description=gettext_lazy("duration"), ordering="-opened_at")
    def duration(self, row: ConsoleSession) -> str:
        return str(age(row.opened_at))

    @admin.display(description=gettext_lazy("state"), ordering="closed_by_name")
    def status(self, row: ConsoleSession) -> str:
        return _("being closed by %(name)s") % {"name": row.closed_by_name} if row.closed_by_name else _("open")

    @admin.action(description=gettext_lazy("Close"), permissions=["close"])
    def close(self, request: HttpRequest, queryset: QuerySet[ConsoleSession]) -> HttpResponse | None:
        """Ask first. The machine keeps running, and people with the right may open its console again."""
        if request.POST.get("sure") != "yes":
            return self._asked(request, queryset)
        closed = [row for row in queryset if row.close(by=request.user)]
        for row in closed:
            self.log_change(request, row, "Closed.")
        text = ngettext(
            "%(n)d console is closed within seconds.", "%(n)d consoles are closed within seconds.", len(closed)
        )
        messages.success(request, text % {"n": len(closed)})
        return None

    def _asked(self, request: HttpRequest, queryset: QuerySet[ConsoleSession]) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Close consoles"),
            "consoles": list(queryset),
            "checkbox": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/vms/consolesession/close.html", context)
