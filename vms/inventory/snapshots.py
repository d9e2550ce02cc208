"""The snapshots of a machine, as its cluster lists them."""

from datetime import UTC, datetime
from typing import Any

from clusters import proxmox
from vms.models import Snapshot

LAST_SECOND = 253_402_300_799  # of the year 9999


def write_snapshots(machine: int, listed: proxmox.Snapshots) -> None:
    """Make the rows of a machine, given by its primary key, equal to the list. Call it in a transaction."""
    known = {row.name: row for row in Snapshot.objects.filter(vm=machine)}
    for found in listed.all:
        facts = _facts(found)
        row = known.pop(found.name, None)
        if row is None:
            # The operation that saved it may be recording it at this moment.
            Snapshot.objects.update_or_create(vm_id=machine, name=found.name, defaults=facts)
        elif any(getattr(row, name) != value for name, value in facts.items()):
            Snapshot.objects.filter(pk=row.pk).update(**facts)
    if known and not listed.rejected:
        Snapshot.objects.filter(pk__in=[row.pk for row in known.values()]).delete()


def _facts(found: proxmox.Snapshot) -> dict[str, Any]:
    return {
        "description": found.description[:500],
        "taken_at": datetime.fromtimestamp(min(found.taken, LAST_SECOND), UTC) if found.taken else None,
        "parent": found.parent,
        "with_memory": found.with_memory,
        "state": found.state,
    }
