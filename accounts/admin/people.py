"""People in the admin. Staff who are not superusers cannot widen anybody's rights, their own least of all."""

from typing import Any

from axes.admin import AccessAttemptAdmin
from axes.models import AccessAttempt
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy

from accounts.admin import importing
from accounts.models import User

# Who is locked out; deleting a row unlocks.
admin.site.register(AccessAttempt, AccessAttemptAdmin)

RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")


@admin.register(User)
class PersonAdmin(UserAdmin[User]):
    fieldsets = (
        *(UserAdmin.fieldsets or ()),
        (gettext_lazy("Preferences"), {"fields": ("time_zone", "language", "theme")}),
    )

    list_per_page = 50
    show_full_result_count = False

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [path("import/", wrap(self.import_view), name="accounts_user_import"), *super().get_urls()]

    def import_view(self, request: HttpRequest) -> HttpResponse:
        return importing.view(request, self)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return fields if request.user.is_superuser else (*fields, *RIGHTS)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and self._may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and self._may_touch(request, obj)

    @staticmethod
    def _may_touch(request: HttpRequest, obj: Any) -> bool:
        """Somebody else's account is a way to that person's rights, also to those that he has not used yet."""
        if obj is None or request.user.is_superuser or obj == request.user:
            return True
        return not User.objects.with_rights().filter(pk=obj.pk).exists()
