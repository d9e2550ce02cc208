"""Alerts and their notifications in the admin."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from vms.admin.common import GoesWithItsCluster, ReadOnly
from vms.models import Alert, AlertMessage


class MessageInline(ReadOnly, admin.TabularInline[AlertMessage, Alert]):
    model = AlertMessage
    extra = 0
    fields = ("channel", "event", "state", "tries", "next_at", "problem")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("vms.view_alert")


@admin.register(Alert)
class AlertAdmin(GoesWithItsCluster, admin.ModelAdmin[Alert]):
    list_display = ("since", "cluster", "kind", "message", "opened_at", "closed_at")
    list_filter = ("kind", ("closed_at", admin.EmptyFieldListFilter), "cluster")
    list_select_related = ("cluster",)
    list_per_page = 50
    show_full_result_count = False
    fields = ("cluster", "kind", "message", "since", "seen_at", "opened_at", "quiet_since", "closed_at")
    readonly_fields = ("message",)
    inlines = (MessageInline,)

    @admin.display(description=gettext_lazy("text"))
    def message(self, alert: Alert) -> str:
        return alert.text_told
