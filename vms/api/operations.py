"""Operations in the API: list, follow, cancel."""

from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from ninja import Query, Router, Schema
from pydantic import Field

from accounts import tokens
from accounts.api.auth import WRITE, ApiRequest
from accounts.api.paging import Page, Paging, page_of
from accounts.api.problems import Problem
from accounts.api.schemas import Id
from vms import operations
from vms.access import lookups
from vms.api.schemas import OperationOut, operation_out
from vms.models import Operation

router = Router(tags=["operations"])


class State(StrEnum):
    REQUESTED = "requested"
    SENT = "sent"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class Sort(StrEnum):
    OLDEST = "requested_at"
    NEWEST = "-requested_at"


class OperationFilter(Schema):
    machine: Id | None = Field(None, description="ID of a machine.")
    state: State | None = None
    is_open: bool | None = None
    mine: bool = Field(False, description="Only those that you requested.")

    def narrow(self, rows: QuerySet[Operation], person: int) -> QuerySet[Operation]:
        by = person if self.mine else None
        wanted: dict[str, Any] = {"vm": self.machine, "state": self.state, "requested_by": by}
        rows = rows.filter(**{name: value for name, value in wanted.items() if value is not None})
        if self.is_open is None:
            return rows
        return rows.filter(state__in=Operation.OPEN) if self.is_open else rows.exclude(state__in=Operation.OPEN)


def visible(request: ApiRequest) -> QuerySet[Operation]:
    return tokens.narrowed(request.auth, lookups.operations_for(request.user))


@router.get("/operations", response=Page[OperationOut])
def list_operations(
    request: ApiRequest, filters: Query[OperationFilter], page: Query[Paging], sort: Sort = Sort.NEWEST
) -> Page[OperationOut]:
    """What was requested for your machines: by you, and by others as far as their history shows it to you."""
    rows = filters.narrow(visible(request), request.user.pk)
    found, next_page = page_of(rows, page, by=sort, keys=("requested_at", "pk"))
    shown = [operation_out(one, for_staff=request.user.is_staff) for one in found]
    return Page[OperationOut](items=shown, next=next_page)


@router.get("/operations/{uuid:id}", response=OperationOut)
def get_operation(request: ApiRequest, id: UUID) -> OperationOut:  # noqa: A002
    """Follow an operation."""
    return operation_out(get_object_or_404(visible(request), pk=id), for_staff=request.user.is_staff)


@router.post("/operations/{uuid:id}/cancel", response=OperationOut, auth=WRITE)
def cancel_operation(request: ApiRequest, id: UUID) -> OperationOut:  # noqa: A002
    """Cancel an operation of yours that still waits. What was sent to a cluster goes on: 409."""
    found = get_object_or_404(visible(request), pk=id, requested_by=request.user.pk)
    if not operations.cancel(found, by=request.user):
        raise Problem(409, _("This operation is not waiting any more."))
    return operation_out(found, for_staff=request.user.is_staff)
