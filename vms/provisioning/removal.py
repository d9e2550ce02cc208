"""Undoing a run and removing the machines of a group: what will be lost, who used it since, and the beginning of it."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from accounts.models import User
from vms.models import Assignment, ConsoleSession, MachineSet, MadeMachine, Operation, ProvisioningRun, Snapshot
from vms.models.operations import ended
from vms.provisioning import networks, running
from vms.sentences import say

State, Action = MadeMachine.State, Operation.Action

# What the portal itself does with a machine until it is handed over.
OWN = (Action.CLONE, Action.DESTROY)


@dataclass(frozen=True)
class Loss:
    """What goes with one machine: `people` are those who used it since it was ready, `last` when somebody last did."""

    made: MadeMachine
    assignee: str
    people: tuple[str, ...]
    last: datetime | None
    snapshots: int
    is_running: bool


def of_run(run: ProvisioningRun) -> "QuerySet[MadeMachine]":
    return _removable().filter(run=run)


def of_group(group: MachineSet) -> "QuerySet[MadeMachine]":
    """All that was made for the group, also earlier machines."""
    return _removable().filter(run__machine_set=group)


def _removable() -> "QuerySet[MadeMachine]":
    found: QuerySet[MadeMachine] = MadeMachine.objects.unremoved().exclude(state=State.REMOVING)
    return found.select_related("vm", "run").order_by("run__requested_at", "position", "pk")


def losses(machines: Iterable[MadeMachine]) -> list[Loss]:
    """In the order of the machines; a constant number of queries."""
    rows = list(machines)
    vms = [made.vm_id for made in rows if made.vm_id]
    live = Assignment.objects.live().filter(vm__in=vms).values_list("vm", "user__username")
    assignees = {vm: name for vm, name in live if vm}
    saved: dict[int, int] = {}
    for vm in Snapshot.objects.filter(vm__in=vms).exclude(name="baseline").values_list("vm", flat=True):
        saved[vm] = saved.get(vm, 0) + 1
    uses = _uses(vms)
    return [_loss(made, assignees, saved, uses.get(made.vm_id or 0, [])) for made in rows]


def digest(losses: Iterable[Loss]) -> str:
    """Another one as soon as a machine is added or removed, or somebody uses one."""
    rows = [(loss.made.pk, loss.made.state, loss.assignee, loss.last, loss.snapshots) for loss in losses]
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def _uses(vms: list[int]) -> dict[int, list[tuple[str, datetime]]]:
    """By machine, who did what was no making, and when; open consoles count, too."""
    found: dict[int, list[tuple[str, datetime]]] = {}
    operations = Operation.objects.filter(vm__in=vms).exclude(action__in=OWN).exclude(state=Operation.State.CANCELLED)
    consoles = ConsoleSession.objects.filter(vm__in=vms)
    for rows, names in (
        (operations, ("vm", "requested_by_name", "requested_at")),
        (consoles, ("vm", "user_name", "opened_at")),
    ):
        for vm, name, at in rows.values_list(*names):
            found.setdefault(vm, []).append((name, at))
    return found


def _loss(
    made: MadeMachine, assignees: dict[int, str], saved: dict[int, int], uses: list[tuple[str, datetime]]
) -> Loss:
    since = [(name, at) for name, at in uses if made.ready_at and at > made.ready_at]
    return Loss(
        made=made,
        assignee=assignees.get(made.vm_id or 0, ""),
        people=tuple(dict.fromkeys(name for name, _ in sorted(since, key=lambda use: use[1]))),
        last=max((at for _, at in since), default=None),
        snapshots=saved.get(made.vm_id or 0, 0),
        is_running=made.vm is not None and made.vm.status == "running",
    )


def begin(machines: "QuerySet[MadeMachine]", *, by: User | None) -> int:
    """Remove them. Returns how many. Those that were never begun are cancelled; the worker removes the others.

    Without a person, it is the portal that removes earlier machines whose time is over. People lose the machines at
    once, and what they requested and was not sent is cancelled.
    """
    now, name = timezone.now(), by.get_username() if by else ""
    with transaction.atomic():
        rows = list(machines.select_related(None).select_for_update(of=("self",)))
        chosen = MadeMachine.objects.filter(pk__in=[row.pk for row in rows]).order_by()
        vms = [row.vm_id for row in rows if row.vm_id]
        Assignment.objects.filter(vm__in=vms).end()
        Operation.objects.filter(vm__in=vms).cancel_unsent(say("taken"))
        fenced = {"leased_until": None, "next_look_at": None, "tries": 0, "attempt": F("attempt") + 1}
        unbegun = chosen.filter(state=State.WAITING, sent_what="", upid="")
        why = ended(say("made-cancelled-by", name=name))
        if unbegun.update(state=State.CANCELLED, removed_at=now, **fenced, **why):
            networks.return_unused([row.lease_id for row in rows if row.lease_id])
        rest = chosen.filter(removed_at=None)
        # A clone that may be under way is followed to its end; all else is found out by looking.
        rest.exclude(sent_what=MadeMachine.Call.CLONE).update(sent_what="", upid="")
        asked = {
            "removal_requested_by": by,
            "removal_requested_by_name": name,
            "removal_requested_at": now,
        }
        rest.update(state=State.REMOVING, keep_until=None, **asked, **fenced, **ended(""))
    running.close_finished()
    transaction.on_commit(running.begin, robust=True)
    return len(rows)
