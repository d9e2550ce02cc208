"""Groups in the admin: what each allows, and how many people are in it."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.models import Group
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from accounts.admin.permissions import PermissionsField
from accounts.deletion import ReadableDeletion

admin.site.unregister(Group)


@admin.register(Group)
class PortalGroupAdmin(ReadableDeletion[Group], GroupAdmin):
    list_display = ("name", "people")
    filter_horizontal = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        return super().get_queryset(request).annotate(people_total=Count("user"))

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest | None = None, **kwargs: Any) -> Any:
        if db_field.name == "permissions":
            kwargs["form_class"] = PermissionsField
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    @admin.display(description=gettext_lazy("people"), ordering="people_total")
    def people(self, group: Group) -> int:
        return int(getattr(group, "people_total", 0))
