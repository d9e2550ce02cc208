"""The page of a class that everybody in it sees."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.http import AuthenticatedHttpRequest, login_required
from classes import access
from classes.access import Right
from classes.enrolment import waiting_list
from classes.models import Membership, Occurrence
from classes.pages import stops
from classes.timetable import hours
from vms.access.lookups import operable_among
from vms.access.lookups import visible_to as machines_visible_to
from vms.models import Assignment, HelpRequest
from vms.pages import cards


@require_GET
@login_required
def page(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """The page for everybody in the class: the lesson, and the person's machine in it."""
    lab_class = access.class_or_404(request.user, pk, Right.SEE)
    mine = Assignment.objects.live().filter(user=request.user, vm__class_machine__lab_class=lab_class).values("vm")
    shown = (
        machines_visible_to(request.user).filter(pk__in=mine).annotate(is_helped=HelpRequest.available_to(request.user))
    )
    machines = list(shown.select_related("cluster__health", "cluster__sync"))
    operable = operable_among(request.user, machines)
    member = Membership.objects.joined().filter(lab_class=lab_class, user=request.user).first()
    waits = bool(member and member.waiting_since and not machines)
    context = {
        "lab_class": lab_class,
        "groups": cards.groups(machines, operable=operable, for_staff=request.user.is_staff),
        "member": member,
        "waits": waits,
        "before": waiting_list.people_ahead(member) if member and waits else 0,
        "runs": access.may(request.user, lab_class, Right.RUN),
        "origin": "all",
        "next_lesson": None if lab_class.is_over else Occurrence.objects.next_of(lab_class),
        "stops": stops.own_stops(lab_class, machines, request.user),
        "meter": hours.meter_for(lab_class, request.user.pk) if member else None,
    }
    return render(request, "classes/class_page.html", context)
