"""The tab *Timetable*: a week of the class with its exceptions, and the lessons that repeat."""

from dataclasses import dataclass
from datetime import date

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET

from accounts.http import AuthenticatedHttpRequest, login_required
from classes import access
from classes.access import Right
from classes.models import LabClass, Lesson
from classes.pages.tabs import tab_context
from classes.timetable import week
from classes.timetable.forms import FIRST_YEAR, LAST_YEAR


@dataclass(frozen=True)
class Series:
    """A lesson of the list below the week."""

    lesson: Lesson
    days: str
    rhythm: str


def day_asked(request: HttpRequest, otherwise: date) -> date:
    """The day of the address, for pages that show its week."""
    try:
        found = date.fromisoformat(request.GET.get("day", ""))
    except ValueError:
        return otherwise
    return found if FIRST_YEAR < found.year < LAST_YEAR else otherwise


@require_GET
@login_required
def tab(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    lessons = list(lab_class.lessons.prefetch_related("exceptions"))
    more = {
        "week": week.of(lab_class, day_asked(request, lab_class.today), lessons),
        "series": [_series(lesson) for lesson in lessons if _is_listed(lab_class, lesson)],
        "today": lab_class.today,
        "clock": lab_class.zone.key,
    }
    return render(request, "classes/timetable.html", tab_context(request, lab_class, "timetable", **more))


def _is_listed(lab_class: LabClass, lesson: Lesson) -> bool:
    """Not once its last lesson is over."""
    last = max([lesson.last_day, *(one.new_day for one in lesson.exceptions.all() if one.new_day)])
    return last >= lab_class.today


def _series(lesson: Lesson) -> Series:
    if not lesson.is_weekly:
        return Series(lesson, lesson.first_day.isoformat(), _("once"))
    names = [str(name) for number, name in WEEKDAYS_ABBR.items() if lesson.weekdays >> number & 1]
    weeks = lesson.every_weeks
    return Series(lesson, ", ".join(names), ngettext("every week", "every %(n)d weeks", weeks) % {"n": weeks})
