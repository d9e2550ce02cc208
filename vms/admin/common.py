"""Mix-ins for the admin of what is observed or recorded."""

from typing import Any

from django.http import HttpRequest


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
