"""Machines in the API: list, one machine, and the actions on it."""

from enum import StrEnum
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from ninja import Query, Router, Schema
from pydantic import Field

from accounts import tokens
from accounts.api import calls, paging
from accounts.api.auth import CHANGE, ApiRequest, require
from accounts.api.calls import Answer
from accounts.api.paging import Page, Paging
from accounts.api.problems import Problem
from accounts.api.schemas import Id, Line
from vms import operations
from vms.access import lookups
from vms.api import machine_rows
from vms.api.groups import groups_for
from vms.api.schemas import DESTROYING, MachineDetail, MachineOut, OperationIn, OperationOut, operation_out
from vms.models import MachineSet, VirtualMachine
from vms.operations.requesting import TooMany

router = Router(tags=["machines"])

KEYS = {"id": ("pk",), "name": ("name", "pk"), "vmid": ("vmid", "pk")}
PLAIN = ("running", "stopped", "paused")


class Sort(StrEnum):
    ID = "id"
    ID_DOWN = "-id"
    NAME = "name"
    NAME_DOWN = "-name"
    VMID = "vmid"
    VMID_DOWN = "-vmid"


class Status(StrEnum):
    RUNNING = "running"
    STOPPED = "stopped"
    PAUSED = "paused"
    OTHER = "other"


class MachineFilter(Schema):
    cluster: Line | None = Field(None, max_length=50, description="ID of the cluster.")
    status: Status | None = None
    tag: Line | None = Field(None, max_length=100)
    pool: Line | None = Field(None, max_length=100)
    group: Id | None = Field(None, description="ID of a machine group that you manage.")
    q: Line | None = Field(None, max_length=100, description="A part of the name.")

    def narrow(self, rows: QuerySet[VirtualMachine], groups: QuerySet[MachineSet]) -> QuerySet[VirtualMachine]:
        """`groups`: those whose members the caller may know."""
        wanted = {"cluster_id": self.cluster, "pool": self.pool}
        rows = rows.filter(**{name: value for name, value in wanted.items() if value is not None})
        if self.group is not None:
            rows = rows.filter(sets__in=groups.filter(pk=self.group))
        if self.status == Status.OTHER:
            rows = rows.exclude(status__in=PLAIN)
        elif self.status:
            rows = rows.filter(status=self.status)
        if self.tag:
            begins, inside = Q(tags__istartswith=f"{self.tag};"), Q(tags__icontains=f";{self.tag};")
            rows = rows.filter(Q(tags__iexact=self.tag) | begins | inside | Q(tags__iendswith=f";{self.tag}"))
        return rows.filter(name__icontains=self.q) if self.q else rows

    @property
    def is_empty(self) -> bool:
        return not self.model_dump(exclude_none=True)


@router.get("/machines", response=Page[MachineOut])
def list_machines(
    request: ApiRequest, filters: Query[MachineFilter], page: Query[Paging], sort: Sort = Sort.ID
) -> HttpResponse:
    """The machines that you see. Send the `ETag` as `If-None-Match`: 304 says that nothing changed."""
    rows, at = _page(request, filters, page, sort)
    tag = calls.etag(machine_rows.version(rows), request.user.pk, page.limit, sort)
    if calls.is_known(request, tag):
        return calls.not_modified(tag)
    keys = [f"virtualmachine.{'id' if key == 'pk' else key}" for key in KEYS[sort.lstrip("-")]]
    found, next_page = paging.cut(rows, page, by=sort, values=lambda row: [row[at[key]] for key in keys])
    body = Page[MachineOut](items=[machine_rows.machine_out(row, at) for row in found], next=next_page)
    return calls.as_response(Answer(body, headers={"ETag": tag}))


def _page(
    request: ApiRequest, filters: MachineFilter, page: Paging, sort: Sort
) -> tuple[list[machine_rows.Raw], machine_rows.Places]:
    """The usual list needs no SQL that is not there yet."""
    user = request.user
    if sort == Sort.ID and filters.is_empty and not user.is_staff and not request.auth.scope:
        after = int(paging.position(page.cursor, sort, 1)[0]) if page.cursor else 0
        return machine_rows.usual(user, after=after, limit=page.limit)
    rows = filters.narrow(tokens.narrowed(request.auth, machine_rows.rows(user)), groups_for(request))
    return machine_rows.of(paging.begin(rows, page, by=sort, keys=KEYS[sort.lstrip("-")]))


@router.get("/machines/{int:id}", response=MachineDetail)
def get_machine(request: ApiRequest, id: Id) -> MachineDetail:  # noqa: A002 - the name in the address
    """One machine, by the portal's own ID."""
    return _detail(request, Q(pk=id))


@router.get("/clusters/{cluster_id}/machines/{int:vmid}", response=MachineDetail)
def get_machine_by_vmid(request: ApiRequest, cluster_id: Line, vmid: Id) -> MachineDetail:
    """The machine that has this VMID on the cluster now."""
    return _detail(request, Q(cluster_id=cluster_id, vmid=vmid, gone_at=None))


def _detail(request: ApiRequest, which: Q) -> MachineDetail:
    machine = get_object_or_404(tokens.narrowed(request.auth, lookups.visible_to(request.user)), which)
    rows, at = machine_rows.of(machine_rows.rows(request.user).filter(pk=machine.pk))
    return MachineDetail(**machine_rows.facts(rows[0], at), note=machine.note, guest_login=machine.guest_login)


@router.post("/machines/{int:id}/operations", response={202: OperationOut}, auth=CHANGE)
def request_operation(request: ApiRequest, id: Id, body: OperationIn) -> Answer:  # noqa: A002
    """Request an action. It is carried out in the background: follow the operation."""
    require(request, right_for(body.action))
    return requested(request, operable_or_404(request, id), body.action)


def right_for(action: str) -> str:
    return "destroy" if action in DESTROYING else "write"


def operable_or_404(request: ApiRequest, pk: int) -> VirtualMachine:
    get_object_or_404(tokens.narrowed(request.auth, VirtualMachine.objects.all()), pk=pk)
    return lookups.operable_or_404(request.user, pk)


def requested(request: ApiRequest, machine: VirtualMachine, action: str, **words: Any) -> Answer:
    """The operation, new or already in progress. Raises `Problem` with the reason of the first rule that refuses."""
    try:
        found, _is_new = operations.request(machine, action, by=request.user, **words)
    except TooMany as refusal:
        raise Problem(429, refusal.text, headers={"Retry-After": "60"}) from None
    except operations.Refused as refusal:
        raise Problem(409, refusal.text) from None
    body = operation_out(found, for_staff=request.user.is_staff)
    return Answer(body, 202, {"Location": reverse("api:get_operation", args=[found.pk])})
