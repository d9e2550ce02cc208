"""People in the admin. Staff who are not superusers cannot widen anybody's rights, their own least of all."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import UserChangeForm, UserCreationForm
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import locked_names
from accounts.action_boxes import QuickActionBoxes
from accounts.admin import logins
from accounts.admin.importing import ImportPage
from accounts.admin.outside import OutsideFields, OutsideRoleInline
from accounts.admin.permissions import PermissionsField
from accounts.admin.sign_in import joining
from accounts.deletion import ReadableDeletion
from accounts.forms import languages, time_zones
from accounts.models import OutsideRole, SignInSource, User
from accounts.sign_in import roles

RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")


class PersonForm(UserChangeForm):  # type: ignore[type-arg]  # has none when it runs
    """Without the password, which has a page of its own."""

    password = None  # type: ignore[assignment]  # how Django removes a field
    language = forms.ChoiceField(label=gettext_lazy("Language"), required=False, choices=languages)
    time_zone = forms.ChoiceField(label=gettext_lazy("Time zone"), required=False, choices=time_zones)


class LockedFilter(admin.SimpleListFilter):
    title = gettext_lazy("login")
    parameter_name = "locked"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", _("locked after wrong passwords"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        return queryset.filter(locked_names.is_locked()) if self.value() == "yes" else queryset


@admin.register(User)
class PersonAdmin(QuickActionBoxes, OutsideFields, ReadableDeletion[User], UserAdmin[User]):
    list_display = ("username", "full_name", "email", "role", "state", "last_login")
    list_filter = ("groups", LockedFilter, "must_change_password", "is_active", "is_staff", "is_superuser")
    list_per_page = 50
    show_full_result_count = False
    form = PersonForm
    fieldsets = (
        (None, {"fields": ("username", "first_name", "last_name", "email")}),
        (
            gettext_lazy("Login"),
            {"fields": ("is_active", "sign_in", "locked", "must_change_password", "last_login", "date_joined")},
        ),
        (gettext_lazy("Rights"), {"fields": ("groups", "role_origins", "is_staff", "is_superuser")}),
        (gettext_lazy("Preferences"), {"fields": ("language", "time_zone", "theme")}),
        (
            gettext_lazy("Permissions of this person alone"),
            {
                "fields": ("user_permissions",),
                "classes": ("collapse",),
                "description": gettext_lazy("In addition to those of the groups. Groups are easier to manage."),
            },
        ),
    )
    readonly_fields = ("sign_in", "role_origins", "locked", "last_login", "date_joined")
    filter_horizontal = ()
    add_form = UserCreationForm
    add_fieldsets = ((None, {"fields": ("username", "first_name", "last_name", "email", "password1", "password2")}),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups").annotate(is_locked=locked_names.is_locked())

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "user_permissions":
            kwargs["form_class"] = PermissionsField
        if db_field.name == "groups":
            kwargs["widget"] = forms.CheckboxSelectMultiple
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    # Columns

    @admin.display(description=gettext_lazy("name"), ordering="last_name")
    def full_name(self, person: User) -> str:
        return person.get_full_name()

    @admin.display(description=gettext_lazy("role"))
    def role(self, person: User) -> str:
        kind = _("administrator with all permissions") if person.is_superuser else _("staff") if person.is_staff else ""
        return ", ".join(filter(None, [kind, *(group.name for group in person.groups.all())]))

    @admin.display(description=gettext_lazy("state"), ordering="is_active")
    def state(self, person: User) -> str:
        told = [
            "" if person.is_active else _("deactivated"),
            _("locked") if getattr(person, "is_locked", False) else "",
            _("must change the password") if person.must_change_password else "",
        ]
        return ", ".join(filter(None, told)) or _("active")

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("import/", wrap(self.import_view), name="accounts_user_import"),
            path("join/", wrap(self.bulk_join_view), name="accounts_user_join_many"),
            path("<int:pk>/join/", wrap(self.join_view), name="accounts_user_join"),
            path("<int:pk>/separate/<int:identity>/", wrap(self.separate_view), name="accounts_user_separate"),
            path("<int:pk>/unlock/", wrap(self.unlock_view), name="accounts_user_unlock"),
            path("<int:pk>/new-password/", wrap(self.new_password_view), name="accounts_user_new_password"),
            *super().get_urls(),
        ]

    def import_view(self, request: HttpRequest) -> HttpResponse:
        return ImportPage(request, self).respond()

    def bulk_join_view(self, request: HttpRequest) -> HttpResponse:
        return joining.BulkJoinPage(request, self).respond()

    def join_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return joining.join(request, self, pk)

    def separate_view(self, request: HttpRequest, pk: int, identity: int) -> HttpResponse:
        return joining.separate(request, self, pk, identity)

    def unlock_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return logins.unlock(request, self, pk)

    def new_password_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return logins.new_password(request, self, pk)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:  # noqa: A002 - Django's
        """There is one way to give somebody a password: the portal makes it, and the person has to change it."""
        if not id.isdecimal():
            raise Http404
        if id == str(request.user.pk):
            return redirect("password_change")
        return redirect("admin:accounts_user_new_password", id)

    @admin.display(description=gettext_lazy("locked"))
    def locked(self, person: User) -> str:
        held = [(render_to_string("accounts/_lock.html", {"lock": lock}),) for lock in locked_names.for_user(person)]
        return format_html_join("; ", "{}", held) or _("no")

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        obj = kwargs.get("obj")
        context["locks"] = locked_names.for_user(obj) if obj else []
        context["may_join"] = obj and request.user.is_superuser and SignInSource.objects.exists()
        if obj:
            obj.may_be_separated = request.user.is_superuser
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if not change:
            obj.must_change_password = True
        super().save_model(request, obj, form, change)
        if "is_staff" in form.changed_data:
            roles.staff_by_hand(obj)

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return [OutsideRoleInline] if obj and OutsideRole.objects.filter(user=obj).exists() else []

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        may_join = request.user.is_superuser and SignInSource.objects.exists()
        return super().changelist_view(request, {**(extra_context or {}), "may_join": may_join})

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return fields if request.user.is_superuser else (*fields, *RIGHTS)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and self._may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and self._may_touch(request, obj)

    @staticmethod
    def _may_touch(request: HttpRequest, obj: Any) -> bool:
        """Somebody else's account is a way to that person's rights, also to unused ones."""
        if obj is None or request.user.is_superuser or obj == request.user:
            return True
        return not User.objects.with_rights().filter(pk=obj.pk).exists()
