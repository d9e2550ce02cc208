"""The machines of a class in the API: who has which, assigning them and taking them back."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from django.db.models import OuterRef, Subquery
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from ninja import Query, Router, Schema
from pydantic import Field

from accounts.api.auth import DESTROY, WRITE, ApiRequest
from accounts.api.calls import Answer
from accounts.api.paging import Page, Paging, page_of
from accounts.api.problems import Problem
from accounts.api.schemas import Id, Line
from classes.api import common
from classes.enrolment import class_machines, releasing
from classes.models import ClassMachine, Membership
from vms import preparation
from vms.models import Assignment
from vms.preparation import outlook

router = Router(tags=["machines of classes"])


class Way(StrEnum):
    REVERT = "revert"
    SHUT_DOWN = "shut-down"
    AS_IT_IS = "as-it-is"


class Release(Schema):
    way: Way = Field(
        description="How the machine is prepared for the next person. `revert` without a baseline shuts down."
    )
    expected: Line | None = Field(
        None,
        max_length=64,
        description="Where save points would be deleted, the first answer (409) names them and what to send here.",
    )


class ClassMachineOut(Schema):
    machine: int
    cluster: str
    vmid: int
    name: str
    assignee: str | None = Field(description="User name.")
    is_kept_back: bool = Field(description="It is assigned by hand only.")
    is_leaving: bool


class AssignmentIn(Schema):
    machine: Id = Field(examples=[1])
    username: Line = Field(max_length=150, examples=["ana"])


@router.get("/classes/{int:id}/machines", response=Page[ClassMachineOut])
def list_class_machines(request: ApiRequest, id: Id, page: Query[Paging]) -> Page[ClassMachineOut]:  # noqa: A002
    """The machines of a class that you run, with the people who have them."""
    rows = _machines().filter(lab_class=common.run_by(request, id))
    found, next_page = page_of(rows, page, by="id")
    return Page[ClassMachineOut](items=[_machine_out(one) for one in found], next=next_page)


@router.post("/classes/{int:id}/assignments", response={201: ClassMachineOut}, auth=WRITE)
def assign_machine(request: ApiRequest, id: Id, body: AssignmentIn) -> Answer:  # noqa: A002
    """Assign a machine of the class that nobody has to somebody who is in the class."""
    lab_class = common.run_by(request, id)
    machine = ClassMachine.objects.filter(lab_class=lab_class, vm=body.machine).select_related("vm").first()
    if machine is None:
        raise Problem(422, _("There is no such machine in this class."), field="body.machine")
    people = Membership.objects.joined().filter(lab_class=lab_class, user__is_active=True)
    member = people.filter(user__username=body.username).first()
    if member is None:
        raise Problem(422, _("This person is not in the class."), field="body.username")
    try:
        class_machines.assign(member, machine.vm)
    except class_machines.NotPrepared:
        raise Problem(409, _("The machine is not ready for the next person."), field="body.machine") from None
    except class_machines.NotAvailable:
        text = _("This machine is not available: somebody has it, or the class has ended.")
        raise Problem(409, text, field="body.machine") from None
    return Answer(_machine_out(_machines().get(pk=machine.pk)), 201)


@router.delete("/classes/{int:id}/machines/{int:vm}/assignment", response={204: None}, auth=DESTROY)
def unassign_machine(request: ApiRequest, id: Id, vm: Id, how: Query[Release]) -> None:  # noqa: A002
    """Take a machine of the class back, and prepare it for the next person."""
    lab_class = common.run_by(request, id)
    get_object_or_404(ClassMachine, lab_class=lab_class, vm=vm)
    rows = releasing.unreleased(lab_class).filter(vm=vm)
    if not rows.exists():
        raise Problem(409, _("Nobody has this machine."))
    released(rows, how, lambda **choice: releasing.unassign(lab_class, [vm], by=request.user, **choice))


def released(assignments: Any, how: Release, release: Callable[..., object]) -> None:
    """Release as was asked. Save points go only when the caller has seen which."""
    found = [one for one in outlook.outlooks_for(assignments) if not one.is_under_way]
    lost = [point for one in found for point in one.points_to_delete(how.way)]
    shown = outlook.digest(found)
    if lost and how.expected != shown:
        text = _("These save points would be deleted: %(names)s. To go on, send expected=%(digest)s.")
        raise Problem(409, text % {"names": ", ".join(lost), "digest": shown}, field="query.expected")
    try:
        release(way=str(how.way), shown=how.expected)
    except preparation.Changed:
        raise Problem(409, _("The machine has changed since you asked."), field="query.expected") from None


def _machines() -> Any:
    held = Assignment.objects.live().filter(vm=OuterRef("vm")).order_by("pk").values("user__username")
    return ClassMachine.objects.select_related("vm").annotate(assignee=Subquery(held[:1]))


def _machine_out(one: Any) -> ClassMachineOut:
    return ClassMachineOut(
        machine=one.vm_id,
        cluster=one.vm.cluster_id,
        vmid=one.vm.vmid,
        name=one.vm.name,
        assignee=one.assignee,
        is_kept_back=one.is_kept_back,
        is_leaving=one.is_leaving,
    )
