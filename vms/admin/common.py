"""What pages of the admin about observed things have in common."""

from typing import Any

from django.http import HttpRequest


class ReadOnly:
    """What is observed or recorded is not edited."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class GoesWithItsCluster(ReadOnly):
    """The confirmation page of deleting a cluster asks this of whatever goes with it."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        match = request.resolver_match
        is_about_clusters = bool(match and str(match.url_name).startswith("clusters_cluster_"))
        return is_about_clusters and request.user.has_perm("clusters.delete_cluster")
