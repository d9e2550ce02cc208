"""The pages *What would happen*: what the lessons of a day will lack, of one class and of all that a person runs."""

from datetime import timedelta
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts.http import AuthenticatedHttpRequest, login_required
from accounts.models import User
from classes import access
from classes.access import Right
from classes.models import LabClass
from classes.pages.tabs import tab_context
from classes.pages.timetable import day_asked
from classes.timetable import node_memory, rehearsal

DAY = timedelta(days=1)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def page(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """A POST asks the nodes for their memory as well, which takes seconds and changes nothing."""
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    day = day_asked(request, lab_class.today + DAY)
    lessons = rehearsal.lessons_on(LabClass.objects.filter(pk=pk), day)
    found = rehearsal.findings(lessons, request.user).get(pk, [])
    asked = request.method == "POST"
    if asked:
        found = [*found, *node_memory.findings(lessons).get(pk, [])]
    more = {
        "day": day, "before": day - DAY, "after": day + DAY, "lessons": lessons.get(lab_class, []), "findings": found,
        "asked": asked, "class_zone": lab_class.zone,
    }  # fmt: skip
    return render(request, "classes/rehearsal.html", tab_context(request, lab_class, "timetable", **more))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def all_classes(request: AuthenticatedHttpRequest) -> HttpResponse:
    """A day of all classes that the person runs; those that lack something first. POST as above."""
    classes = _run_by(request.user)
    day = day_asked(request, timezone.localdate() + DAY)
    lessons = rehearsal.lessons_on(classes, day)
    found = rehearsal.findings(lessons, request.user)
    asked = request.method == "POST"
    if asked:
        for lab_class, more in node_memory.findings(lessons).items():
            found.setdefault(lab_class, []).extend(more)
    rows = [(one, its, found.get(one.pk, [])) for one, its in lessons.items()]
    context: dict[str, Any] = {
        "day": day, "before": day - DAY, "after": day + DAY, "asked": asked, "rows": rows,
        "lacking": [row for row in rows if row[2]], "ready": [row for row in rows if not row[2]],
        "count": sum(len(row[2]) for row in rows),
    }  # fmt: skip
    return render(request, "classes/day_rehearsal.html", context)


def _run_by(user: User) -> Any:
    """404 for somebody who runs no class."""
    if access.is_administrator(user):
        return LabClass.objects.all()
    taught = LabClass.objects.taught_by(user)
    if not taught.exists():
        raise Http404
    return taught
