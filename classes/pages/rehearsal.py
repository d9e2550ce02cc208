"""The page *What would happen*: what the lessons of a day will lack."""

from datetime import timedelta

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from accounts.http import AuthenticatedHttpRequest, login_required
from classes import access
from classes.access import Right
from classes.pages.tabs import tab_context
from classes.pages.timetable import day_asked
from classes.timetable import rehearsal

DAY = timedelta(days=1)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def page(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """A POST asks the nodes for their memory as well, which takes seconds and changes nothing."""
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    day = day_asked(request, lab_class.today + DAY)
    lessons = rehearsal.lessons_on(lab_class, day)
    found = rehearsal.findings(lab_class, lessons, request.user)
    asked = request.method == "POST"
    if asked:
        found += rehearsal.memory(lab_class, lessons)
    more = {
        "day": day, "before": day - DAY, "after": day + DAY, "lessons": lessons, "findings": found, "asked": asked,
        "class_zone": lab_class.zone,
    }  # fmt: skip
    return render(request, "classes/rehearsal.html", tab_context(request, lab_class, "timetable", **more))
