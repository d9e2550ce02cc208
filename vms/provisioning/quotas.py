"""Quotas: what an administrator allows a cluster, a machine group or a person, checked by rows under a lock."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts.plans import Note
from vms.models import Assignment, MachineSet, MachineTemplate, Operation, Quota, Snapshot, VirtualMachine
from vms.provisioning import ledger
from vms.provisioning.amounts import NAMES, Amounts
from vms.sentences import say

WORDS = {
    "machines": gettext_noop("machines"),
    "running": gettext_noop("running machines"),
    "cores": gettext_noop("cores"),
    "memory_mib": gettext_noop("MiB of memory"),
    "disk_gib": gettext_noop("GiB of disk"),
}
SHORTAGE = gettext_noop("quota of %(of)s: %(used)s of %(limit)s %(what)s used, %(wanted)s more wanted")
RUNNING = gettext_noop(
    "Only %(limit)s machines of %(of)s may run at a time. The machines are started one after another."
)


@dataclass(frozen=True)
class Bar:
    """One limit of a quota, with what is used of it."""

    label: str
    used: int
    limit: int

    @property
    def percent(self) -> int:
        return 100 if not self.limit else min(100, round(100 * self.used / self.limit))

    @property
    def is_full(self) -> bool:
        return self.used >= self.limit


@dataclass(frozen=True)
class Usage:
    """What a quota, or a template's own limits, allow and what is used of it. `of` is whose they are, for people."""

    of: str
    limits: Mapping[str, int]
    used: Amounts

    @property
    def bars(self) -> list[Bar]:
        return [Bar(_(WORDS[name]), getattr(self.used, name), limit) for name, limit in self.limits.items()]

    def shortages(self, wanted: Amounts) -> list[Note]:
        """Where the wanted amounts do not fit. How many run is decided when they are started, not here."""
        found = []
        for name, limit in self.limits.items():
            used, more = getattr(self.used, name), getattr(wanted, name)
            if name != "running" and more and used + more > limit:
                what = Note(WORDS[name])
                found.append(Note.of(SHORTAGE, of=self.of, used=used, limit=limit, what=what, wanted=more))
        return found

    def running_notes(self, wanted: Amounts) -> list[Note]:
        limit = self.limits.get("running")
        return [Note.of(RUNNING, limit=limit, of=self.of)] if limit is not None and limit < wanted.machines else []


def limits_of(quota: Quota) -> dict[str, int]:
    return {name: limit for name in NAMES if (limit := getattr(quota, name)) is not None}


def usage_of(quota: Quota) -> Usage:
    if quota.cluster_id:
        return Usage(quota.of, limits_of(quota), ledger.of_cluster(quota.cluster_id))
    if quota.machine_set_id:
        return Usage(quota.of, limits_of(quota), ledger.of_group(quota.machine_set_id))
    return Usage(quota.of, limits_of(quota), ledger.of_person(quota.user_id or 0))


def usage_of_template(template: MachineTemplate) -> Usage | None:
    """None for a template without limits."""
    limits = {name: limit for name in NAMES if (limit := getattr(template, f"most_{name}", None)) is not None}
    return Usage(template.name, limits, ledger.out_of(template)) if limits else None


def concerned(cluster_id: str, group: int, people: Iterable[int], *, is_locked: bool) -> list[Quota]:
    """The quotas that concern these. Locked until the transaction ends, in one order for everybody."""
    found = Quota.objects.filter(Q(cluster_id=cluster_id) | Q(machine_set=group) | Q(user__in=list(people)))
    return list((found.select_for_update(of=("self",)) if is_locked else found).order_by("pk"))


def usages(clusters: Iterable[object], group: int) -> list[Usage]:
    """Of a class and of clusters (by ID), for its page."""
    either = Q(cluster_id__in=list(clusters)) | Q(machine_set=group)
    rows = Quota.objects.filter(either).select_related("cluster", "machine_set")
    return [usage_of(row) for row in rows.order_by("-machine_set", "pk")]


def start_refusals(operations: Iterable[Operation]) -> dict[uuid.UUID, str]:
    """Which of these unsaved operations would start one machine too many, by primary key. In their transaction.

    The quotas concerned are locked until it ends: whoever starts machines at the same moment waits, and counts them.
    """
    starts = _starts(operations)
    if not starts or not (limited := _with_running_limit(starts)):
        return {}
    machines = [one.vm_id for one in starts if one.vm_id]
    room = {quota.pk: (quota.running or 0) - _running_of(quota) for quota in limited}
    concerned = {quota.pk: _machines_of(quota, machines) for quota in limited}
    refused: dict[uuid.UUID, str] = {}
    for one in starts:
        quotas = [quota for quota in limited if one.vm_id in concerned[quota.pk]]
        full = next((quota for quota in quotas if room[quota.pk] <= 0), None)
        if full:
            refused[one.pk] = say("quota-running", of=full.of, limit=full.running)
            continue
        for quota in quotas:
            room[quota.pk] -= 1
    return refused


def _starts(operations: Iterable[Operation]) -> list[Operation]:
    """Those that have a machine run that does not: a revert to a snapshot with memory is one, too."""
    action = Operation.Action
    known = [one for one in operations if one.vm_id]
    reverts = [one for one in known if one.action == action.ROLLBACK]
    waking: set[tuple[int, str]] = set()
    if reverts:
        asleep = VirtualMachine.objects.filter(pk__in=[one.vm_id for one in reverts], status__in=ledger.OFF)
        saved = Snapshot.objects.filter(vm__in=asleep, with_memory=True, name__in={one.snapshot for one in reverts})
        waking = set(saved.order_by().values_list("vm", "name"))
    return [one for one in known if one.action == action.START or (one.vm_id, one.snapshot) in waking]


def refusal_to_start(cluster_id: str, group: int, person: int | None) -> str:
    """Why a machine that was just made may not be started now, or nothing. In the transaction that records it."""
    people = [person] if person else []
    if not Quota.objects.exclude(running=None).exists():
        return ""
    for quota in concerned(cluster_id, group, people, is_locked=True):
        if quota.running is not None and _running_of(quota) >= quota.running:
            return say("quota-running", of=quota.of, limit=quota.running)
    return ""


def _with_running_limit(starts: list[Operation]) -> list[Quota]:
    """Those that concern one of these machines, locked."""
    machines = [one.vm_id for one in starts]
    groups = MachineSet.machines.through.objects.filter(virtualmachine__in=machines).values("machineset")
    people = Assignment.objects.live().filter(vm__in=machines).values("user")
    clusters = sorted({one.cluster_id for one in starts})
    concerning = Q(cluster_id__in=clusters) | Q(machine_set__in=groups) | Q(user__in=people)
    limited = Quota.objects.exclude(running=None)
    if not limited.exists():
        return []
    return list(limited.select_for_update(of=("self",)).filter(concerning).order_by("pk"))


def _running_of(quota: Quota) -> int:
    return usage_of(quota).used.running


def _machines_of(quota: Quota, among: list[int]) -> set[int]:
    """The primary keys of those of these machines that a quota concerns."""
    machines = VirtualMachine.objects.filter(pk__in=among).order_by()
    if quota.cluster_id:
        machines = machines.filter(cluster_id=quota.cluster_id)
    elif quota.machine_set_id:
        machines = machines.filter(sets=quota.machine_set_id)
    else:
        machines = machines.filter(pk__in=Assignment.objects.live().filter(user=quota.user_id).values("vm"))
    return set(machines.values_list("pk", flat=True))
