"""People in the admin. Staff who are not superusers cannot widen anybody's rights, their own least of all."""

from typing import Any

from axes.admin import AccessAttemptAdmin
from axes.models import AccessAttempt
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm, UserCreationForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import locked_names
from accounts.admin import logins
from accounts.admin.importing import ImportPage
from accounts.models import User

# Wrong passwords by name and address. Who is locked is unlocked on the page of the user.
admin.site.register(AccessAttempt, AccessAttemptAdmin)

RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")


class GivenPasswordForm(AdminPasswordChangeForm):  # type: ignore[type-arg]  # has none when it runs
    """Without the choice of no password at all: there is no other way to log in."""

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(user, *args, **kwargs)
        self.fields.pop("usable_password", None)
        self.fields["password1"].required = self.fields["password2"].required = True

    def save(self, commit: bool = True) -> Any:
        self.user.must_change_password = True
        return super().save(commit)


@admin.register(User)
class PersonAdmin(UserAdmin[User]):
    fieldsets = (
        *(UserAdmin.fieldsets or ()),
        (gettext_lazy("Login"), {"fields": ("locked", "must_change_password")}),
        (gettext_lazy("Preferences"), {"fields": ("time_zone", "language", "theme")}),
    )
    readonly_fields = ("locked",)
    add_form = UserCreationForm
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("username", "password1", "password2")}),)
    change_password_form = GivenPasswordForm

    list_per_page = 50
    show_full_result_count = False

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("import/", wrap(self.import_view), name="accounts_user_import"),
            path("<int:pk>/unlock/", wrap(self.unlock_view), name="accounts_user_unlock"),
            path("<int:pk>/new-password/", wrap(self.new_password_view), name="accounts_user_new_password"),
            *super().get_urls(),
        ]

    def import_view(self, request: HttpRequest) -> HttpResponse:
        return ImportPage(request, self).respond()

    def unlock_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return logins.unlock(request, self, pk)

    def new_password_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return logins.new_password(request, self, pk)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:  # noqa: A002 - Django's
        """One's own password is changed where the old one is asked for."""
        if id == str(request.user.pk):
            return redirect("password_change")
        return super().user_change_password(request, id, form_url)

    @admin.display(description=gettext_lazy("locked"))
    def locked(self, person: User) -> str:
        held = [(render_to_string("accounts/_lock.html", {"lock": lock}),) for lock in locked_names.for_user(person)]
        return format_html_join("; ", "{}", held) or _("no")

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        obj = kwargs.get("obj")
        context["locks"] = locked_names.for_user(obj) if obj else []
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if not change:
            obj.must_change_password = True
        super().save_model(request, obj, form, change)

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
