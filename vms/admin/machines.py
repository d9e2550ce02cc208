"""Machines in the admin. Note and guest login are edited here; everything else is read-only."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Concat
from django.forms import ModelForm
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.downloads import Downloadable
from clusters.templatetags.ages import age, ago
from vms.admin.common import GoesWithItsCluster
from vms.admin.filters import AssignedFilter, ClusterFilter, PoolFilter, PresenceFilter, StatusFilter
from vms.models import Assignment, VirtualMachine

WRITTEN = ("note", "guest_login")
OBSERVED = (
    "name", "vmid", "cluster", "node", "kind", "state", "known", "assignee", "template", "pool", "tags", "lock",
    "ha_state", "cpus", "memory", "disk", "addresses", "mac_addresses", "booted_at", "missing_since", "gone_at",
)  # fmt: skip


@admin.register(VirtualMachine)
class VirtualMachineAdmin(GoesWithItsCluster, Downloadable[VirtualMachine]):
    list_display = ("display_name", "vmid", "where", "pool", "state", "known", "assignee")
    list_filter = (ClusterFilter, StatusFilter, PoolFilter, AssignedFilter, PresenceFilter, "template", "kind")
    search_fields = ("name", "vmid", "cluster__cluster_id", "cluster__name", "node", "tags", "pool")
    list_select_related = ("cluster", "cluster__sync")
    list_per_page = 50
    show_full_result_count = False
    fieldsets = (
        (gettext_lazy("For people"), {"fields": WRITTEN}),
        (gettext_lazy("As the cluster says"), {"fields": OBSERVED}),
    )
    readonly_fields = OBSERVED
    download_columns = (
        "name", "vmid", "cluster_id", "node", "kind", "status", "template", "pool", "tags", "assignee_name", "note",
        "guest_login", "missing_since", "gone_at",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[VirtualMachine]:
        assigned = Assignment.objects.live().filter(vm=OuterRef("pk"))
        return (
            super()
            .get_queryset(request)
            .select_related("cluster__sync")
            .annotate(
                assignee_pk=Subquery(assigned.values("user")[:1]),
                assignee_name=Subquery(assigned.values("user__username")[:1]),
            )
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[VirtualMachine], search_term: str
    ) -> tuple[QuerySet[VirtualMachine], bool]:
        """Autocomplete offers no machine that is gone, and those of the default cluster first."""
        if request.resolver_match and request.resolver_match.url_name == "autocomplete":
            queryset = queryset.filter(gone_at=None).order_by("-cluster__is_default", "cluster", "vmid")
        return super().get_search_results(request, queryset, search_term)

    # Columns

    @admin.display(description=gettext_lazy("name"), ordering="name")
    def display_name(self, machine: VirtualMachine) -> str:
        return machine.display_name

    @admin.display(description=gettext_lazy("where"), ordering=Concat("cluster__cluster_id", "node"))
    def where(self, machine: VirtualMachine) -> str:
        return f"{machine.cluster_id}, {machine.node}"

    @admin.display(description=gettext_lazy("state"), ordering="status")
    def state(self, machine: VirtualMachine) -> str:
        if machine.gone_at:
            return _("gone for %(age)s") % {"age": age(machine.gone_at)}
        if machine.missing_since:
            return _("missing for %(age)s, was %(status)s") % {
                "age": age(machine.missing_since),
                "status": _(machine.status),
            }
        parts = [_(machine.status)]
        if machine.lock:
            parts.append(_("locked: %(lock)s") % {"lock": machine.lock})
        if machine.silent_since:
            parts.append(_("its node has been silent for %(age)s") % {"age": age(machine.silent_since)})
        if machine.template:
            parts.append(_("template"))
        return ", ".join(parts)

    @admin.display(description=gettext_lazy("as of"), ordering=F("cluster__sync__synced_at"))
    def known(self, machine: VirtualMachine) -> str:
        known_at = _known_at(machine)
        if known_at is None:
            return _("never")
        return ago(known_at)

    @admin.display(description=gettext_lazy("assigned to"), ordering="assignee_name")
    def assignee(self, machine: VirtualMachine) -> SafeString | str:
        pk, name = getattr(machine, "assignee_pk", None), getattr(machine, "assignee_name", None)
        if pk is None:
            return _("not assigned")
        return format_html('<a href="{}">{}</a>', reverse("admin:accounts_user_change", args=[pk]), name)

    @admin.display(description=gettext_lazy("assigned to"))
    def assignee_name(self, machine: VirtualMachine) -> str:
        return getattr(machine, "assignee_name", None) or ""

    def view_on_site(self, machine: VirtualMachine) -> str | None:
        """The page of the machine in the portal, which knows no machine that is gone."""
        return None if machine.gone_at else reverse("vms-machine", args=[machine.pk])

    # Writing

    def has_change_permission(self, request: HttpRequest, obj: VirtualMachine | None = None) -> bool:
        return request.user.has_perm("vms.change_virtualmachine")

    def save_model(self, request: HttpRequest, obj: VirtualMachine, form: ModelForm[Any], change: bool) -> None:
        obj.describe(note=obj.note, guest_login=obj.guest_login)


def _known_at(machine: VirtualMachine) -> datetime | None:
    sync = getattr(machine.cluster, "sync", None)
    if machine.missing_since or machine.silent_since:
        return machine.silent_since or machine.missing_since
    return max((at for at in (machine.status_at, sync and sync.synced_at) if at), default=None)
