"""Wrong passwords by name and address. A name that is locked is unlocked on the page of its user."""

from datetime import datetime
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy


@admin.register(AccessAttempt)
class FailedLoginAdmin(admin.ModelAdmin[AccessAttempt]):
    """To look at, and to delete. What was sent besides the name is not shown: it may hold anything."""

    list_display = ("username", "ip_address", "attempted_at", "failures", "state")
    list_filter = ("attempt_time",)
    search_fields = ("username", "ip_address")
    fields = ("username", "ip_address", "attempted_at", "failures", "state", "user_agent")
    readonly_fields = ("attempted_at", "failures", "state")
    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=gettext_lazy("last attempt"), ordering="attempt_time")
    def attempted_at(self, attempt: AccessAttempt) -> datetime:
        return attempt.attempt_time  # type: ignore[no-any-return]

    @admin.display(description=gettext_lazy("wrong passwords"), ordering="failures_since_start")
    def failures(self, attempt: AccessAttempt) -> int:
        return int(attempt.failures_since_start)

    @admin.display(description=gettext_lazy("state"))
    def state(self, attempt: AccessAttempt) -> str:
        counts = attempt.attempt_time > timezone.now() - settings.AXES_COOLOFF_TIME
        locks = counts and attempt.failures_since_start >= settings.AXES_FAILURE_LIMIT
        return _("locked") if locks else _("not locked")
