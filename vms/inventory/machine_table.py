"""The rows of a cluster's machines, compared with its answer as tuples: a model instance for each would take longer
than the rest of the sync."""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import F
from django.db.models.functions import Coalesce

from clusters import proxmox
from vms.inventory.sync_result import SyncResult
from vms.models import VirtualMachine

# A node collects figures every 10 s and caches them for 2 s: a status that was asked for directly is newer than
# what a list says for a while after it.
LIST_LAG = timedelta(seconds=15)

# A machine that so many complete answers in a row lack is gone.
MISSES = 3

# Uptimes are as old as the list. Only a larger difference means another start.
BOOT_TOLERANCE = timedelta(seconds=90)
LONGEST_UPTIME = 10**9  # seconds

# With more VMIDs than this every row is read: the number of parameters of a statement is limited.
MAX_VMIDS = 500

FACTS = ("kind", "name", "node", "lock", "ha_state", "template", "pool", "tags", "cpus", "memory", "disk")
WRITTEN = FACTS[1:]


class MachineRow(NamedTuple):
    """A row of the table: its keys, its facts in the order of `FACTS`, and its state."""

    pk: int
    vmid: int
    kind: str
    name: str
    node: str
    lock: str
    ha_state: str
    template: bool
    pool: str
    tags: str
    cpus: float
    memory: int
    disk: int
    status: str
    status_at: datetime | None
    booted_at: datetime | None
    silent_since: datetime | None
    missing_since: datetime | None
    details_at: datetime | None
    listed_name: str
    doubted_since: datetime | None

    @property
    def is_present(self) -> bool:
        return self.missing_since is None


class Change(NamedTuple):
    """New values of a row. `details_due_at` is None when there is no reason to read details now."""

    facts: tuple[Any, ...]
    status: str
    booted_at: datetime | None
    silent_since: datetime | None
    details_due_at: datetime | None
    listed_name: str = ""
    doubted_since: datetime | None = None


COLUMNS = ("id", *MachineRow._fields[1:])
TABLE = VirtualMachine._meta.db_table


def read(cluster_id: str, *, vmids: Collection[int] = ()) -> dict[int, MachineRow]:
    """The rows of machines that are not gone, by VMID. With `vmids`, at least those rows.

    It uses the driver directly: the ORM's conversions double the time.
    """
    names = ", ".join(map(connection.ops.quote_name, COLUMNS))
    query = f"SELECT {names} FROM {TABLE} WHERE cluster_id = %s AND gone_at IS NULL"  # noqa: S608 - constants
    if some := tuple(vmids) if len(vmids) <= MAX_VMIDS else ():
        query += f" AND vmid IN ({', '.join(['%s'] * len(some))})"
    with connection.cursor() as cursor:
        cursor.execute(query, [cluster_id, *some])
        return {row[1]: MachineRow._make(row) for row in cursor.fetchall()}


def recently_observed(cluster_id: str, *, after: datetime) -> set[int]:
    """The VMIDs of machines whose status was asked for directly since, or that the list gave another name."""
    lately = "(status_at > %s OR listed_name <> '')"
    query = f"SELECT vmid FROM {TABLE} WHERE cluster_id = %s AND gone_at IS NULL AND {lately}"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(query, [cluster_id, connection.ops.adapt_datetimefield_value(after)])
        return {vmid for (vmid,) in cursor.fetchall()}


def write(
    cluster_id: str,
    known: Mapping[int, MachineRow],
    seen: Mapping[int, proxmox.Guest],
    offline: Collection[str],
    started: datetime,
    *,
    is_complete: bool,
) -> SyncResult:
    """Write what is new or differs. `offline` are the nodes that are down, so that their guests are unknown."""
    new, replaced, changes = [], [], []
    for vmid, guest in seen.items():
        row = known.get(vmid)
        if row is None:
            new.append(guest)
        elif row.kind != guest.kind:
            # Another machine. A suspicious answer replaces none.
            replaced += [row] if is_complete else []
            new += [guest] if is_complete else []
        elif change := _change(row, guest, started, is_silent=_is_silent(guest, offline)):
            changes.append((row, change))
    _end(replaced, started)
    _create(cluster_id, new, offline, started)
    _update(changes, started)
    return SyncResult(seen=len(seen), created=len(new), changed=len(changes), gone=len(replaced))


def mark_missing(lost: Iterable[MachineRow], started: datetime) -> tuple[int, int]:
    """Count that a complete answer lacked these machines. Returns how many are newly missing, and how many gone."""
    rows = list(lost)
    if not rows:
        return 0, 0
    machines = VirtualMachine.objects.present().filter(pk__in=[row.pk for row in rows])
    machines.update(missed=F("missed") + 1, missing_since=Coalesce("missing_since", started))
    gone = machines.filter(missed__gte=MISSES).update(gone_at=started)
    return sum(row.is_present for row in rows), gone


def _is_silent(guest: proxmox.Guest, offline: Collection[str]) -> bool:
    """For five minutes the list keeps the last figures of a lost node; after that it has only the VMID."""
    return guest.node in offline or (guest.status == "unknown" and not guest.name)


def _facts(guest: proxmox.Guest) -> tuple[Any, ...]:
    return (
        guest.kind, guest.name, guest.node, guest.lock, guest.ha_state, guest.template, guest.pool,
        _joined(guest.tags), guest.cpus, guest.memory, guest.disk,
    )  # fmt: skip


@lru_cache(maxsize=1024)
def _joined(tags: tuple[str, ...]) -> str:
    return ";".join(tags)[:500]


def _change(row: MachineRow, guest: proxmox.Guest, started: datetime, *, is_silent: bool) -> Change | None:
    """None when the row already has these values."""
    before, facts = row[2:13], _facts(guest)
    if facts == before and not is_silent and _is_settled(row, guest, started):
        return None
    if _is_listed_by_another_name(row, guest):
        if row.listed_name != guest.name:
            return _mark_doubtful(row, guest, started)
        if _may_be_another_machine(row, started):
            return _mark_doubtful(row, guest, started) if row.missing_since or row.node != guest.node else None
        facts = (facts[0], row.name, *facts[2:])
    if is_silent or not guest.name:
        facts = _with_known_facts(facts, before, is_silent=is_silent)
    status, booted_at = row.status, _utc(row.booted_at)
    if _is_status_newer(row, started):
        facts = (*facts[:3], row.lock, *facts[4:])  # asked for with the status
    elif not is_silent:
        status, booted_at = guest.status, _booted_at(guest, booted_at, started)
    is_back, is_new_start = row.missing_since is not None, booted_at != _utc(row.booted_at)
    listed_name = row.listed_name if _is_listed_by_another_name(row, guest) else ""
    is_as_named = (row.listed_name, row.doubted_since) == (listed_name, None)
    is_as_before = facts == before and status == row.status and is_as_named and is_silent == bool(row.silent_since)
    if is_as_before and not is_back and not is_new_start:
        return None
    silent_since = (_utc(row.silent_since) or started) if is_silent else None
    asks_details = is_back or is_new_start or _asks_details(before, facts)
    return Change(facts, status, booted_at, silent_since, started if asks_details else None, listed_name)


def _is_listed_by_another_name(row: MachineRow, guest: proxmox.Guest) -> bool:
    """Whether the list gives another name to a machine whose details can tell whether it is still the same."""
    return bool(row.details_at and guest.name and guest.name != row.name)


def _may_be_another_machine(row: MachineRow, started: datetime) -> bool:
    """Whether its details were not read since, or so recently that the list may be older."""
    looked = _utc(row.details_at)
    return row.doubted_since is not None or looked is None or looked > started - LIST_LAG


def _mark_doubtful(row: MachineRow, guest: proxmox.Guest, started: datetime) -> Change:
    """Write only the node and the listed name, and make the details due at once: they tell whether it is the same."""
    booted_at, silent_since = _utc(row.booted_at), _utc(row.silent_since)
    return Change(
        (row.kind, row.name, guest.node, *row[5:13]), row.status, booted_at, silent_since, started, guest.name, started
    )


def _is_settled(row: MachineRow, guest: proxmox.Guest, started: datetime) -> bool:
    """Whether nothing else has to be compared, given that the facts are the same, as they nearly always are."""
    _, _, _, status, status_at, booted_at, silent_since, missing_since, _, listed_name, _ = row[10:]
    if status != guest.status or status_at or silent_since or missing_since or listed_name:
        return False
    return not booted_at if not guest.uptime else _utc(booted_at) == _booted_at(guest, _utc(booted_at), started)


def _is_status_newer(row: MachineRow, started: datetime) -> bool:
    """Whether the status was asked for directly so recently that the list may be older."""
    asked = _utc(row.status_at)
    return asked is not None and asked > started - LIST_LAG


def _asks_details(before: tuple[Any, ...], facts: tuple[Any, ...]) -> bool:
    """Whether the details may have changed, too: with a name, node, template or size, or with the end of a lock."""
    has_been_unlocked = before[3] and before[3] != facts[3]
    then, now = ((*facts[1:3], facts[5], *facts[8:]) for facts in (before, facts))
    return bool(has_been_unlocked or then != now)


def _with_known_facts(facts: tuple[Any, ...], before: tuple[Any, ...], *, is_silent: bool) -> tuple[Any, ...]:
    """The list loses the name and the sizes of a guest on a dead node."""
    kind, name, *between, cpus, memory, disk = facts
    sizes = before[8:] if is_silent else (cpus, memory, disk)
    return (kind, name or before[1], *between, *sizes)


def _booted_at(guest: proxmox.Guest, known: datetime | None, started: datetime) -> datetime | None:
    if guest.status == "stopped" or not guest.uptime:
        return None
    at = started - timedelta(seconds=min(guest.uptime, LONGEST_UPTIME))
    return known if known and abs(at - known) <= BOOT_TOLERANCE else at


def _utc(moment: datetime | None) -> datetime | None:
    """SQLite's driver returns times without a time zone."""
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


def _end(rows: Iterable[MachineRow], started: datetime) -> None:
    if pks := [row.pk for row in rows]:
        VirtualMachine.objects.filter(pk__in=pks).update(gone_at=started)


def _create(cluster_id: str, guests: Collection[proxmox.Guest], offline: Collection[str], started: datetime) -> None:
    if not guests:
        return
    VirtualMachine.objects.bulk_create(
        [
            VirtualMachine(
                cluster_id=cluster_id,
                vmid=guest.vmid,
                status=guest.status,
                booted_at=_booted_at(guest, None, started),
                silent_since=started if _is_silent(guest, offline) else None,
                **dict(zip(FACTS, _facts(guest), strict=True)),
            )
            for guest in guests
        ],
        batch_size=500,
    )


def _update(changes: list[tuple[MachineRow, Change]], started: datetime) -> None:
    """One statement, repeated by the driver: `bulk_update` takes ten times as long.

    Status and lock stay when they were asked for directly since the rows were read.
    """
    if not changes:
        return
    time, quote = connection.ops.adapt_datetimefield_value, connection.ops.quote_name
    lock = f"CASE WHEN status_at > %s THEN {quote('lock')} ELSE %s END"
    assignments = ", ".join(f"{quote(name)} = {lock if name == 'lock' else '%s'}" for name in WRITTEN)
    statement = (
        f"UPDATE {TABLE} SET {assignments}, status = CASE WHEN status_at > %s THEN status ELSE %s END, "  # noqa: S608
        "booted_at = %s, silent_since = %s, missing_since = NULL, missed = 0, "
        "details_due_at = COALESCE(%s, details_due_at), listed_name = %s, doubted_since = %s "
        "WHERE id = %s AND gone_at IS NULL"
    )
    horizon = time(started - LIST_LAG)
    rows = [
        (
            *change.facts[1:3], horizon, *change.facts[3:], horizon, change.status, time(change.booted_at),
            time(change.silent_since), time(change.details_due_at), change.listed_name, time(change.doubted_since),
            row.pk,
        )
        for row, change in changes
    ]  # fmt: skip
    with connection.cursor() as cursor:
        cursor.executemany(statement, rows)
    # A machine that is off has no addresses.
    if off := [row.pk for row, change in changes if row.booted_at and not change.booted_at]:
        VirtualMachine.objects.filter(pk__in=off).update(addresses=[])
