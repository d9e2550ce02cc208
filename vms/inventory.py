"""Read a cluster's machines and write what changed: one call, one short transaction, nothing deleted."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from clusters import gate, proxmox
from clusters.config import ClusterConfig
from clusters.models import Cluster, ClusterHealth
from vms.models import ClusterSync, VirtualMachine

logger = logging.getLogger(__name__)

# A node collects figures every 10 s and caches them for 2 s: a status that was asked for directly is newer than
# what a list says for a while after it.
LIST_LAG = timedelta(seconds=15)

# More than this share of the machines gone at once is taken for a partial answer.
SUSPICIOUS_LOSS = 0.3

STATIC = ("kind", "name", "node", "lock", "template", "pool", "tags", "cpus", "memory", "disk")


@dataclass(frozen=True)
class Outcome:
    """What a sync did, in machines. `problem` is empty when the answer was taken over."""

    seen: int = 0
    created: int = 0
    changed: int = 0
    missing: int = 0
    problem: str = ""


def sync(config: ClusterConfig) -> Outcome:
    """Read one cluster. Its failure is written down as its own health and raised nowhere."""
    started = timezone.now()
    try:
        with gate.read(config) as pve:
            answer = pve.resources()
    except proxmox.ProxmoxError as error:
        logger.warning("%s: %s", config.cluster_id, error.plain)
        ClusterHealth.failed(config.cluster_id, error.plain, kind=type(error).__name__)
        return Outcome(problem=error.plain)
    ClusterHealth.succeeded(config.cluster_id, at=started)
    return _take_over(config.cluster_id, answer, started)


def _take_over(cluster_id: str, answer: proxmox.Resources, started: datetime) -> Outcome:
    with transaction.atomic():
        # The cluster's row serialises syncs of it, and a deletion meanwhile.
        if not Cluster.objects.select_for_update().filter(cluster_id=cluster_id).exists():
            return Outcome(problem="The cluster was deleted meanwhile.")
        known = {machine.vmid: machine for machine in VirtualMachine.objects.present().filter(cluster_id=cluster_id)}
        seen = {guest.vmid: guest for guest in answer.guests}
        problem = _suspicion(answer, known, seen)
        outcome = Outcome(
            seen=len(seen),
            created=_create(cluster_id, [guest for vmid, guest in seen.items() if vmid not in known]),
            changed=_update(known, seen, started),
            missing=0 if problem else _mark_missing(known, seen, started),
            problem=problem,
        )
        values = {"notice": problem[:300], **({} if problem else {"synced_at": started})}
        ClusterSync.objects.update_or_create(cluster_id=cluster_id, defaults=values)
    return outcome


def _suspicion(answer: proxmox.Resources, known: dict[int, VirtualMachine], seen: dict[int, Any]) -> str:
    """Why this answer cannot be believed about what it leaves out, or nothing."""
    present = [vmid for vmid, machine in known.items() if not machine.missing_since]
    lost = [vmid for vmid in present if vmid not in seen]
    if answer.rejected:
        return f"{answer.rejected} entries of the answer were not understood; nothing was taken for missing."
    if present and not seen:
        return "The cluster listed no machine at all. Has its user or token lost its rights? Nothing was removed."
    if len(lost) > max(1, SUSPICIOUS_LOSS * len(present)):
        return f"The cluster listed {len(lost)} machines fewer than before; nothing was taken for missing."
    return ""


def _facts(guest: proxmox.Guest) -> dict[str, Any]:
    return {name: getattr(guest, name) for name in STATIC if name != "tags"} | {"tags": ";".join(guest.tags)[:500]}


def _create(cluster_id: str, guests: list[proxmox.Guest]) -> int:
    VirtualMachine.objects.bulk_create(
        [
            VirtualMachine(cluster_id=cluster_id, vmid=guest.vmid, status=guest.status, **_facts(guest))
            for guest in guests
        ],
        batch_size=500,
    )
    return len(guests)


def _update(known: dict[int, VirtualMachine], seen: dict[int, proxmox.Guest], started: datetime) -> int:
    changed = []
    for vmid, machine in known.items():
        if (guest := seen.get(vmid)) and _differs(machine, guest, started):
            changed.append(machine)
    VirtualMachine.objects.bulk_update(changed, [*STATIC, "missing_since"], batch_size=200) if changed else None
    for machine in changed:
        # A status of its own query: an operation may have written a newer one since the rows were read.
        VirtualMachine.objects.filter(pk=machine.pk).exclude(status_at__gt=started - LIST_LAG).update(
            status=machine.status
        )
    return len(changed)


def _differs(machine: VirtualMachine, guest: proxmox.Guest, started: datetime) -> bool:
    """Copy the guest's facts onto the machine. True when that changed it."""
    facts = _facts(guest)
    if not guest.name:
        facts.pop("name")  # a guest on a dead node loses its name in the list; the known one stays
    fresh = machine.status_at is None or machine.status_at <= started - LIST_LAG
    if fresh:
        facts["status"] = guest.status
    facts["missing_since"] = None
    changed = any(getattr(machine, name) != value for name, value in facts.items())
    for name, value in facts.items():
        setattr(machine, name, value)
    return changed


def _mark_missing(known: dict[int, VirtualMachine], seen: dict[int, proxmox.Guest], started: datetime) -> int:
    lost = [machine.pk for vmid, machine in known.items() if vmid not in seen and not machine.missing_since]
    return int(VirtualMachine.objects.filter(pk__in=lost).update(missing_since=started))
