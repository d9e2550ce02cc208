"""The audit log in the API, for administrators whose token has their rights as staff."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from auditlog.models import LogEntry
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from ninja import Query, Router, Schema
from pydantic import BaseModel, Field

from accounts.api.auth import ApiRequest
from accounts.api.paging import Page, Paging, page_of
from accounts.api.schemas import Line

router = Router(tags=["audit"])


class Sort(StrEnum):
    OLDEST = "id"
    NEWEST = "-id"


class AuditOut(BaseModel):
    id: int
    at: datetime
    actor: str | None = Field(description="User name; null: the portal itself.")
    address: str | None
    action: str = Field(examples=["update"])
    model: str = Field(examples=["clusters.cluster"])
    object: str = Field(description="Its primary key.")
    name: str
    changes: dict[str, Any] = Field(description="By field: before and after. Secrets are masked.")


class AuditFilter(Schema):
    model: Line | None = Field(None, max_length=100, description="Like `clusters.cluster`.")
    actor: Line | None = Field(None, max_length=150, description="User name.")

    def narrow(self, rows: QuerySet[LogEntry]) -> QuerySet[LogEntry]:
        if self.model is not None:
            app, _dot, model = self.model.partition(".")
            rows = rows.filter(content_type__app_label=app, content_type__model=model)
        return rows if self.actor is None else rows.filter(actor__username=self.actor)


@router.get("/audit", response=Page[AuditOut])
def list_audit(
    request: ApiRequest, filters: Query[AuditFilter], page: Query[Paging], sort: Sort = Sort.NEWEST
) -> Page[AuditOut]:
    """Who changed what. 403 without the permission to view the audit log, and for a token with a scope."""
    user = request.user
    if request.auth.scope or not (user.is_staff and user.has_perm("auditlog.view_logentry")):
        raise PermissionDenied
    rows = filters.narrow(LogEntry.objects.select_related("actor", "content_type"))
    found, next_page = page_of(rows, page, by=sort, keys=("id",))
    return Page[AuditOut](items=[_audit_out(one) for one in found], next=next_page)


def _audit_out(one: LogEntry) -> AuditOut:
    return AuditOut(
        id=one.pk,
        at=one.timestamp,
        actor=one.actor.get_username() if one.actor else None,
        address=one.remote_addr,
        action=one.get_action_display(),
        model=f"{one.content_type.app_label}.{one.content_type.model}",
        object=one.object_pk,
        name=one.object_repr,
        changes=one.changes_dict,
    )
