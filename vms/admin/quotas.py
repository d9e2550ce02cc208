"""Quotas in the admin."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.autocomplete import CheckedAutocomplete
from vms.models import Quota
from vms.provisioning import ledger, quotas


@admin.register(Quota)
class QuotaAdmin(CheckedAutocomplete[Quota]):
    list_display = ("of", "machines", "running", "cores", "memory_mib", "disk_gib")
    list_select_related = ("cluster", "machine_set", "user")
    search_fields = ("cluster__name", "machine_set__name", "user__username")
    autocomplete_fields = ("machine_set", "user")
    fields = (
        "cluster",
        "machine_set",
        "user",
        "machines",
        "running",
        "cores",
        "memory_mib",
        "disk_gib",
        "in_use",
        "users_of_it",
    )
    readonly_fields = ("in_use", "users_of_it")
    list_per_page = 50

    def get_readonly_fields(self, request: HttpRequest, obj: Quota | None = None) -> Any:
        """For something else another quota is added."""
        return self.readonly_fields if obj is None else (*self.readonly_fields, "cluster", "machine_set", "user")

    @admin.display(description=gettext_lazy("in use"))
    def in_use(self, quota: Quota) -> str:
        """Of what is limited."""
        if quota.pk is None:
            return _("nothing yet")
        bars = quotas.usage_of(quota).bars
        return ", ".join(f"{bar.label}: {bar.used} / {bar.limit}" for bar in bars) or _("nothing is limited")

    @admin.display(description=gettext_lazy("who uses what"))
    def users_of_it(self, quota: Quota) -> str:
        """Of a cluster its machine groups, of a machine group its people."""
        if quota.cluster_id:
            found = ledger.by_group(quota.cluster_id)
        elif quota.machine_set_id:
            found = ledger.by_person(quota.machine_set_id)
        else:
            found = []
        names = quotas.limits_of(quota)
        rows = [
            (who, ", ".join(f"{_(quotas.WORDS[name])}: {getattr(amounts, name)}" for name in names))
            for who, amounts in found
        ]
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{}: {}</li>", rows)) if rows else _("nobody")

    @admin.display(description=gettext_lazy("of"))
    def of(self, quota: Quota) -> str:
        return quota.of
