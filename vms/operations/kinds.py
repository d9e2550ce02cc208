"""The actions: for each the call to the cluster, its task types, and the check that it was done."""

from dataclasses import dataclass
from datetime import timedelta

from clusters import proxmox
from vms.access import machine_rules
from vms.models import Operation, VirtualMachine

Action = Operation.Action


@dataclass(frozen=True, kw_only=True)
class Kind:
    """`tasks` are the types of the action's task; `status` is the machine's status afterwards, or empty for any.

    `status_proves`: that status shows that the action was done, because the machine had another one before.
    `snapshot`: whether the named snapshot exists afterwards, or None for actions without one. `status_follows_task`:
    the task may end before the machine has its status. After `timeout` without an end, the outcome is unknown.
    """

    tasks: frozenset[str]
    status: str = ""
    status_proves: bool = True
    snapshot: bool | None = None
    status_follows_task: bool = False
    refreshes_details: bool = False
    timeout: timedelta = timedelta(minutes=15)


def _tasks(*names: str) -> frozenset[str]:
    return frozenset(names)


HOUR = timedelta(hours=1)

KINDS: dict[str, Kind] = {
    Action.START: Kind(tasks=_tasks("qmstart", "vzstart", "hastart"), status="running", refreshes_details=True),
    Action.SHUTDOWN: Kind(tasks=_tasks("qmshutdown", "vzshutdown", "hastop"), status="stopped"),
    Action.STOP: Kind(tasks=_tasks("qmstop", "vzstop", "hastop"), status="stopped"),
    Action.REBOOT: Kind(
        tasks=_tasks("qmreboot", "vzreboot"), status="running", status_proves=False, status_follows_task=True,
        refreshes_details=True,
    ),
    Action.RESET: Kind(tasks=_tasks("qmreset"), status="running", status_proves=False, refreshes_details=True),
    Action.SUSPEND: Kind(tasks=_tasks("qmpause", "qmsuspend"), status="paused"),
    Action.RESUME: Kind(tasks=_tasks("qmresume"), status="running"),
    Action.SNAPSHOT: Kind(
        tasks=_tasks("qmsnapshot", "vzsnapshot"), snapshot=True, refreshes_details=True, timeout=HOUR
    ),
    Action.ROLLBACK: Kind(
        tasks=_tasks("qmrollback", "vzrollback"), status_proves=False, refreshes_details=True, timeout=HOUR
    ),
    Action.DELETE_SNAPSHOT: Kind(
        tasks=_tasks("qmdelsnapshot", "vzdelsnapshot"), snapshot=False, refreshes_details=True, timeout=HOUR
    ),
}  # fmt: skip


def start_task(pve: proxmox.Client, operation: Operation, vm: VirtualMachine) -> str:
    """Send it. Returns the UPID of its task."""
    guest = (vm.node, vm.kind, vm.vmid)
    match operation.action:
        case Action.SNAPSHOT:
            return pve.create_snapshot(*guest, operation.snapshot, description=operation.description)
        case Action.ROLLBACK:
            return pve.roll_back(*guest, operation.snapshot)
        case Action.DELETE_SNAPSHOT:
            return pve.delete_snapshot(*guest, operation.snapshot)
        case Action.STOP if machine_rules.overrules_shutdown(vm, getattr(vm.cluster, "health", None)):
            return pve.stop_at_once(*guest)
        case _:
            return pve.power(*guest, proxmox.Power(operation.action))
