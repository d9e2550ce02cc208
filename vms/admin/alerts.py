"""Alerts and their notifications in the admin."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from vms.admin.common import GoesWithItsCluster, ReadOnly
from vms.admin.filters import OpenAlertFilter
from vms.models import Alert, AlertMessage


class MessageInline(ReadOnly, admin.TabularInline[AlertMessage, Alert]):
    template = "admin/read_only_inline.html"
    model = AlertMessage
    extra = 0
    fields = ("channel", "event", "state", "tries", "next_at", "problem")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("vms.view_alert")


@admin.register(Alert)
class AlertAdmin(GoesWithItsCluster, admin.ModelAdmin[Alert]):
    list_display = ("since", "cluster_name", "message", "state", "closed_at")
    list_filter = (OpenAlertFilter, "kind", "cluster")
    list_select_related = ("cluster",)
    list_per_page = 50
    show_full_result_count = False
    fields = ("cluster", "kind", "message", "since", "seen_at", "opened_at", "quiet_since", "closed_at")
    readonly_fields = ("message",)
    inlines = (MessageInline,)

    @admin.display(description=gettext_lazy("cluster"), ordering="cluster__name")
    def cluster_name(self, alert: Alert) -> str:
        return alert.cluster.name

    @admin.display(description=gettext_lazy("state"), ordering="closed_at")
    def state(self, alert: Alert) -> str:
        if alert.closed_at:
            return _("over")
        return _("open, alert sent") if alert.opened_at else _("noticed, not sent yet")

    @admin.display(description=gettext_lazy("text"))
    def message(self, alert: Alert) -> str:
        return alert.rendered_text
