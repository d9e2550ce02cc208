"""Stores the addresses of a cluster's nodes, so that another node is asked when the first one does not answer."""

import ipaddress
import logging

from accounts import audit
from clusters import proxmox
from clusters.config import MAX_ADDRESSES, ClusterConfig, Trust
from clusters.models import SECRETS, Cluster

logger = logging.getLogger(__name__)


def learn(config: ClusterConfig, status: proxmox.ClusterStatus) -> bool:
    """Keep the addresses of an answer that this configuration got; returns whether they are others than before.

    Only of a verified cluster, and only while its settings are still those. It is no change of settings. The gateway
    checks each of them against the networks that are allowed when it connects.
    """
    found = _found(status)
    if config.trust is Trust.NONE or config.updated_at is None or not found:
        return False
    same = Cluster.objects.filter(cluster_id=config.cluster_id, updated_at=config.updated_at)
    row = same.defer(*SECRETS).first()
    if row is None or row.learned_addresses == found:
        return False
    if not same.exclude(learned_addresses=found).update(learned_addresses=found):
        return False  # somebody else was faster
    audit.record(row, learned_addresses=(", ".join(row.learned_addresses), ", ".join(found)))
    logger.info("Cluster %s is at %s.", config.cluster_id, ", ".join(found))
    return True


def _found(status: proxmox.ClusterStatus) -> list[str]:
    """In one order, whichever node answered: what is the same has to look the same."""
    known = {ip for text in proxmox.learned_addresses(status) if (ip := _ip(text))}
    return [str(ip) for ip in sorted(known, key=lambda ip: (ip.version, int(ip)))][:MAX_ADDRESSES]


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
