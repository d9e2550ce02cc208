"""Asks clusters when the portal's credentials expire, and stores the dates."""

import logging
from datetime import datetime

from django.utils import timezone

from accounts import stored_messages
from clusters import gateway, proxmox
from clusters.config import ClusterConfig
from vms import registry
from vms.models import CredentialEnd
from vms.monitoring import health_checks

logger = logging.getLogger(__name__)


def update_due() -> int:
    """Ask clusters that respond and are due. Returns how many answered."""
    now = timezone.now()
    with registry.resolved_once():
        if registry.state().is_fallback:
            return 0
        configs = {config.cluster_id: config for config in registry.clusters()}
    due = [facts.cluster.cluster_id for facts in health_checks.gather() if facts.answers and _is_due(facts, now)]
    return sum(_update(configs[cluster_id], now) for cluster_id in due if cluster_id in configs)


def _is_due(facts: health_checks.Facts, now: datetime) -> bool:
    expiry = facts.known_expiry
    return expiry is None or now - expiry.asked_at >= CredentialEnd.CHECK_EVERY


def _update(config: ClusterConfig, now: datetime) -> bool:
    try:
        with gateway.read(config) as pve:
            read_config = config.for_reading
            expiries = (_expiry(pve, config), _expiry(pve, read_config) if read_config.reads_only else None)
    except (proxmox.PermissionMissing, proxmox.Refused) as error:
        # The cluster will answer the same in a minute.
        _save(config, now, **stored_messages.columns("problem", error.plain, most=300))
    except proxmox.ProxmoxError as error:
        logger.info("%s does not say when its credentials expire: %s", config.cluster_id, error)
    else:
        told = stored_messages.columns("problem", "", most=300)
        _save(config, now, **told, ends_at=expiries[0], read_token_ends_at=expiries[1])
        return True
    return False


def _expiry(pve: proxmox.Reader, config: ClusterConfig) -> datetime | None:
    by_token = bool(config.token_id and config.token_secret)
    userid, _, token = config.token_id.rpartition("!") if by_token else (config.user, "", "")
    return pve.account(userid).end_of(token)


def _save(config: ClusterConfig, now: datetime, **values: object) -> None:
    CredentialEnd.objects.update_or_create(
        cluster_id=config.cluster_id,
        defaults={"asked_at": now, "credential_version": config.credential_version, **values},
    )
