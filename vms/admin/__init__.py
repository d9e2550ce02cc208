"""Machines, assignments, grants, operations, alerts and syncs in the admin."""

from vms.admin.alerts import AlertAdmin
from vms.admin.assignments import AssignmentAdmin
from vms.admin.consoles import ConsoleSessionAdmin
from vms.admin.grants import ClusterGrantAdmin
from vms.admin.machine_groups import MachineSetAdmin
from vms.admin.machines import VirtualMachineAdmin
from vms.admin.operations import OperationAdmin
from vms.admin.syncs import ClusterSyncAdmin, NodeAdmin, SyncRunAdmin

__all__ = [
    "AlertAdmin",
    "AssignmentAdmin",
    "ClusterGrantAdmin",
    "ClusterSyncAdmin",
    "ConsoleSessionAdmin",
    "MachineSetAdmin",
    "NodeAdmin",
    "OperationAdmin",
    "SyncRunAdmin",
    "VirtualMachineAdmin",
]
