"""Cluster grants in the admin."""

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from accounts.autocomplete import CheckedAutocomplete
from vms.admin.common import NamesKnownPools
from vms.admin.filters import ClusterFilter
from vms.models import ClusterGrant


@admin.register(ClusterGrant)
class ClusterGrantAdmin(NamesKnownPools, CheckedAutocomplete[ClusterGrant]):
    list_display = ("cluster", "pool", "with_nested_pools", "user", "machine_set", "is_handed_on", "created_at")
    list_filter = (ClusterFilter,)
    list_select_related = ("cluster", "user", "machine_set")
    search_fields = ("user__username", "machine_set__name", "pool")
    autocomplete_fields = ("user", "machine_set")
    fields = ("user", "machine_set", "cluster", "pool", "with_nested_pools")
    list_per_page = 50
    pool_help = gettext_lazy("Empty: the whole cluster. Known pools: %(pools)s.")

    @admin.display(description=gettext_lazy("handed on by its teacher"), boolean=True)
    def is_handed_on(self, grant: ClusterGrant) -> bool:
        return grant.handed_on_from_id is not None

    def has_change_permission(self, request: HttpRequest, obj: ClusterGrant | None = None) -> bool:
        """Grants are added or deleted. A changed one would differ from those that were passed on from it."""
        return super().has_change_permission(request) if obj is None else False
