"""The slow-changing facts of a cluster: version, quorum, keyboard option, and the addresses of its nodes."""

import logging

from clusters import addresses, gateway, proxmox
from clusters.config import ClusterConfig
from clusters.models import ClusterHealth
from vms.models import ClusterSync

logger = logging.getLogger(__name__)


def read_facts(config: ClusterConfig) -> None:
    """Three calls. A failure changes nothing: the sync records that the cluster does not answer."""
    try:
        with gateway.read(config) as pve:
            version = pve.version().version
            status = cluster_status(pve)
            keyboard = pve.cluster_options().keyboard
    except proxmox.ProxmoxError as error:
        logger.info("%s: %s", config.cluster_id, error.plain)
        return
    ClusterHealth.succeeded(config.cluster_id, version=version)
    ClusterSync.objects.filter(cluster_id=config.cluster_id).update(
        quorate=status.quorate if status else None, keyboard=keyboard
    )
    if status:
        addresses.learn(config, status)


def cluster_status(pve: proxmox.Reader) -> proxmox.ClusterStatus | None:
    """None when the account lacks the privilege."""
    try:
        return pve.cluster_status()
    except proxmox.PermissionMissing:
        return None
