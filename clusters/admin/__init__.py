"""Clusters, their import and the audit trail in the admin."""

from clusters.admin.cluster import ClusterAdmin
from clusters.admin.deleted import DeletedClusterAdmin
from clusters.admin.notices import ClusterNoticeAdmin
from clusters.admin.trail import TrailAdmin

__all__ = ["ClusterAdmin", "ClusterNoticeAdmin", "DeletedClusterAdmin", "TrailAdmin"]
