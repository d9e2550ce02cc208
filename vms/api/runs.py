"""Provisioning runs in the API: following one, retrying, cancelling, and undoing it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from ninja import Query, Router, Schema
from pydantic import Field

from accounts import tokens
from accounts.api.auth import DESTROY, WRITE, ApiRequest
from accounts.api.calls import Answer
from accounts.api.paging import Page, Paging, page_of
from accounts.api.problems import Problem
from accounts.api.schemas import Id, Line
from vms.access import lookups
from vms.api.groups import groups_for
from vms.models import MadeMachine, ProvisioningRun
from vms.pages import run_progress
from vms.provisioning import permission, removal, running

router = Router(tags=["provisioning"])


class RunOut(Schema):
    id: UUID
    kind: str = Field(examples=["make"])
    group: int
    requested_by: str
    requested_at: datetime
    finished_at: datetime | None
    cancelled_at: datetime | None


class MadeMachineOut(Schema):
    """`state`: waiting → working → ready, failed, stuck, cancelled; later removing, removed, earlier, refused."""

    name: str
    cluster: str
    vmid: int
    node: str
    machine: int | None = Field(description="ID of the machine, once it is ready.")
    username: str | None = Field(description="Whose it will be, or is.")
    step: str = Field(description="The last step that was done.", examples=["cloned"])
    state: str
    problem: str = Field(description="In words; empty when there is none.")


class RunDetail(RunOut):
    is_finished: bool
    summary: str = Field(examples=["11 of 12 ready, 1 failed"])
    machines: list[MadeMachineOut]


class RunChanged(Schema):
    changed: int = Field(description="Number of machines that this changed something for.")


class LossOut(Schema):
    name: str
    vmid: int
    assignee: str
    used_by: list[str] = Field(description="Who used it since it was ready.")
    last_used_at: datetime | None
    snapshots: int
    is_running: bool


class LossesOut(Schema):
    word: str = Field(description="What to send as `word`.")
    digest: str = Field(description="What to send as `expected`.")
    machines: list[LossOut]


class UndoIn(Schema):
    word: Line = Field(
        max_length=200, description="The name of the machine group, as `losses` says it.", examples=["Monday"]
    )
    expected: Line = Field(max_length=64, description="`digest` of the losses that you saw.", examples=["…"])


def visible(request: ApiRequest) -> QuerySet[ProvisioningRun]:
    runs = ProvisioningRun.objects.filter(machine_set__in=groups_for(request)).select_related("machine_set")
    return tokens.narrowed(request.auth, runs)


def operable_or_404(request: ApiRequest, pk: UUID) -> ProvisioningRun:
    found = get_object_or_404(visible(request), pk=pk)
    if not lookups.operates_group(request.user, found.machine_set):
        raise Http404
    return found


@router.get("/runs", response=Page[RunOut])
def list_runs(request: ApiRequest, page: Query[Paging], group: Id | None = None) -> Page[RunOut]:
    """The runs that made machines for the groups and classes that you run; the newest first."""
    rows = visible(request).filter(machine_set=group) if group else visible(request)
    found, next_page = page_of(rows, page, by="-requested_at", keys=("requested_at", "pk"))
    return Page[RunOut](items=[run_out(one) for one in found], next=next_page)


@router.get("/runs/{uuid:id}", response=RunDetail)
def get_run(request: ApiRequest, id: UUID) -> RunDetail:  # noqa: A002
    """Follow a run: the step, the state and the problem of each of its machines."""
    run = get_object_or_404(visible(request), pk=id)
    progress = run_progress.for_run(run)
    made = run.machines.select_related("vm", "for_user").order_by("position", "pk")
    return RunDetail(
        **run_out(run).model_dump(),
        is_finished=progress.is_finished,
        summary=progress.summary,
        machines=[_made_out(one) for one in made],
    )


@router.post("/runs/{uuid:id}/retry", response={202: RunChanged}, auth=WRITE)
def retry_run(request: ApiRequest, id: UUID) -> Answer:  # noqa: A002
    """Have the failed machines go on from where they failed."""
    found = operable_or_404(request, id)
    if refusal := permission.refusal(found, by=request.user):
        raise Problem(409, refusal.words)
    return Answer(RunChanged(changed=running.retry_failed(found)), 202)


@router.post("/runs/{uuid:id}/cancel", response=RunChanged, auth=WRITE)
def cancel_run(request: ApiRequest, id: UUID) -> RunChanged:  # noqa: A002
    """Cancel the machines that were not begun. Those that are being made go on."""
    return RunChanged(changed=running.cancel_waiting(operable_or_404(request, id), by=request.user))


@router.get("/runs/{uuid:id}/losses", response=LossesOut)
def list_losses(request: ApiRequest, id: UUID) -> LossesOut:  # noqa: A002
    """What would go if the run were undone, and who has used it since."""
    run = operable_or_404(request, id)
    found = removal.losses(removal.of_run(run))
    return LossesOut(
        word=run.machine_set.title, digest=removal.digest(found), machines=[_loss_out(one) for one in found]
    )


@router.post("/runs/{uuid:id}/undo", response={202: RunChanged}, auth=DESTROY)
def undo_run(request: ApiRequest, id: UUID, body: UndoIn) -> Answer:  # noqa: A002
    """Destroy the machines of a run. It needs what `losses` says."""
    run = operable_or_404(request, id)
    if body.word.strip() != run.machine_set.title:
        raise Problem(422, _("Type exactly “%(word)s”.") % {"word": run.machine_set.title}, field="body.word")
    machines = removal.of_run(run)
    found = removal.losses(machines)
    if body.expected != removal.digest(found):
        raise Problem(409, _("The machines changed in the meantime. Look at the list again."), field="body.expected")
    chosen = machines.filter(pk__in=[loss.made.pk for loss in found])
    return Answer(RunChanged(changed=removal.begin(chosen, by=request.user)), 202)


def run_out(run: ProvisioningRun) -> RunOut:
    return RunOut(
        id=run.pk,
        kind=run.kind,
        group=run.machine_set_id,
        requested_by=run.requested_by_name,
        requested_at=run.requested_at,
        finished_at=run.finished_at,
        cancelled_at=run.cancelled_at,
    )


def _made_out(made: Any) -> MadeMachineOut:
    is_there = made.vm and not made.vm.gone_at and made.state == MadeMachine.State.READY
    return MadeMachineOut(
        name=made.name,
        cluster=made.cluster_id,
        vmid=made.vmid,
        node=made.node,
        machine=made.vm_id if is_there else None,
        username=made.for_user.username if made.for_user else None,
        step=made.step,
        state=made.state,
        problem=made.rendered_outcome,
    )


def _loss_out(one: removal.Loss) -> LossOut:
    return LossOut(
        name=one.made.name,
        vmid=one.made.vmid,
        assignee=one.assignee,
        used_by=list(one.people),
        last_used_at=one.last,
        snapshots=one.snapshots,
        is_running=one.is_running,
    )
