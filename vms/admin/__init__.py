"""Machines, assignments, grants, operations, alerts and syncs in the admin."""

from vms.admin.alerts import AlertAdmin
from vms.admin.assignments import AssignmentAdmin
from vms.admin.consoles import ConsoleSessionAdmin
from vms.admin.grants import ClusterGrantAdmin
from vms.admin.machine_groups import MachineSetAdmin
from vms.admin.machines import VirtualMachineAdmin
from vms.admin.networks import LeasableNetworkAdmin
from vms.admin.operations import OperationAdmin
from vms.admin.quotas import QuotaAdmin
from vms.admin.syncs import ClusterSyncAdmin, NodeAdmin, SyncRunAdmin
from vms.admin.templates import MachineTemplateAdmin, MadeMachineAdmin

__all__ = [
    "AlertAdmin",
    "AssignmentAdmin",
    "ClusterGrantAdmin",
    "ClusterSyncAdmin",
    "ConsoleSessionAdmin",
    "LeasableNetworkAdmin",
    "MachineSetAdmin",
    "MachineTemplateAdmin",
    "MadeMachineAdmin",
    "NodeAdmin",
    "OperationAdmin",
    "QuotaAdmin",
    "SyncRunAdmin",
    "VirtualMachineAdmin",
]
