"""The hours of own use of a class in the API."""

from django.utils.translation import gettext as _
from ninja import Query, Router, Schema
from pydantic import Field

from accounts.api.auth import WRITE, ApiRequest
from accounts.api.calls import Answer
from accounts.api.paging import Page, Paging, page_of
from accounts.api.problems import Problem
from accounts.api.schemas import Id, Line
from classes.api import common
from classes.models import Membership
from classes.models.hours import MOST_EXTRA_HOURS
from classes.timetable import hours

router = Router(tags=["hours"])


class HoursOut(Schema):
    """Minutes outside lessons, in this week or term. null where the class sets no limit."""

    username: str
    allowed: int | None
    used: int | None
    left: int | None
    period: str


class ExtraHoursIn(Schema):
    username: Line = Field(max_length=150, examples=["ana"])
    hours: int = Field(ge=1, le=MOST_EXTRA_HOURS, examples=[2])


@router.get("/classes/{int:id}/hours", response=Page[HoursOut])
def list_hours(request: ApiRequest, id: Id, page: Query[Paging]) -> Page[HoursOut]:  # noqa: A002
    """What each member of a class that you run may use and has used."""
    lab_class = common.run_by(request, id)
    members = Membership.objects.joined().filter(lab_class=lab_class).select_related("user")
    found, next_page = page_of(members, page, by="id")
    meters, unused = hours.meters([lab_class.pk]), hours.unused(lab_class)
    items = [_hours_out(one.user.username, meters.get((lab_class.pk, one.user_id), unused)) for one in found]
    return Page[HoursOut](items=items, next=next_page)


@router.post("/classes/{int:id}/hours/extra", response={201: HoursOut}, auth=WRITE)
def give_extra_hours(request: ApiRequest, id: Id, body: ExtraHoursIn) -> Answer:  # noqa: A002
    """Give one person of a class more hours."""
    lab_class = common.run_by(request, id)
    members = Membership.objects.joined().filter(lab_class=lab_class).select_related("user")
    member = members.filter(user__username=body.username).first()
    if member is None:
        raise Problem(422, _("This person is not in the class."), field="body.username")
    hours.give(lab_class, member.user, body.hours, by=request.user)
    return Answer(_hours_out(body.username, hours.meter_for(lab_class, member.user_id)), 201)


def _hours_out(username: str, meter: hours.Meter | None) -> HoursOut:
    if meter is None:
        return HoursOut(username=username, allowed=None, used=None, left=None, period="")
    return HoursOut(
        username=username, allowed=meter.allowed, used=meter.used, left=meter.left, period=str(meter.period)
    )
