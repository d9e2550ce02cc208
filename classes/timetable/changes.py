"""What a teacher does to a timetable. Each function writes the rules of one class, which the caller has locked.

Values are those of the models' fields; days and times may be ISO texts, as a signed preview keeps them.
"""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from django.db.models import Model, Q
from django.utils import timezone

from classes.models import LabClass, Lesson, LessonException

DAY = timedelta(days=1)

# Rows of one class that nobody needs, and that everybody would pay for.
MOST_LESSONS = 200
MOST_EXCEPTIONS = 366  # of one lesson

Values = dict[str, Any]
Write = Callable[[LabClass], Lesson | None]  # returns the lesson that was added or changed, if it is still there


class Over(Exception):
    """The lesson of this day has taken place: it stays as it was."""


class TooMany(Exception):
    """The class would have more lessons than `MOST_LESSONS`."""


class TooManyExceptions(Exception):
    """The lesson would have more days that are different than `MOST_EXCEPTIONS`."""


def _typed(model: type[Model], values: Values) -> Values:
    return {name: model._meta.get_field(name).to_python(value) for name, value in values.items()}  # type: ignore[union-attr]


def add(lab_class: LabClass, values: Values) -> Lesson:
    """Raises `TooMany`."""
    if lab_class.lessons.count() >= MOST_LESSONS:
        raise TooMany
    return Lesson.objects.create(lab_class=lab_class, **_typed(Lesson, values))


def change_all(lab_class: LabClass, lesson: int, values: Values) -> Lesson:
    """Lessons that are over stay as they were. Raises `Lesson.DoesNotExist`, as all functions about one lesson."""
    found: Lesson = lab_class.lessons.get(pk=lesson)
    for name, value in _typed(Lesson, values).items():
        setattr(found, name, value)
    found.save(update_fields=list(values))
    return found


def change_following(lab_class: LabClass, lesson: int, day: date, values: Values) -> Lesson:
    """End the series before `day`, and go on with another one that has its later exceptions. Raises `TooMany`."""
    before: Lesson = lab_class.lessons.get(pk=lesson)
    if day <= before.first_day:
        return change_all(lab_class, lesson, values)
    after = add(lab_class, values)
    _from(before, day).update(lesson=after)
    _end_before(before, day)
    return after


def delete_all(lab_class: LabClass, lesson: int) -> None:
    lab_class.lessons.get(pk=lesson).delete()


def delete_following(lab_class: LabClass, lesson: int, day: date) -> Lesson | None:
    before: Lesson = lab_class.lessons.get(pk=lesson)
    if day <= before.first_day:
        before.delete()
        return None
    _from(before, day).delete()
    _end_before(before, day)
    return before


def _from(lesson: Lesson, day: date) -> Any:
    return lesson.exceptions.filter(Q(day__gte=day) | Q(day=None, new_day__gte=day))


def _end_before(lesson: Lesson, day: date) -> None:
    lesson.last_day = min(lesson.last_day, day - DAY)
    lesson.save(update_fields=["last_day"])


def change_day(lab_class: LabClass, lesson: int, day: date, values: Values) -> Lesson:
    """Move the lesson of one day, or change it in another way: `new_day`, `begins`, `ends`, `mode`, `note`.

    Raises `Over`, and `TooManyExceptions`.
    """
    found: Lesson = lab_class.lessons.get(pk=lesson)
    if found.occurrences.filter(rule_day=day, ends_at__lte=timezone.now()).exists():
        raise Over
    _require_room(found, day)
    LessonException.objects.update_or_create(lesson=found, day=day, defaults=_typed(LessonException, values))
    return found


def _require_room(lesson: Lesson, day: date | None) -> None:
    """For an exception of this day, unless it has one already. None: for an additional one."""
    others = lesson.exceptions.exclude(day=day) if day else lesson.exceptions
    if others.count() >= MOST_EXCEPTIONS:
        raise TooManyExceptions


def leave_out(lab_class: LabClass, lesson: int, day: date) -> Lesson:
    return change_day(lab_class, lesson, day, {"new_day": None, "begins": None, "ends": None, "mode": "", "note": ""})


def restore(lab_class: LabClass, lesson: int, day: date) -> Lesson:
    """The lesson of this day is as its rule says."""
    found: Lesson = lab_class.lessons.get(pk=lesson)
    found.exceptions.filter(day=day).delete()
    return found


def add_extra(lab_class: LabClass, lesson: int, values: Values) -> Lesson:
    """One more time: `new_day`, `begins`, `ends`, `mode`, `note`. Raises `TooManyExceptions`."""
    found: Lesson = lab_class.lessons.get(pk=lesson)
    _require_room(found, None)
    LessonException.objects.create(lesson=found, **_typed(LessonException, values))
    return found


def remove_extra(lab_class: LabClass, lesson: int, exception: int) -> Lesson:
    found: Lesson = lab_class.lessons.get(pk=lesson)
    found.exceptions.filter(pk=exception, day=None).delete()
    return found
