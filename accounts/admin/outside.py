"""On a person's page in the admin: who they are at which source, and which role came from where."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.formats import date_format
from django.utils.html import format_html_join
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import OutsideRole, User


class OutsideRoleInline(admin.StackedInline[OutsideRole, User]):
    """Shown where there is one. The box keeps a role when it goes at the source."""

    model = OutsideRole
    fields = ("given_at", "also_by_hand")
    readonly_fields = ("given_at",)
    extra = 0
    can_delete = False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)


class OutsideFields:
    """Read-only fields of the page."""

    @admin.display(description=gettext_lazy("signs in with"))
    def sign_in(self, person: User) -> str:
        shown = {"person": person, "identities": person.identities.select_related("source")}
        return render_to_string("admin/accounts/sign_in/_identities.html", shown)

    @admin.display(description=gettext_lazy("where roles come from"))
    def role_origins(self, person: User) -> str:
        rows: dict[int, list[OutsideRole]] = {}
        for row in OutsideRole.objects.filter(user=person).select_related("source"):
            rows.setdefault(row.group_id, []).append(row)
        told = [(f"{group.name}: {_origin(rows.get(group.pk, []))}",) for group in person.groups.all()]
        return format_html_join("; ", "{}", told) or "-"


def _origin(rows: list[OutsideRole]) -> str:
    """For example “from School since 3 May 2026, also given by hand”."""
    told = [
        _("from %(source)s since %(day)s")
        % {"source": row.source.label, "day": date_format(localtime(row.given_at), "SHORT_DATE_FORMAT")}
        for row in rows
    ]
    if not rows or any(row.also_by_hand for row in rows):
        told.append(_("also given by hand") if rows else _("given by hand"))
    return ", ".join(told)
