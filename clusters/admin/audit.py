"""The audit trail in the admin: who changed what, with names of secrets and never their values."""

from typing import Any

from auditlog.models import LogEntry
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.downloads import Downloadable
from clusters.models import SECRETS

NOTHING = {"", "None"}

admin.site.unregister(LogEntry)


@admin.register(LogEntry)
class AuditLogAdmin(Downloadable[LogEntry]):
    list_display = ("timestamp", "who", "action", "object_repr", "what")
    list_filter = ("action", ("content_type", admin.RelatedOnlyFieldListFilter), "timestamp")
    list_select_related = ("actor", "content_type")
    search_fields = ("object_repr", "actor__username", "actor_email", "remote_addr")
    list_per_page = 50
    show_full_result_count = False
    fields = ("timestamp", "who", "remote_addr", "action", "object_repr", "what")
    download_columns = ("timestamp", "who", "remote_addr", "action", "content_type", "object_repr", "what")

    @admin.display(description=gettext_lazy("who"), ordering="actor__username")
    def who(self, entry: LogEntry) -> str:
        return str(entry.actor or entry.actor_email or _("the portal itself"))

    @admin.display(description=gettext_lazy("what"))
    def what(self, entry: LogEntry) -> str:
        told = [line for field, pair in (entry.changes or {}).items() if (line := _told(field, pair, entry.action))]
        return "; ".join(told) or "-"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _told(field: str, pair: Any, action: int) -> str:
    if isinstance(pair, dict):  # rows that were added to a relation, or taken out
        done = {"add": "added", "delete": "removed"}.get(str(pair.get("operation")), "changed")
        return f"{field}: {done} {', '.join(map(str, pair.get('objects', [])))}"
    before, after = map(str, (*pair, "", "")[:2])
    if field == "credential_version":
        return _("secret changed") if action == LogEntry.Action.UPDATE else ""
    if field in SECRETS:
        return {"***": _("%(field)s set") % {"field": field}}.get(after, _("%(field)s removed") % {"field": field})
    if field == "ca_certificate":
        return "" if {before, after} <= NOTHING else _("ca_certificate changed")
    return _in_clear(field, before, after, action)


def _in_clear(field: str, before: str, after: str, action: int) -> str:
    if "***" in {before, after}:
        return _("%(field)s changed") % {"field": field} if action == LogEntry.Action.UPDATE else ""
    if action == LogEntry.Action.UPDATE:
        return f"{field}: {before} → {after}"
    value = after if action == LogEntry.Action.CREATE else before
    return "" if value in NOTHING or field == "id" else f"{field}: {value}"
