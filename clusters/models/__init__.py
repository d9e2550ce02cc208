"""Clusters, their health, and what else the database stores about them."""

from clusters.models.adoption import Adoption, DeletedCluster, PendingImport
from clusters.models.cluster import Cluster, NotActive
from clusters.models.cluster_queryset import SECRETS, TARGET
from clusters.models.health import ClusterHealth, LoginState
from clusters.models.notices import ClusterNotice
from clusters.models.provisioning import ProvisioningAccess

__all__ = [
    "SECRETS",
    "TARGET",
    "Adoption",
    "Cluster",
    "ClusterHealth",
    "ClusterNotice",
    "DeletedCluster",
    "LoginState",
    "NotActive",
    "PendingImport",
    "ProvisioningAccess",
]
