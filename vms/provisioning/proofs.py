"""The record of what was done to a machine by a run: an operation that has ended, like those of people."""

from datetime import UTC, datetime

from vms.models import MadeMachine, Operation

State = Operation.State


def of(made: MadeMachine, action: str, upid: str, *, finished_at: datetime, snapshot: str = "") -> Operation:
    """That this was done, in the name of the person who requested the run, or the removal. Not saved yet."""
    run = made.run
    asked: dict[str, object] = {
        "requested_by": run.requested_by,
        "requested_by_name": run.requested_by_name,
        "requested_at": run.requested_at,
    }
    if action == Operation.Action.DESTROY:
        asked = {
            "requested_by_id": made.removal_requested_by_id,
            "requested_by_name": made.removal_requested_by_name,
            "requested_at": made.removal_requested_at or finished_at,
        }
    sent_at = _begun(upid) or finished_at
    return Operation(
        vm=made.vm,
        cluster_id=made.cluster_id,
        vmid=made.vmid,
        vm_name=made.name,
        node=made.node,
        action=action,
        snapshot=snapshot,
        state=State.DONE,
        **asked,
        admitted_at=sent_at,
        sent_at=sent_at,
        finished_at=finished_at,
        upid=upid,
    )


def _begun(upid: str) -> datetime | None:
    """The time in a UPID: its fifth part, seconds since 1970 as a hexadecimal number. None without a UPID."""
    parts = upid.split(":")
    return datetime.fromtimestamp(int(parts[4], 16), UTC) if len(parts) > 5 else None
