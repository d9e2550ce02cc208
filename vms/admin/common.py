"""Mix-ins for the admin."""

from typing import Any

from django.http import HttpRequest
from django.utils.translation import pgettext

from vms.models import Pool


class ReadOnly:
    """No rows are added, changed or deleted here."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class GoesWithItsCluster(ReadOnly):
    """The rows of a cluster, which are deleted with it: its confirmation page asks for this permission."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        match = request.resolver_match
        is_about_clusters = bool(match and str(match.url_name).startswith("clusters_cluster_"))
        return is_about_clusters and request.user.has_perm("clusters.delete_cluster")


class NamesKnownPools:
    """Lists the known pools in the help text of the field `pool`. `pool_help` has the place `%(pools)s` for them."""

    pool_help: Any

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)  # type: ignore[misc]  # the page's
        if "pool" in form.base_fields:
            known = ", ".join(str(pool) for pool in Pool.objects.filter(missing_since=None)[:100])
            form.base_fields["pool"].help_text = self.pool_help % {"pools": known or pgettext("pools", "none")}
        return form
