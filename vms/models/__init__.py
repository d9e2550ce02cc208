"""Machines, who holds them, what was done to them, and how they are kept up to date."""

from vms.models.alerts import Alert, AlertMessage, CredentialEnd
from vms.models.assignments import Assignment, protect_live_assignments
from vms.models.consoles import ConsoleGrant, ConsoleSession, Mode
from vms.models.machines import Snapshot, VirtualMachine
from vms.models.operations import Operation
from vms.models.sets import MachineSet
from vms.models.syncs import ClusterSync, Node, Pool, SyncRun
from vms.models.workers import Schedule, WorkerBeat

__all__ = [
    "Alert",
    "AlertMessage",
    "Assignment",
    "ClusterSync",
    "ConsoleGrant",
    "ConsoleSession",
    "CredentialEnd",
    "MachineSet",
    "Mode",
    "Node",
    "Operation",
    "Pool",
    "Schedule",
    "Snapshot",
    "SyncRun",
    "VirtualMachine",
    "WorkerBeat",
    "protect_live_assignments",
]
