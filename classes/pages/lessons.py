"""Adding, changing, moving and leaving out lessons: a form, who is affected and what clashes, then exactly that."""

from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from accounts.http import AuthenticatedHttpRequest, login_required
from accounts.plans.page import Facts
from accounts.spreadsheet import Unreadable
from classes import access
from classes.access import Right
from classes.models import LabClass, Lesson
from classes.pages.plans import ClassPlanPage
from classes.pages.timetable import day_asked
from classes.timetable import changes, planning, recurrence
from classes.timetable.forms import DayForm, LessonForm, numbers, plain
from classes.timetable.planning import LessonPlan, day_in_words


class LessonPage(ClassPlanPage[LessonPlan]):
    """`about` tells this change from others in the signature, and `write` carries it out."""

    tab = "timetable"
    back = "classes-timetable"
    template = "classes/lesson.html"

    def __init__(
        self,
        request: AuthenticatedHttpRequest,
        lab_class: LabClass,
        title: Any,
        *,
        about: str,
        write: Callable[[LabClass, Facts], Lesson | None],
        form: Any = None,
        **more: Any,
    ) -> None:
        super().__init__(request, lab_class)
        self.purpose = f"timetable.{about}.{lab_class.pk}"
        self.title, self.write, self.form_class, self.more = title, write, form, more

    def respond(self) -> HttpResponse:
        try:
            return super().respond()
        except Unreadable as error:  # there is no form at which it could be told
            messages.error(self.request, str(error))
            return HttpResponseRedirect(self.back_url)

    def facts(self, form: forms.Form) -> Facts:
        return dict(form.facts)  # type: ignore[attr-defined]

    def initial(self, facts: Facts) -> Facts:
        return facts | ({"weekdays": numbers(facts["weekdays"])} if "weekdays" in facts else {})

    def plan(self, facts: Facts) -> LessonPlan:
        return planning.plan(self.lab_class, lambda lab_class: self.write(lab_class, facts))

    def apply(self, facts: Facts, expected: str) -> LessonPlan:
        return planning.apply(self.lab_class, lambda lab_class: self.write(lab_class, facts), expected=expected)

    def page(self, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
        return super().page(self.more | context, status=status)

    def done(self, plan: LessonPlan) -> HttpResponse:
        """The week of the first lesson that changed."""
        super().done(plan)
        day = next((f"?day={row.day}" for row in plan.written), "")
        return HttpResponseRedirect(f"{self.back_url}{day}")

    @property
    def _start(self) -> str:
        return super()._start if self.form_class else self.back_url


def _lesson(request: AuthenticatedHttpRequest, pk: int, lesson: int) -> tuple[LabClass, Lesson]:
    """404 for a lesson of another class."""
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    return lab_class, get_object_or_404(lab_class.lessons, pk=lesson)


def _lesson_on(request: AuthenticatedHttpRequest, pk: int, lesson: int, day: date) -> tuple[LabClass, Lesson]:
    """404 also for a day that the lesson's rule has not."""
    lab_class, found = _lesson(request, pk, lesson)
    if not list(recurrence.days(found, day, day)):
        raise Http404
    return lab_class, found


def _initial(lesson: Lesson) -> Facts:
    values = {name: plain(getattr(lesson, name)) for name in LessonForm.Meta.fields}
    return values | {"weekdays": numbers(lesson.weekdays)}


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def add(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    initial = {"first_day": day_asked(request, lab_class.today), "last_day": lab_class.ends_on, "every_weeks": 1}
    form = partial(LessonForm, initial=initial)
    return LessonPage(
        request, lab_class, gettext_lazy("Add a lesson"), about="add", write=changes.add, form=form
    ).respond()


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def change(request: AuthenticatedHttpRequest, pk: int, lesson: int) -> HttpResponse:
    """All lessons of a series; with `?day=` this one and the following."""
    lab_class, found = _lesson(request, pk, lesson)
    day = day_asked(request, date.min)
    initial = _initial(found)
    if day <= found.first_day or day > found.last_day:
        title: Any = gettext_lazy("Change all lessons of the series")
        about, write = f"all.{lesson}", _about(changes.change_all, lesson)
    else:
        title = gettext_lazy("Change this and the following lessons")
        about, write = f"following.{lesson}.{day}", _about(changes.change_following, lesson, day)
        initial["first_day"] = day.isoformat()
    form = partial(LessonForm, initial=initial)
    return LessonPage(request, lab_class, title, about=about, write=write, form=form).respond()


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def change_day(request: AuthenticatedHttpRequest, pk: int, lesson: int, day: date) -> HttpResponse:
    """The lesson of one day."""
    lab_class, found = _lesson_on(request, pk, lesson, day)
    known = found.exceptions.filter(day=day, new_day__isnull=False).first()
    if known:
        initial = {name: plain(getattr(known, name)) for name in DayForm.Meta.fields}
    else:
        initial = {"new_day": day.isoformat(), "begins": plain(found.begins), "ends": plain(found.ends)}
    title = _("Change the lesson of %(day)s") % {"day": day_in_words(day)}
    page = LessonPage(
        request, lab_class, title, about=f"day.{lesson}.{day}",
        write=_about(changes.change_day, lesson, day), form=partial(DayForm, initial=initial), lesson=found, day=day,
        is_different=known is not None,
    )  # fmt: skip
    return page.respond()


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def add_extra(request: AuthenticatedHttpRequest, pk: int, lesson: int) -> HttpResponse:
    lab_class, found = _lesson(request, pk, lesson)
    initial = {"begins": plain(found.begins), "ends": plain(found.ends)}
    page = LessonPage(
        request, lab_class, gettext_lazy("Add one more lesson to the series"), about=f"extra.{lesson}",
        write=_about(changes.add_extra, lesson), form=partial(DayForm, initial=initial),
    )  # fmt: skip
    return page.respond()


# Without a form: the button on the page shows what will happen, and the next one does it.


@require_POST
@login_required
def leave_out(request: AuthenticatedHttpRequest, pk: int, lesson: int, day: date) -> HttpResponse:
    lab_class, _found = _lesson_on(request, pk, lesson, day)
    write = _without_form(changes.leave_out, lesson, day)
    title = gettext_lazy("Leave out this lesson")
    return LessonPage(request, lab_class, title, about=f"leave-out.{lesson}.{day}", write=write).respond()


@require_POST
@login_required
def restore(request: AuthenticatedHttpRequest, pk: int, lesson: int, day: date) -> HttpResponse:
    lab_class, _found = _lesson_on(request, pk, lesson, day)
    write = _without_form(changes.restore, lesson, day)
    title = gettext_lazy("Restore this lesson")
    return LessonPage(request, lab_class, title, about=f"restore.{lesson}.{day}", write=write).respond()


@require_POST
@login_required
def remove_extra(request: AuthenticatedHttpRequest, pk: int, lesson: int, exception: int) -> HttpResponse:
    lab_class, found = _lesson(request, pk, lesson)
    get_object_or_404(found.exceptions, pk=exception, day=None)
    write = _without_form(changes.remove_extra, lesson, exception)
    title = gettext_lazy("Remove the additional lesson")
    return LessonPage(request, lab_class, title, about=f"remove.{lesson}.{exception}", write=write).respond()


@require_POST
@login_required
def delete(request: AuthenticatedHttpRequest, pk: int, lesson: int) -> HttpResponse:
    """All lessons of a series; with `?day=` this one and the following."""
    lab_class, found = _lesson(request, pk, lesson)
    day = day_asked(request, date.min)
    if day <= found.first_day:
        title: Any = gettext_lazy("Delete all lessons of the series")
        about, write = f"delete.{lesson}", _without_form(changes.delete_all, lesson)
    else:
        title = gettext_lazy("Delete this and the following lessons")
        about, write = f"delete.{lesson}.{day}", _without_form(changes.delete_following, lesson, day)
    return LessonPage(request, lab_class, title, about=about, write=write).respond()


def _about(change: Callable[..., Lesson | None], *what: Any) -> Callable[[LabClass, Facts], Lesson | None]:
    return lambda lab_class, facts: change(lab_class, *what, facts)


def _without_form(change: Callable[..., Lesson | None], *what: Any) -> Callable[[LabClass, Facts], Lesson | None]:
    return lambda lab_class, _facts: change(lab_class, *what)
