"""The audit trail in the admin: who changed what, with names of secrets and never their values."""

import re
from typing import Any

from auditlog.models import LogEntry
from django.contrib import admin
from django.core.exceptions import FieldDoesNotExist
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.downloads import Downloadable
from clusters.models import SECRETS

NOTHING = {"", "None"}
SECONDS = re.compile(r"\b(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d):\d\d(?:\.\d+)?(?:\+00:00)?")

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
        told = [line for field, pair in (entry.changes or {}).items() if (line := _told(field, pair, entry))]
        return "; ".join(told) or "-"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _told(field: str, pair: Any, entry: LogEntry) -> str:
    label = _label(field, entry)
    if isinstance(pair, dict):  # rows that were added to a relation, or removed from it
        words = {"add": _("added"), "delete": _("removed")}.get(str(pair.get("operation")), _("changed"))
        return f"{label}: {words} {', '.join(map(str, pair.get('objects', [])))}"
    before, after = map(str, (*pair, "", "")[:2])
    if field == "credential_version":
        return _("secret changed") if entry.action == LogEntry.Action.UPDATE else ""
    if field in SECRETS:
        return {"***": _("%(field)s set") % {"field": label}}.get(after, _("%(field)s removed") % {"field": label})
    if field == "ca_certificate":
        return "" if {before, after} <= NOTHING else _("%(field)s changed") % {"field": label}
    return _in_clear(label, before, after, entry.action) if field != "id" else ""


def _label(field: str, entry: LogEntry) -> str:
    """As forms call it; fields of models that are gone keep their names."""
    model = entry.content_type.model_class()
    try:
        return str(model._meta.get_field(field).verbose_name) if model else field
    except (FieldDoesNotExist, AttributeError):  # a relation from the other side has no name
        return field.replace("_", " ")


def _in_clear(label: str, before: str, after: str, action: int) -> str:
    if "***" in {before, after}:
        return _("%(field)s changed") % {"field": label} if action == LogEntry.Action.UPDATE else ""
    if action == LogEntry.Action.UPDATE:
        return f"{label}: {_value(before)} → {_value(after)}"
    value = after if action == LogEntry.Action.CREATE else before
    return "" if value in NOTHING else f"{label}: {_value(value)}"


def _value(text: str) -> str:
    """Yes and no in words, and times to the minute."""
    words = {"True": _("yes"), "False": _("no"), "None": "-", "": "-"}
    return words.get(text) or SECONDS.sub(r"\1 \2", text)
