"""Making machines for a class in the API: the plan, and the run that makes exactly that."""

from enum import StrEnum
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from ninja import Query, Router, Schema
from pydantic import Field

from accounts.api import calls
from accounts.api.auth import WRITE, ApiRequest
from accounts.api.calls import Answer
from accounts.api.paging import Page, Paging, page_of
from accounts.api.problems import Problem
from accounts.api.schemas import Id, Line
from classes.api import common
from classes.api.common import MachinesPlanOut
from classes.enrolment import made_machines
from classes.enrolment.made_machines import Order
from classes.models import LabClass
from vms.api.runs import RunOut, run_out
from vms.models import ProvisioningRun
from vms.provisioning.facts import Reading
from vms.provisioning.machines_plan import MOST

router = Router(tags=["provisioning"])


class Networks(StrEnum):
    TEMPLATE = "template"
    GROUP = "group"
    EACH = "each"


class TemplateOut(Schema):
    id: int
    name: str
    description: str
    cluster: str
    cores: int
    memory_mib: int
    disk_gib: int


class OrderIn(Schema):
    template: Id = Field(examples=[1])
    for_everybody: bool = Field(True, description="One for everybody in the class who has none.")
    spare: int = Field(0, ge=0, le=MOST, description="Further machines.", examples=[1])
    networks: Networks = Networks.TEMPLATE

    def order(self, lab_class: LabClass) -> Order:
        people = [row.user_id for row in made_machines.in_need(lab_class)] if self.for_everybody else []
        if not people and not self.spare:
            raise Problem(
                422, _("Everybody in the class has a machine. Say how many further ones."), field="body.spare"
            )
        if len(people) + self.spare > MOST:
            raise Problem(422, _("At most %(most)d machines at a time.") % {"most": MOST}, field="body.spare")
        return Order(self.template, tuple(people), self.spare, str(self.networks))


class RunIn(OrderIn):
    expected: Line | None = Field(
        None, max_length=64, description="`digest` of the plan that you saw: another plan is not begun (409)."
    )


@router.get("/classes/{int:id}/templates", response=Page[TemplateOut])
def list_templates(request: ApiRequest, id: Id, page: Query[Paging]) -> Page[TemplateOut]:  # noqa: A002
    """The templates out of which you may make machines for the class."""
    rows = made_machines.templates_for(common.run_by(request, id), request.user)
    found, next_page = page_of(rows, page, by="id")
    return Page[TemplateOut](items=[_template_out(one) for one in found], next=next_page)


@router.get("/classes/{int:id}/machine-plan", response=MachinesPlanOut)
def plan_machines(request: ApiRequest, id: Id, order: Query[OrderIn]) -> MachinesPlanOut:  # noqa: A002
    """Name, VMID, node and person of each machine, and what the cluster has. Asks the cluster, and writes nothing."""
    lab_class = common.run_by(request, id)
    plan = common.planned(lambda: made_machines.plan(lab_class, order.order(lab_class), by=request.user), field="query")
    return MachinesPlanOut(**plan.as_json(), is_applied=False)


def _read(request: ApiRequest, id: int, body: RunIn) -> Reading:  # noqa: A002
    """Ask the cluster, before the transaction of the call begins."""
    lab_class = common.run_by(request, id)
    order = body.order(lab_class)
    return common.planned(lambda: made_machines.read_for(lab_class, order, by=request.user))


@router.post("/classes/{int:id}/runs", response={200: MachinesPlanOut, 202: RunOut}, auth=WRITE)
@calls.beforehand(_read)
def request_machines(request: ApiRequest, id: Id, body: RunIn) -> Answer:  # noqa: A002
    """Reserve the machines of the plan. They are made in the background: follow the run."""
    lab_class = common.run_by(request, id)
    order, reading = body.order(lab_class), request.found_beforehand()

    plan = common.planned(
        lambda: made_machines.apply(lab_class, order, by=request.user, expected=body.expected, reading=reading)
    )
    if not plan.may_be_carried_out:
        return Answer(MachinesPlanOut(**plan.as_json(), is_applied=False))
    run = ProvisioningRun.objects.filter(machine_set=lab_class.machine_set_id).latest("requested_at")
    return Answer(run_out(run), 202, {"Location": reverse("api:get_run", args=[run.pk])})


def _template_out(one: Any) -> TemplateOut:
    return TemplateOut(
        id=one.pk,
        name=one.name,
        description=one.description,
        cluster=one.cluster_id,
        cores=one.cores,
        memory_mib=one.memory_mib,
        disk_gib=one.disk_gib,
    )
