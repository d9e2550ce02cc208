"""The people of a class in the API: the roster in and out, as JSON and as CSV."""

from datetime import datetime
from typing import Any

from django.http import HttpResponse
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
from classes.api.common import Planned, PlanOut
from classes.api.machines import Release, released
from classes.enrolment import membership, roster
from classes.models import LabClass, Membership
from classes.pages.people import roster_table
from vms.models import Assignment

router = Router(tags=["people"])

MOST = 1000


class PersonOut(Schema):
    id: int = Field(description="ID of the membership.")
    username: str
    first_name: str
    last_name: str
    listed_at: datetime
    joined_at: datetime | None = Field(description="null: on the list, not joined yet.")
    place: int | None = Field(description="Position in the line for a machine, from 1.")
    machines: list[int] = Field(description="IDs of the machines of the class that the person has.")


class RosterIn(Planned):
    """Give `usernames` or `csv`, a table whose first column, or column `username`, names people."""

    usernames: list[Line] = Field([], max_length=MOST, examples=[["ana", "ben"]])
    csv: str = Field("", max_length=200_000)
    at_once: bool = Field(False, description="Enrol them now; otherwise they are listed, and join with the invite.")


@router.get("/classes/{int:id}/people", response=Page[PersonOut])
def list_people(request: ApiRequest, id: Id, page: Query[Paging]) -> Page[PersonOut]:  # noqa: A002
    """The people of a class that you run: members, and who is on the list."""
    lab_class = common.run_by(request, id)
    rows = Membership.objects.live().filter(lab_class=lab_class).select_related("user")
    found, next_page = page_of(rows, page, by="id")
    return Page[PersonOut](items=_people(lab_class, found), next=next_page)


@router.get(
    "/classes/{int:id}/people.csv",
    openapi_extra={"responses": {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}},
)
def export_people(request: ApiRequest, id: Id) -> HttpResponse:  # noqa: A002
    """The same as a CSV table, in which no cell is a formula."""
    return roster_table(common.run_by(request, id))


@router.post("/classes/{int:id}/people", response={200: PlanOut, 201: PlanOut}, auth=WRITE)
def add_people(request: ApiRequest, id: Id, body: RosterIn) -> Answer:  # noqa: A002
    """Put people on the list, or enrol them. Who cannot be added is a row with the reason."""
    lab_class = common.run_by(request, id)
    if bool(body.usernames) == bool(body.csv):
        raise Problem(422, _("Give usernames or a table: one of the two."), field="body.usernames")
    text, field = (body.csv, "body.csv") if body.csv else ("\n".join(body.usernames), "body.usernames")

    def work() -> roster.RosterPlan:
        if body.dry_run:
            return roster.plan(lab_class, text, at_once=body.at_once)
        return roster.apply(lab_class, text, at_once=body.at_once, expected=body.expected)

    plan = common.planned(work, field=field)
    return common.plan_answer(plan, dry_run=body.dry_run)


@router.delete("/classes/{int:id}/people/{int:member}", response={204: None}, auth=DESTROY)
def remove_person(request: ApiRequest, id: Id, member: Id, how: Query[Release]) -> None:  # noqa: A002
    """End a membership. `way` says what becomes of the person's machines in the class."""
    lab_class = common.run_by(request, id)
    rows = Membership.objects.live().filter(lab_class=lab_class).select_related("user", "lab_class__machine_set")
    leaving = get_object_or_404(rows, pk=member)
    released(
        membership.unreleased(leaving), how, lambda **choice: membership.remove(leaving, by=request.user, **choice)
    )


def _people(lab_class: LabClass, members: list[Membership]) -> list[PersonOut]:
    """In two queries."""
    held: dict[int, list[int]] = {}
    mine = Assignment.objects.live().filter(
        vm__class_machine__lab_class=lab_class, user__in=[m.user_id for m in members]
    )
    for user, vm in mine.values_list("user", "vm"):
        held.setdefault(user, []).append(vm)
    waiting = Membership.objects.waiting().filter(lab_class=lab_class).values_list("pk", flat=True)
    places: dict[int, int] = {pk: place for place, pk in enumerate(waiting, 1)}
    return [_person(one, places.get(one.pk), held.get(one.user_id, [])) for one in members]


def _person(one: Membership, place: int | None, machines: list[int]) -> PersonOut:
    person: Any = one.user
    return PersonOut(
        id=one.pk,
        username=person.username,
        first_name=person.first_name,
        last_name=person.last_name,
        listed_at=one.listed_at,
        joined_at=one.joined_at,
        place=place,
        machines=machines,
    )
