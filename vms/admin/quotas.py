"""Quotas in the admin."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.autocomplete import CheckedAutocomplete
from vms.models import Quota
from vms.provisioning import quotas


@admin.register(Quota)
class QuotaAdmin(CheckedAutocomplete[Quota]):
    list_display = ("of", "machines", "running", "cores", "memory_mib", "disk_gib")
    list_select_related = ("cluster", "machine_set", "user")
    search_fields = ("cluster__name", "machine_set__name", "user__username")
    autocomplete_fields = ("machine_set", "user")
    fields = ("cluster", "machine_set", "user", "machines", "running", "cores", "memory_mib", "disk_gib", "in_use")
    readonly_fields = ("in_use",)
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

    @admin.display(description=gettext_lazy("of"))
    def of(self, quota: Quota) -> str:
        return quota.of
