"""Hours of own use: counted from what was observed, by the minute, outside lessons."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import F, OuterRef, Subquery
from django.utils import timezone

from accounts.models import User
from classes.models import ExtraHours, LabClass, RunningRules, UsedTime
from classes.timetable import decision, lookups, machines
from classes.timetable.machines import Row
from vms.models import Operation

Period = RunningRules.Period
Person = tuple[int, int]  # class and user


@dataclass(frozen=True)
class Meter:
    """What one person may use, and has used, in this week or term. Minutes."""

    allowed: int
    used: int
    period: str

    @property
    def left(self) -> int:
        return max(0, self.allowed - self.used)

    @property
    def words(self) -> dict[str, str]:
        """For people, like `3 h 20 min`."""
        return {"used": _span(self.used), "allowed": _span(self.allowed), "left": _span(self.left)}


def _span(minutes: int) -> str:
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


def count_minute() -> int:
    """Count this minute for everybody whose machine runs outside a lesson. Returns for how many.

    Any number of workers may call it: each minute counts once. While no worker runs, nothing is counted.
    """
    now = timezone.now()
    minute = now.replace(second=0, microsecond=0)
    limited = {
        rules.lab_class_id: rules.lab_class
        for rules in RunningRules.objects.exclude(hours=None)
        .filter(lab_class__ended_at=None)
        .select_related("lab_class")
    }
    in_lesson = {due.lab_class for due in lookups.running(now)}
    rows = machines.rows(limited.keys() - in_lesson, status="running") if limited else []
    seen = [row for row in rows if row.person and row.seen_at and now - row.seen_at <= decision.OBSERVED_WITHIN]
    starters = _starters(seen)
    using = {
        (row.lab_class, row.person, timezone.localdate(now, limited[row.lab_class].zone))
        for row in seen
        if starters.get(row.pk, row.person) == row.person
    }
    return _count(using, minute)


def _starters(rows: Iterable[Row]) -> dict[int, int]:
    """Who started these machines last by hand, where the portal knows it. What a teacher starts is free."""
    by_hand = Operation.objects.filter(
        vm=OuterRef("vm"), action=Operation.Action.START, state=Operation.State.DONE
    ).order_by("-requested_at")
    last = Operation.objects.filter(
        vm__in=[row.pk for row in rows], pk=Subquery(by_hand.values("pk")[:1]), origin=Operation.Origin.PERSON
    )
    return dict(last.order_by().values_list("vm", "requested_by"))


def _count(using: set[tuple[int, Any, date]], minute: datetime) -> int:
    new = [
        UsedTime(lab_class_id=lab_class, user_id=user, day=day, counted_at=minute - timedelta(minutes=1))
        for lab_class, user, day in using
    ]
    UsedTime.objects.bulk_create(new, ignore_conflicts=True, batch_size=100)
    days, classes = {day for _class, _user, day in using}, {lab_class for lab_class, _user, _day in using}
    there = UsedTime.objects.filter(lab_class__in=classes, day__in=days, counted_at__lt=minute)
    keys = [pk for pk, *key in there.values_list("pk", "lab_class", "user", "day") if tuple(key) in using]
    due = UsedTime.objects.filter(pk__in=keys, counted_at__lt=minute)
    return int(due.update(minutes=F("minutes") + 1, counted_at=minute))


def meters(classes: Iterable[int], *, user: int | None = None) -> dict[Person, Meter]:
    """Of everybody who used something or got extra hours; for others, see `meter_for`. Three queries."""
    rules = {
        one.lab_class_id: one
        for one in RunningRules.objects.filter(lab_class__in=list(classes))
        .exclude(hours=None)
        .select_related("lab_class")
    }
    begins = {lab_class: _begin(one) for lab_class, one in rules.items()}
    who = {"lab_class__in": rules} | ({"user": user} if user else {})
    first = min(begins.values(), default=date.max)
    used: dict[Person, int] = {}
    extra: dict[Person, int] = {}
    for found, rows in (
        (used, UsedTime.objects.filter(**who, day__gte=first).values_list("lab_class", "user", "day", "minutes")),
        (
            extra,
            ExtraHours.objects.filter(**who, day__gte=first).values_list("lab_class", "user", "day", F("hours") * 60),
        ),
    ):
        for lab_class, person, day, minutes in rows.order_by():
            if day >= begins[lab_class]:
                found[lab_class, person] = found.get((lab_class, person), 0) + minutes
    return {key: _meter(rules[key[0]], used.get(key, 0), extra.get(key, 0)) for key in {*used, *extra}}


def _meter(rules: RunningRules, used: int, extra: int) -> Meter:
    return Meter((rules.hours or 0) * 60 + extra, used, rules.hours_per)


def _begin(rules: RunningRules) -> date:
    """The first day that counts: Monday, or the first day of the class."""
    today = rules.lab_class.today
    if rules.hours_per == Period.WEEK:
        return today - timedelta(days=today.weekday())
    return rules.lab_class.starts_on or date.min


def meter_for(lab_class: LabClass, user: int) -> Meter | None:
    """None where the class sets no limit."""
    plain = unused(lab_class)
    return meters([lab_class.pk], user=user).get((lab_class.pk, user), plain) if plain else None


def unused(lab_class: LabClass) -> Meter | None:
    """Of somebody who has used nothing yet."""
    rules = RunningRules.objects.filter(lab_class=lab_class).exclude(hours=None).first()
    return _meter(rules, 0, 0) if rules else None


def may_start(lab_class: LabClass, user: int) -> bool:
    """Whether the person may start a machine of the class now: in a lesson, or while hours are left."""
    meter = meter_for(lab_class, user)
    if meter is None or meter.left:
        return True
    return any(due.lab_class == lab_class.pk for due in lookups.running(timezone.now()))


def give(lab_class: LabClass, user: User, hours: int, *, by: User) -> ExtraHours:
    given: ExtraHours = ExtraHours.objects.create(
        lab_class=lab_class, user=user, hours=hours, day=lab_class.today, given_by=by
    )
    return given
