"""The personal tokens of everybody: to look at, and to revoke."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import ApiToken


@admin.register(ApiToken)
class ApiTokenAdmin(admin.ModelAdmin[ApiToken]):
    list_display = ("owner", "name", "recognised_by", "rights", "about", "expires_at", "last_used_at", "state")
    list_filter = ("may_destroy", "as_staff", "expires_at")
    search_fields = ("owner__username", "name", "ending")
    list_select_related = ("owner",)
    list_per_page = 50
    show_full_result_count = False
    fields = (
        "owner", "name", "recognised_by", "rights", "about", "networks", "created_at", "expires_at", "last_used_at",
        "state",
    )  # fmt: skip
    readonly_fields = fields
    actions = ("revoke",)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("accounts.view_user")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """With their owner, whose confirmation page asks for it; in no other way, so that a record is left."""
        match = request.resolver_match
        is_about_people = bool(match and str(match.url_name).startswith("accounts_user_"))
        return is_about_people and request.user.has_perm("accounts.delete_user")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_user")

    @admin.display(description=gettext_lazy("token"))
    def recognised_by(self, token: ApiToken) -> str:
        return f"labp_…{token.ending}"

    @admin.display(description=gettext_lazy("rights"))
    def rights(self, token: ApiToken) -> str:
        found = {
            _("read"): token.may_read, _("write"): token.may_write, _("destroy"): token.may_destroy,
            _("as staff"): token.as_staff,
        }  # fmt: skip
        return ", ".join(name for name, given in found.items() if given)

    @admin.display(description=gettext_lazy("for"))
    def about(self, token: ApiToken) -> str:
        return token.scope_name or _("everything of the owner's")

    @admin.display(description=gettext_lazy("state"))
    def state(self, token: ApiToken) -> str:
        if token.revoked_at:
            return _("revoked by %(name)s") % {"name": token.revoked_by_name}
        return _("valid") if token.is_live(timezone.now()) else _("expired")

    @admin.action(description=gettext_lazy("Revoke"), permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        """At once: a program that still needs one gets another from its owner."""
        revoked = [token for token in queryset if token.revoke(by=request.user.get_username())]
        text = ngettext("%(n)d token was revoked.", "%(n)d tokens were revoked.", len(revoked))
        messages.success(request, text % {"n": len(revoked)})
