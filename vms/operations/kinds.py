"""What each action is to a cluster: the call, the tasks that it becomes, and how one sees that it was done."""

from dataclasses import dataclass
from datetime import timedelta

from clusters import proxmox
from vms.access import machine_rules
from vms.models import Operation, VirtualMachine

Action = Operation.Action


@dataclass(frozen=True, kw_only=True)
class Kind:
    """`tasks` are the types of task that the action becomes.

    `status` is the machine's afterwards; empty: any. It `shows` that the action was done when that cannot be the
    status of before. `snapshot` is whether the named one is there afterwards; None: none is meant. The machine may
    reach its status only after the task has ended: `later`. Without an end for so long, the outcome is unknown.
    """

    tasks: frozenset[str]
    status: str = ""
    shows: bool = True
    snapshot: bool | None = None
    later: bool = False
    renews: bool = False
    patience: timedelta = timedelta(minutes=15)


def _tasks(*names: str) -> frozenset[str]:
    return frozenset(names)


HOUR = timedelta(hours=1)

KINDS: dict[str, Kind] = {
    Action.START: Kind(tasks=_tasks("qmstart", "vzstart", "hastart"), status="running", renews=True),
    Action.SHUTDOWN: Kind(tasks=_tasks("qmshutdown", "vzshutdown", "hastop"), status="stopped"),
    Action.STOP: Kind(tasks=_tasks("qmstop", "vzstop", "hastop"), status="stopped"),
    Action.REBOOT: Kind(
        tasks=_tasks("qmreboot", "vzreboot"), status="running", shows=False, later=True, renews=True
    ),
    Action.RESET: Kind(tasks=_tasks("qmreset"), status="running", shows=False, renews=True),
    Action.SUSPEND: Kind(tasks=_tasks("qmpause", "qmsuspend"), status="paused"),
    Action.RESUME: Kind(tasks=_tasks("qmresume"), status="running"),
    Action.SNAPSHOT: Kind(tasks=_tasks("qmsnapshot", "vzsnapshot"), snapshot=True, renews=True, patience=HOUR),
    Action.ROLLBACK: Kind(tasks=_tasks("qmrollback", "vzrollback"), shows=False, renews=True, patience=HOUR),
    Action.DELETE_SNAPSHOT: Kind(
        tasks=_tasks("qmdelsnapshot", "vzdelsnapshot"), snapshot=False, renews=True, patience=HOUR
    ),
}  # fmt: skip


def begin(pve: proxmox.Client, operation: Operation, vm: VirtualMachine) -> str:
    """Send it. Returns the task's UPID."""
    place = (vm.node, vm.kind, vm.vmid)
    match operation.action:
        case Action.SNAPSHOT:
            return pve.create_snapshot(*place, operation.snapshot, description=operation.description)
        case Action.ROLLBACK:
            return pve.roll_back(*place, operation.snapshot)
        case Action.DELETE_SNAPSHOT:
            return pve.delete_snapshot(*place, operation.snapshot)
        case Action.STOP if machine_rules.overrules_shutdown(vm, getattr(vm.cluster, "health", None)):
            return pve.stop_at_once(*place)
        case _:
            return pve.power(*place, proxmox.Power(operation.action))
