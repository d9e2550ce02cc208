"""The timetable of a class in the API: its lessons, single days of them, and when they take place."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema
from pydantic import AfterValidator, Field

from accounts.api.auth import WRITE, ApiRequest
from accounts.api.calls import Answer
from accounts.api.paging import Page, Paging, page_of
from accounts.api.schemas import Id, Line
from classes.api import common
from classes.api.common import Planned, PlanOut
from classes.models import LabClass, Lesson, Occurrence
from classes.models.timetable import MOST_WEEKS
from classes.timetable import changes, planning, recurrence
from classes.timetable.forms import FIRST_YEAR, LAST_YEAR, DayForm, LessonForm, plain

router = Router(tags=["lessons"])


def _possible(day: date) -> date:
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(f"the year is from {FIRST_YEAR} to {LAST_YEAR}")
    return day


Day = Annotated[date, AfterValidator(_possible)]
Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description="By the clock of the class.")]


class Weekday(StrEnum):
    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


class Mode(StrEnum):
    BOTH = "both"
    START = "start"
    STOP = "stop"


class LessonIn(Planned):
    """Days and times are by the wall clock of the class. Without weekdays it takes place once, on the first day."""

    first_day: Day = Field(examples=["2027-01-11"])
    last_day: Day | None = Field(None, description="Needed for lessons that repeat.", examples=["2027-06-25"])
    begins: Clock = Field(examples=["09:00"])
    ends: Clock = Field(description="A time that is not after the beginning is on the next day.", examples=["10:30"])
    weekdays: list[Weekday] = Field([], max_length=7, examples=[["monday"]])
    every_weeks: int = Field(1, ge=1, le=MOST_WEEKS)
    mode: Mode = Mode.BOTH
    also_on_holidays: bool = False
    note: Line = Field("", max_length=200)


class LessonOut(Schema):
    id: int
    first_day: date
    last_day: date
    begins: Clock
    ends: Clock
    weekdays: list[Weekday]
    every_weeks: int
    mode: str
    also_on_holidays: bool
    note: str


class DayIn(Planned):
    """The lesson of one day at another time, or on another day."""

    new_day: Day = Field(examples=["2027-01-13"])
    begins: Clock = Field(examples=["14:00"])
    ends: Clock = Field(examples=["15:30"])
    mode: Mode | None = Field(None, description="null: as the lesson's.")
    note: Line = Field("", max_length=200)


class OccurrenceOut(Schema):
    lesson: int
    day: date = Field(description="By the clock of the class.")
    starts_at: datetime
    ends_at: datetime
    mode: str
    note: str


class Span(Schema):
    first_day: Day | None = None
    last_day: Day | None = None


@router.get("/classes/{int:id}/lessons", response=Page[LessonOut])
def list_lessons(request: ApiRequest, id: Id, page: Query[Paging]) -> Page[LessonOut]:  # noqa: A002
    """The rules by which the lessons of a class take place."""
    found, next_page = page_of(Lesson.objects.filter(lab_class=common.seen(request, id)), page, by="id")
    return Page[LessonOut](items=[_lesson_out(one) for one in found], next=next_page)


@router.get("/classes/{int:id}/occurrences", response=Page[OccurrenceOut])
def list_occurrences(
    request: ApiRequest,
    id: Id,  # noqa: A002
    span: Query[Span],
    page: Query[Paging],
) -> Page[OccurrenceOut]:
    """When the lessons of a class take place, in their order: exceptions and holidays are taken into account."""
    rows = Occurrence.objects.filter(lab_class=common.seen(request, id))
    if span.first_day:
        rows = rows.filter(day__gte=span.first_day)
    if span.last_day:
        rows = rows.filter(day__lte=span.last_day)
    found, next_page = page_of(rows, page, by="starts_at", keys=("starts_at", "pk"))
    return Page[OccurrenceOut](items=[_occurrence_out(one) for one in found], next=next_page)


@router.post("/classes/{int:id}/lessons", response={200: PlanOut, 201: PlanOut}, auth=WRITE)
def add_lesson(request: ApiRequest, id: Id, body: LessonIn) -> Answer:  # noqa: A002
    """Add a lesson, once or weekly. The plan says which dates, what clashes, and who is affected."""
    lab_class, values = common.run_by(request, id), _values(body)
    return _changed(lab_class, body, lambda locked: changes.add(locked, values))


@router.put("/classes/{int:id}/lessons/{int:lesson}", response={200: PlanOut, 201: PlanOut}, auth=WRITE)
def change_lesson(request: ApiRequest, id: Id, lesson: Id, body: LessonIn) -> Answer:  # noqa: A002
    """Change all lessons of a series that are still to come."""
    lab_class, values = _own(request, id, lesson).lab_class, _values(body)
    return _changed(lab_class, body, lambda locked: changes.change_all(locked, lesson, values))


@router.delete("/classes/{int:id}/lessons/{int:lesson}", response={204: None}, auth=WRITE)
def delete_lesson(request: ApiRequest, id: Id, lesson: Id) -> None:  # noqa: A002
    """Delete all lessons of a series."""
    lab_class = _own(request, id, lesson).lab_class
    _changed(lab_class, None, lambda locked: changes.delete_all(locked, lesson))


@router.put("/classes/{int:id}/lessons/{int:lesson}/days/{day}", response={200: PlanOut, 201: PlanOut}, auth=WRITE)
def change_lesson_day(request: ApiRequest, id: Id, lesson: Id, day: Day, body: DayIn) -> Answer:  # noqa: A002
    """Move the lesson of one day."""
    lab_class = _on(request, id, lesson, day)
    form = DayForm(body.model_dump(mode="json") | {"mode": body.mode or ""})
    common.cleaned(form)
    return _changed(lab_class, body, lambda locked: changes.change_day(locked, lesson, day, form.facts))


@router.delete("/classes/{int:id}/lessons/{int:lesson}/days/{day}", response={204: None}, auth=WRITE)
def leave_out_lesson_day(request: ApiRequest, id: Id, lesson: Id, day: Day) -> None:  # noqa: A002
    """Leave out the lesson of one day."""
    _changed(_on(request, id, lesson, day), None, lambda locked: changes.leave_out(locked, lesson, day))


@router.post("/classes/{int:id}/lessons/{int:lesson}/days/{day}/restore", response={204: None}, auth=WRITE)
def restore_lesson_day(request: ApiRequest, id: Id, lesson: Id, day: Day) -> None:  # noqa: A002
    """Let the lesson of one day take place as the series says."""
    _changed(_on(request, id, lesson, day), None, lambda locked: changes.restore(locked, lesson, day))


def _own(request: ApiRequest, pk: int, lesson: int) -> Lesson:
    found: Lesson = get_object_or_404(Lesson.objects.filter(lab_class=common.run_by(request, pk)), pk=lesson)
    return found


def _on(request: ApiRequest, pk: int, lesson: int, day: date) -> LabClass:
    """404 for a day that the series has not."""
    found = _own(request, pk, lesson)
    if not list(recurrence.days(found, day, day)):
        raise Http404
    return found.lab_class


def _values(body: LessonIn) -> dict[str, Any]:
    bits = [1 << list(Weekday).index(day) for day in set(body.weekdays)]
    form = LessonForm(body.model_dump(mode="json") | {"weekdays": bits})
    common.cleaned(form)
    return form.facts


def _changed(lab_class: LabClass, asked: Planned | None, write: changes.Write) -> Answer:
    """Apply it, or show the plan if that was asked."""
    dry_run, expected = (asked.dry_run, asked.expected) if asked else (False, None)

    def work() -> planning.LessonPlan:
        if dry_run:
            return planning.plan(lab_class, write)
        return planning.apply(lab_class, write, expected=expected)

    return common.plan_answer(common.planned(work), dry_run=dry_run)


def _lesson_out(one: Lesson) -> LessonOut:
    names = ("first_day", "last_day", "begins", "ends", "every_weeks", "mode", "also_on_holidays", "note")
    days = [day for at, day in enumerate(Weekday) if one.weekdays & 1 << at]
    return LessonOut(id=one.pk, weekdays=days, **{name: plain(getattr(one, name)) for name in names})


def _occurrence_out(one: Occurrence) -> OccurrenceOut:
    names = ("day", "starts_at", "ends_at", "mode", "note")
    return OccurrenceOut(lesson=one.lesson_id, **{name: getattr(one, name) for name in names})
