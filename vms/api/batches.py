"""Batches in the API: one action for many machines, each of which may be refused on its own."""

from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from ninja import Query, Router

from accounts import tokens
from accounts.api.auth import CHANGE, WRITE, ApiRequest, require
from accounts.api.calls import Answer, created
from accounts.api.paging import Page, Paging, page_of
from accounts.api.problems import Problem
from vms import operations
from vms.access import lookups
from vms.api.groups import groups_for
from vms.api.machines import right_for
from vms.api.schemas import BatchDetail, BatchIn, BatchOut, batch_detail, batch_out
from vms.models import Batch, MachineSet, VirtualMachine
from vms.operations.requesting import snapshot_error
from vms.pages import bulk_actions

router = Router(tags=["batches"])


def visible(request: ApiRequest) -> QuerySet[Batch]:
    return tokens.narrowed(request.auth, Batch.objects.visible_to(request.user))


@router.get("/batches", response=Page[BatchOut])
def list_batches(request: ApiRequest, page: Query[Paging]) -> Page[BatchOut]:
    """Your batches, and those of the groups that you manage; the newest first."""
    found, next_page = page_of(visible(request), page, by="-requested_at", keys=("requested_at", "pk"))
    return Page[BatchOut](items=[batch_out(one) for one in found], next=next_page)


@router.get("/batches/{uuid:id}", response=BatchDetail)
def get_batch(request: ApiRequest, id: UUID) -> BatchDetail:  # noqa: A002
    """Follow a batch: the state of each of its machines."""
    return batch_detail(get_object_or_404(visible(request), pk=id))


@router.post("/batches", response={201: BatchDetail}, auth=CHANGE)
def request_batch(request: ApiRequest, body: BatchIn) -> Answer:
    """Request one action for many machines. A machine that cannot do it now is `refused`, with the reason."""
    require(request, right_for(body.action))
    group = _group(request, body.group)
    machines = _machines(request, body.machines, group)
    if error := snapshot_error(body.action, body.snapshot, body.description):
        raise Problem(422, error, field="body.snapshot")
    try:
        batch = operations.request_many(
            machines,
            body.action,
            by=request.user,
            machine_set=group,
            snapshot=body.snapshot,
            description=body.description,
        )
    except operations.Refused as refusal:
        raise Problem(409, refusal.text) from None
    return created(batch_detail(batch), reverse("api:get_batch", args=[batch.pk]))


@router.post("/batches/{uuid:id}/cancel", response=BatchDetail, auth=WRITE)
def cancel_batch(request: ApiRequest, id: UUID) -> BatchDetail:  # noqa: A002
    """Cancel the operations of a batch that still wait. What was sent to a cluster goes on."""
    batch = get_object_or_404(visible(request).select_related("machine_set"), pk=id)
    if not lookups.operates_group(request.user, batch.machine_set):
        raise Problem(403, _("You may look at this batch, and not change it."))
    batch.cancel_waiting(by=request.user)
    return batch_detail(batch)


def _group(request: ApiRequest, pk: int | None) -> MachineSet | None:
    if pk is None:
        if request.auth.scope:
            raise Problem(422, _("This token is about one group. Name it."), field="body.group")
        return None
    group = groups_for(request).filter(pk=pk).first()
    if group is None or not lookups.operates_group(request.user, group):
        raise Problem(422, _("There is no such machine group."), field="body.group")
    return group


def _machines(request: ApiRequest, wanted: list[int], group: MachineSet | None) -> list[VirtualMachine]:
    """In the order in which they were named. Raises `Problem` for each that this token cannot operate."""
    rows = tokens.narrowed(request.auth, VirtualMachine.objects.filter(pk__in=wanted))
    found = {one.pk: one for one in bulk_actions.operable(rows.filter(sets=group) if group else rows, request.user)}
    missing = [(f"body.machines.{at}", pk) for at, pk in enumerate(wanted) if pk not in found]
    if missing:
        text = _("There is no machine %(id)d that you can operate here.")
        raise Problem(
            422, _("Some machines cannot be used."), errors=[(field, text % {"id": pk}) for field, pk in missing]
        )
    return [found[pk] for pk in dict.fromkeys(wanted)]
