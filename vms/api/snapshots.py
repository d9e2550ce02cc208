"""Snapshots in the API. Reverting and deleting lose work, so they need the right to destroy."""

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from ninja import Query, Router

from accounts import tokens
from accounts.api.auth import DESTROY, WRITE, ApiRequest
from accounts.api.calls import Answer
from accounts.api.paging import Page, Paging, page_of
from accounts.api.problems import Problem
from accounts.api.schemas import Id, Line
from vms.access import lookups
from vms.api.machines import operable_or_404, requested
from vms.api.schemas import OperationOut, SnapshotIn, SnapshotOut, snapshot_out
from vms.models import Operation, VirtualMachine
from vms.operations.requesting import snapshot_error

router = Router(tags=["snapshots"])

Action = Operation.Action


@router.get("/machines/{int:id}/snapshots", response=Page[SnapshotOut])
def list_snapshots(request: ApiRequest, id: Id, page: Query[Paging]) -> Page[SnapshotOut]:  # noqa: A002
    """The snapshots of a machine, as the cluster listed them last."""
    machine = get_object_or_404(tokens.narrowed(request.auth, lookups.visible_to(request.user)), pk=id)
    found, next_page = page_of(machine.snapshots.all(), page, by="name", keys=("name",))
    return Page[SnapshotOut](items=[snapshot_out(one) for one in found], next=next_page)


@router.post("/machines/{int:id}/snapshots", response={202: OperationOut}, auth=WRITE)
def save_snapshot(request: ApiRequest, id: Id, body: SnapshotIn) -> Answer:  # noqa: A002
    """Save a snapshot. It is carried out in the background: follow the operation."""
    machine = operable_or_404(request, id)
    if error := snapshot_error(Action.SNAPSHOT, body.name, body.description):
        raise Problem(422, error, field="body.name")
    if machine.snapshots.filter(name=body.name).exists():
        raise Problem(409, _("A snapshot with this name already exists. Choose another name."), field="body.name")
    return requested(request, machine, Action.SNAPSHOT, snapshot=body.name, description=body.description)


@router.post("/machines/{int:id}/snapshots/{name}/revert", response={202: OperationOut}, auth=DESTROY)
def revert_to_snapshot(request: ApiRequest, id: Id, name: Line) -> Answer:  # noqa: A002
    """Revert the machine to a snapshot. Everything since then is lost."""
    return requested(request, _with_snapshot(request, id, name), Action.ROLLBACK, snapshot=name)


@router.delete("/machines/{int:id}/snapshots/{name}", response={202: OperationOut}, auth=DESTROY)
def delete_snapshot(request: ApiRequest, id: Id, name: Line) -> Answer:  # noqa: A002
    """Delete a snapshot."""
    return requested(request, _with_snapshot(request, id, name), Action.DELETE_SNAPSHOT, snapshot=name)


def _with_snapshot(request: ApiRequest, pk: int, name: str) -> VirtualMachine:
    machine = operable_or_404(request, pk)
    if not machine.snapshots.filter(name=name).exists():
        raise Http404
    return machine
