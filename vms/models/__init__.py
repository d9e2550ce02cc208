"""Machines and groups, assignments, grants and quotas, operations, preparations and provisioning, and the rest."""

from vms.models.alerts import Alert, AlertMessage, CredentialEnd
from vms.models.assignments import Assignment, protect_live_assignments
from vms.models.automation import Automation
from vms.models.batches import Batch, BatchItem
from vms.models.capacity import LeasableNetwork, NetworkLease, Quota
from vms.models.consoles import ConsoleGrant, ConsoleSession, Mode
from vms.models.grants import ClusterGrant, people_without_grant
from vms.models.help import HelpRequest
from vms.models.machines import VirtualMachine
from vms.models.operations import Operation
from vms.models.preparations import Preparation
from vms.models.provisioning import MadeMachine, ProvisioningRun
from vms.models.sets import MachineSet
from vms.models.snapshots import Snapshot
from vms.models.sync_runs import SyncRun
from vms.models.syncs import ClusterSync, Node, Pool
from vms.models.templates import MachineTemplate, TemplateCopy
from vms.models.workers import Schedule, WorkerBeat

__all__ = [
    "Alert",
    "AlertMessage",
    "Assignment",
    "Automation",
    "Batch",
    "BatchItem",
    "ClusterGrant",
    "ClusterSync",
    "ConsoleGrant",
    "ConsoleSession",
    "CredentialEnd",
    "HelpRequest",
    "LeasableNetwork",
    "MachineSet",
    "MachineTemplate",
    "MadeMachine",
    "Mode",
    "NetworkLease",
    "Node",
    "Operation",
    "Pool",
    "Preparation",
    "ProvisioningRun",
    "Quota",
    "Schedule",
    "Snapshot",
    "SyncRun",
    "TemplateCopy",
    "VirtualMachine",
    "WorkerBeat",
    "people_without_grant",
    "protect_live_assignments",
]
