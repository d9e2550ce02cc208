"""Machine groups in the admin."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.autocomplete import CheckedAutocomplete
from accounts.confirmation import ConfirmedPeopleForm
from accounts.deletion import ReadableDeletion
from vms.models import MachineSet


class MachineSetForm(ConfirmedPeopleForm):
    gives_control = ("stewards",)


@admin.register(MachineSet)
class MachineSetAdmin(CheckedAutocomplete[MachineSet], ReadableDeletion[MachineSet]):
    form = MachineSetForm
    list_display = ("titled", "machine_count", "gone_count", "managers")
    search_fields = ("name", "stewards__username", "machines__name")
    autocomplete_fields = ("machines", "stewards")
    fields = ("name", "stewards", "confirmed", "machines", "gone")
    readonly_fields = ("gone",)
    actions = ("drop_gone",)
    list_per_page = 50
    show_full_result_count = False

    def get_readonly_fields(self, request: HttpRequest, obj: MachineSet | None = None) -> Any:
        """The group of a class is changed in the class, which would not notice a change here, or undo it."""
        return ("name", "stewards", "machines", "gone") if obj and obj.is_managed else self.readonly_fields

    def get_fields(self, request: HttpRequest, obj: MachineSet | None = None) -> Any:
        return self.get_readonly_fields(request, obj) if obj and obj.is_managed else self.fields

    def has_change_permission(self, request: HttpRequest, obj: MachineSet | None = None) -> bool:
        return super().has_change_permission(request, obj) and not (obj and obj.is_managed)

    def has_delete_permission(self, request: HttpRequest, obj: MachineSet | None = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and obj.is_managed)

    def get_queryset(self, request: HttpRequest) -> QuerySet[MachineSet]:
        gone = Q(machines__gone_at__isnull=False)
        counted = (
            super()
            .get_queryset(request)
            .annotate(
                machine_total=Count("machines", distinct=True), gone_total=Count("machines", filter=gone, distinct=True)
            )
        )
        return counted.prefetch_related("stewards")

    def view_on_site(self, group: MachineSet) -> str:
        return reverse("vms-set", args=[group.pk])

    @admin.display(description=gettext_lazy("name"), ordering="name")
    def titled(self, group: MachineSet) -> str:
        return _("%(class)s (class)") % {"class": group.title} if group.is_managed else group.title

    @admin.display(description=gettext_lazy("machines"), ordering="machine_total")
    def machine_count(self, group: MachineSet) -> int:
        return int(getattr(group, "machine_total", 0))

    @admin.display(description=gettext_lazy("gone"), ordering="gone_total")
    def gone_count(self, group: MachineSet) -> int:
        return int(getattr(group, "gone_total", 0))

    @admin.display(description=gettext_lazy("managers"))
    def managers(self, group: MachineSet) -> str:
        return ", ".join(person.get_username() for person in group.stewards.all()) or _("nobody")

    @admin.display(description=gettext_lazy("machines that are gone"))
    def gone(self, group: MachineSet) -> str:
        names = [str(machine) for machine in group.machines.exclude(gone_at=None)] if group.pk else []
        return (
            _("%(names)s. The action in the list removes them.") % {"names": ", ".join(names)} if names else _("none")
        )

    @admin.action(description=gettext_lazy("Remove machines that are gone"), permissions=["change"])
    def drop_gone(self, request: HttpRequest, queryset: QuerySet[MachineSet]) -> None:
        dropped = sum(group.remove_gone() for group in queryset.filter(is_managed=False))
        text = ngettext("%(n)d machine was removed.", "%(n)d machines were removed.", dropped)
        messages.success(request, text % {"n": dropped})
