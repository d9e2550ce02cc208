"""Which lessons of open classes run, begin or end about now: one query on an index, however many lessons there were."""

from datetime import datetime, timedelta
from typing import NamedTuple

from classes.models import LessonMode, Occurrence

NO_TIME = timedelta()


class Due(NamedTuple):
    """An occurrence of a lesson. Times are UTC; `starts_at` belongs to it and `ends_at` does not."""

    occurrence: int
    lesson: int
    lab_class: int
    machine_set: int
    starts_at: datetime
    ends_at: datetime
    mode: str

    @property
    def starts_machines(self) -> bool:
        return self.mode != LessonMode.STOP

    @property
    def stops_machines(self) -> bool:
        return self.mode != LessonMode.START

    def is_running(self, now: datetime) -> bool:
        return self.starts_at <= now < self.ends_at

    def starts_within(self, now: datetime, span: timedelta) -> bool:
        """Whether it begins after `now` and no later than `span` after it."""
        return now < self.starts_at <= now + span

    def ends_within(self, now: datetime, span: timedelta) -> bool:
        """Whether it runs, and ends no later than `span` after `now`."""
        return self.starts_at <= now < self.ends_at <= now + span


def around(now: datetime, *, before: timedelta = NO_TIME, after: timedelta = NO_TIME) -> list[Due]:
    """The occurrences that touch the time from `now - before` to `now + after`, by their beginning."""
    found = Occurrence.objects.of_open_classes().touching(now - before, now + after + timedelta(microseconds=1))
    rows = found.order_by("starts_at", "pk").values_list(
        "pk", "lesson", "lab_class", "lab_class__machine_set", "starts_at", "ends_at", "mode"
    )
    return [Due(*row) for row in rows]


def running(now: datetime) -> list[Due]:
    """The lessons that take place at this moment."""
    return [due for due in around(now) if due.is_running(now)]


def starting(now: datetime, *, within: timedelta) -> list[Due]:
    """The lessons that begin after `now` and no later than `within` after it."""
    return [due for due in around(now, after=within) if due.starts_within(now, within)]


def ending(now: datetime, *, within: timedelta) -> list[Due]:
    """The lessons that run, and end no later than `within` after `now`."""
    return [due for due in around(now, after=within) if due.ends_within(now, within)]


def recently_ended(now: datetime, *, within: timedelta) -> list[Due]:
    """The lessons that ended no earlier than `within` before `now`."""
    return [due for due in around(now, before=within) if now - within < due.ends_at <= now]
