"""Clusters, their import and the audit trail in the admin."""

from clusters.admin.audit import AuditLogAdmin
from clusters.admin.cluster import ClusterAdmin
from clusters.admin.deleted import DeletedClusterAdmin
from clusters.admin.notices import ClusterNoticeAdmin
from clusters.admin.provisioning import ProvisioningAccessAdmin

__all__ = ["AuditLogAdmin", "ClusterAdmin", "ClusterNoticeAdmin", "DeletedClusterAdmin", "ProvisioningAccessAdmin"]
