"""What the API says of machines, operations, snapshots and batches."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from ninja import Schema
from pydantic import BaseModel, Field

from accounts.api.schemas import Id, Line
from vms.models import Batch, BatchItem, Operation, Snapshot
from vms.operations.requesting import MAX_DESCRIPTION
from vms.pages import batch_progress, machine_detail


class MachineOut(BaseModel):
    """`id` is the portal's own, and never another machine's. A VMID may be used again after its machine is gone."""

    id: int
    cluster: str = Field(description="ID of the cluster.", examples=["building-a"])
    vmid: int
    kind: str = Field(description="`qemu`, or `lxc` for a container.")
    name: str
    node: str
    status: str = Field(description="As the cluster said it last.", examples=["running"])
    is_current: bool = Field(description="Whether the cluster and the node answer; otherwise the status is older.")
    lock: str
    template: bool
    pool: str
    tags: list[str]
    cpus: float
    memory: int = Field(description="Bytes.")
    disk: int = Field(description="Bytes.")
    addresses: list[str] = Field(description="IP addresses, by the guest's own account.")
    assignee: str | None = Field(description="User name of the person who has it.")
    booted_at: datetime | None
    missing_since: datetime | None = Field(description="Since when complete answers of the cluster lack it.")
    gone_at: datetime | None = Field(description="When it was taken for gone. It does not come back.")


class MachineDetail(MachineOut):
    note: str
    guest_login: str = Field(description="How to log in on the machine, as its manager wrote it.")


class SnapshotOut(BaseModel):
    name: str
    description: str
    taken_at: datetime | None
    parent: str
    with_memory: bool
    is_complete: bool = Field(description="Whether the machine can be reverted to it.")


class SnapshotIn(Schema):
    name: Line = Field(
        max_length=40,
        description="2 to 40 letters, digits, hyphens or underscores. Assignees may save `my-save-point` only.",
        examples=["before-lesson-3"],
    )
    description: Line = Field("", max_length=MAX_DESCRIPTION)


class MachineAction(StrEnum):
    START = "start"
    SHUTDOWN = "shutdown"
    STOP = "stop"
    REBOOT = "reboot"
    RESET = "reset"
    SUSPEND = "suspend"
    RESUME = "resume"


class BatchAction(StrEnum):
    START = "start"
    SHUTDOWN = "shutdown"
    STOP = "stop"
    ROLLBACK = "rollback"
    SNAPSHOT = "snapshot"


# What loses work for good needs the right to destroy.
DESTROYING = {"stop", "reset", "rollback", "delete-snapshot"}


class OperationIn(Schema):
    action: MachineAction = Field(description="`stop` and `reset` need the right to destroy.", examples=["start"])


class OperationOut(BaseModel):
    """`state`: requested → sent → running → done, failed, cancelled or unknown. Follow it with GET until `is_open` is
    false."""

    id: UUID
    machine: int | None
    cluster: str
    vmid: int
    machine_name: str
    action: str
    snapshot: str
    state: str = Field(examples=["running"])
    is_open: bool
    requested_by: str
    requested_at: datetime
    finished_at: datetime | None
    outcome: str = Field(description="In words, for people; empty when there is nothing to say.")


class BatchIn(Schema):
    action: BatchAction = Field(description="`stop` and `rollback` need the right to destroy.", examples=["start"])
    machines: list[Id] = Field(min_length=1, max_length=500, description="IDs of machines.", examples=[[1, 2]])
    group: Id | None = Field(None, description="The machine group whose batch it is; all machines are in it.")
    snapshot: Line = Field("", max_length=40)
    description: Line = Field("", max_length=MAX_DESCRIPTION)


class BatchItemOut(BaseModel):
    machine: int | None
    machine_name: str
    state: str = Field(description="waiting, running, done, failed, cancelled, or refused.")
    operation: UUID | None
    refusal: str


class BatchOut(BaseModel):
    id: UUID
    action: str
    snapshot: str
    group: int | None
    requested_by: str
    requested_at: datetime


class BatchDetail(BatchOut):
    is_finished: bool
    items: list[BatchItemOut]


class GroupOut(BaseModel):
    id: int
    name: str
    is_class: bool = Field(description="Whether it belongs to a class.")


def operation_out(one: Operation, *, for_staff: bool) -> OperationOut:
    return OperationOut(
        id=one.pk,
        machine=one.vm_id,
        cluster=one.cluster_id,
        vmid=one.vmid,
        machine_name=one.vm_name,
        action=one.action,
        snapshot=one.snapshot,
        state=one.state,
        is_open=one.is_open,
        requested_by=one.asked_by,
        requested_at=one.requested_at,
        finished_at=one.finished_at,
        outcome=machine_detail.history_row(one, for_staff=for_staff).outcome,
    )


def snapshot_out(one: Snapshot) -> SnapshotOut:
    return SnapshotOut(
        name=one.name,
        description=one.description,
        taken_at=one.taken_at,
        parent=one.parent,
        with_memory=one.with_memory,
        is_complete=not one.state,
    )


def batch_facts(batch: Batch) -> dict[str, object]:
    return {
        "id": batch.pk,
        "action": batch.action,
        "snapshot": batch.snapshot,
        "group": batch.machine_set_id,
        "requested_by": batch.requested_by_name,
        "requested_at": batch.requested_at,
    }


def batch_out(batch: Batch) -> BatchOut:
    return BatchOut.model_validate(batch_facts(batch))


def batch_detail(batch: Batch) -> BatchDetail:
    """In one query for its items."""
    rows = [(item, batch_progress.state_of(item)) for item in _items(batch)]
    facts = batch_facts(batch)
    facts["items"] = [
        BatchItemOut(
            machine=item.machine_id,
            machine_name=item.machine_name,
            state=state,
            operation=item.operation_id,
            refusal=item.rendered_refusal,
        )
        for item, state in rows
    ]
    facts["is_finished"] = not any(state in batch_progress.UNFINISHED for _item, state in rows)
    return BatchDetail.model_validate(facts)


def _items(batch: Batch) -> list[BatchItem]:
    return list(batch.items.select_related("operation").order_by("position"))
