"""Classes in the API: those that a person runs or takes part in."""

from datetime import date, datetime
from enum import StrEnum

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from ninja import Query, Router
from pydantic import BaseModel, Field

from accounts import tokens
from accounts.api.auth import ApiRequest
from accounts.api.paging import Page, Paging, page_of
from accounts.api.schemas import Id
from classes import access
from classes.models import LabClass

router = Router(tags=["classes"])


class Sort(StrEnum):
    ID = "id"
    ID_DOWN = "-id"
    NAME = "name"
    NAME_DOWN = "-name"


KEYS = {"id": ("pk",), "name": ("name", "pk")}


class ClassOut(BaseModel):
    id: int
    name: str
    owner: str = Field(description="User name.")
    group: int = Field(description="ID of its machine group: `GET /machines?group=…`.")
    starts_on: date | None
    ends_on: date | None
    ended_at: datetime | None


def visible(request: ApiRequest) -> QuerySet[LabClass]:
    return tokens.narrowed(request.auth, access.visible_to(request.user))


@router.get("/classes", response=Page[ClassOut])
def list_classes(request: ApiRequest, page: Query[Paging], sort: Sort = Sort.ID) -> Page[ClassOut]:
    """The classes that you run or take part in, also ended ones."""
    found, next_page = page_of(visible(request), page, by=sort, keys=KEYS[sort.lstrip("-")])
    return Page[ClassOut](items=[class_out(one) for one in found], next=next_page)


@router.get("/classes/{int:id}", response=ClassOut)
def get_class(request: ApiRequest, id: Id) -> ClassOut:  # noqa: A002 - the name in the address
    """One class."""
    return class_out(get_object_or_404(visible(request), pk=id))


def class_out(one: LabClass) -> ClassOut:
    return ClassOut(
        id=one.pk,
        name=one.name,
        owner=one.owner.get_username(),
        group=one.machine_set_id,
        starts_on=one.starts_on,
        ends_on=one.ends_on,
        ended_at=one.ended_at,
    )
