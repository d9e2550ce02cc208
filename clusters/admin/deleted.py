"""Clusters that were deleted, in the admin."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from clusters.models import DeletedCluster


@admin.register(DeletedCluster)
class DeletedClusterAdmin(admin.ModelAdmin[DeletedCluster]):
    """Tombstones. Deleting one lets an import bring the cluster back."""

    list_display = ("cluster_id", "deleted_at", "deleted_by")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
