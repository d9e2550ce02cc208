"""Ask clusters until when the portal's credentials are good."""

import logging
from datetime import datetime

from django.utils import timezone

from clusters import gateway, proxmox
from clusters.config import ClusterConfig
from vms import registry
from vms.models import CredentialEnd
from vms.monitoring import health_checks

logger = logging.getLogger(__name__)


def ask() -> int:
    """Ask those clusters that answer and whose turn it is; returns how many answered."""
    now = timezone.now()
    with registry.resolved_once():
        if registry.state().is_fallback:
            return 0
        configs = {config.cluster_id: config for config in registry.clusters()}
    due = [facts.cluster.cluster_id for facts in health_checks.gather() if facts.answers and _is_due(facts, now)]
    return sum(_ask(configs[cluster_id], now) for cluster_id in due if cluster_id in configs)


def _is_due(facts: health_checks.Facts, now: datetime) -> bool:
    end = facts.known_end
    return end is None or now - end.asked_at >= CredentialEnd.AGAIN


def _ask(config: ClusterConfig, now: datetime) -> bool:
    try:
        with gateway.read(config) as pve:
            reading = config.for_reading
            ends = (_end(pve, config), _end(pve, reading) if reading.reads_only else None)
    except (proxmox.PermissionMissing, proxmox.Refused) as error:
        # It will say the same in a minute.
        _keep(config, now, problem=error.plain[:300])
    except proxmox.ProxmoxError as error:
        logger.info("%s does not say until when credentials are good: %s", config.cluster_id, error.plain)
    else:
        _keep(config, now, problem="", ends_at=ends[0], read_token_ends_at=ends[1])
        return True
    return False


def _end(pve: proxmox.Reader, config: ClusterConfig) -> datetime | None:
    by_token = bool(config.token_id and config.token_secret)
    userid, _, token = config.token_id.rpartition("!") if by_token else (config.user, "", "")
    return pve.account(userid).end_of(token)


def _keep(config: ClusterConfig, now: datetime, **values: object) -> None:
    CredentialEnd.objects.update_or_create(
        cluster_id=config.cluster_id,
        defaults={"asked_at": now, "credential_version": config.credential_version, **values},
    )
