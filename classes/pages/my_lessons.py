"""*My lessons*: the week of a student or a teacher over all classes, and their calendar for other programs."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from itertools import groupby

from django.contrib import messages
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.http import quote_etag
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_GET, require_POST, require_safe

from accounts.http import AuthenticatedHttpRequest, login_required
from accounts.models import User
from classes.models import CalendarFeed, Occurrence
from classes.pages.timetable import day_asked
from classes.timetable import feed

# How a browser brings a new address from the request that made it to the page that shows it, and keeps it no longer.
COOKIE, SALT, CARRIED = "new-calendar", "classes.new-calendar", 120
WEEK = timedelta(weeks=1)

Days = list[tuple[date, list[Occurrence]]]


@require_GET
@login_required
@sensitive_variables("link")
def page(request: AuthenticatedHttpRequest) -> HttpResponse:
    """A week by the reader's own clock."""
    today = timezone.localdate()
    day = day_asked(request, today)
    monday = day - timedelta(days=day.weekday())
    link = _carried(request)
    context = {
        "days": _week(request.user, monday), "today": today, "monday": monday, "sunday": monday + timedelta(days=6),
        "before": monday - WEEK, "after": monday + WEEK, "link": link,
        "feed": CalendarFeed.objects.filter(user=request.user).first(),
    }  # fmt: skip
    response = render(request, "classes/my_lessons.html", context)
    if COOKIE in request.COOKIES:
        response.delete_cookie(COOKIE, path=request.path, samesite="Strict")
    return response


def _week(user: User, monday: date) -> Days:
    zone = timezone.get_current_timezone()
    first, last = (datetime.combine(day, time(), zone) for day in (monday, monday + WEEK))
    rows = Occurrence.objects.of_person(user).filter(starts_at__gte=first, starts_at__lt=last)
    return list(_by_day(rows.select_related("lab_class").order_by("starts_at", "pk")))


def _by_day(rows: Iterable[Occurrence]) -> Iterator[tuple[date, list[Occurrence]]]:
    for day, some in groupby(rows, key=lambda row: timezone.localdate(row.starts_at)):
        yield day, list(some)


@require_POST
@login_required
@sensitive_variables("token")
def renew(request: AuthenticatedHttpRequest) -> HttpResponse:
    token = feed.renew(request.user)
    response = redirect("classes-lessons")
    carried = signing.dumps({"by": request.user.pk, "token": token}, salt=SALT)
    response.set_cookie(
        COOKIE, carried, max_age=CARRIED, path=reverse("classes-lessons"), secure=request.is_secure(), httponly=True,
        samesite="Strict",
    )  # fmt: skip
    return response


@sensitive_variables()
def _carried(request: AuthenticatedHttpRequest) -> str:
    """The address that this person made a moment ago, if it is still valid."""
    try:
        found = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=CARRIED)
    except signing.BadSignature:
        return ""
    known = feed.find(found["token"])
    if found["by"] != request.user.pk or known is None or known.user_id != request.user.pk:
        return ""
    return request.build_absolute_uri(reverse("calendar-feed", args=[found["token"]]))


@require_POST
@login_required
def stop(request: AuthenticatedHttpRequest) -> HttpResponse:
    if feed.stop(request.user):
        messages.success(request, _("The calendar address no longer works."))
    return redirect("classes-lessons")


@require_safe
@sensitive_variables("token")
def calendar(request: HttpRequest, token: str) -> HttpResponse:
    """The calendar of whoever has this address, for programs without a login."""
    found = feed.find(token)
    if found is None:
        raise Http404
    events = feed.events(found.user)
    etag = quote_etag(feed.digest(events))
    response = get_conditional_response(request, etag=etag)
    if response is None:
        content = feed.render(events, host=request.get_host(), changed_at=found.created_at)
        response = HttpResponse(content, content_type="text/calendar; charset=utf-8")
        response["Content-Disposition"] = 'inline; filename="lessons.ics"'
        response["ETag"] = etag
    patch_cache_control(response, private=True, no_cache=True)
    return response
