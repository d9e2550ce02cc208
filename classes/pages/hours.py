"""The page *Hours and stops* of a class, and the readiness of its machines before a lesson."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.http import AuthenticatedHttpRequest, login_required
from classes import access
from classes.access import Right
from classes.models import LabClass, Membership, RunningRules
from classes.models.hours import MOST_EXTRA_HOURS
from classes.pages.tabs import tab_context
from classes.timetable import hours, readiness, standing
from classes.timetable.running_forms import ExtraHoursForm, RunningRulesForm


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def rules(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    kept = RunningRules.objects.filter(lab_class=lab_class).first() or RunningRules(lab_class=lab_class)
    form = RunningRulesForm(request.POST or None, instance=kept)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("Saved."))
        return redirect("classes-hours", pk)
    people = _people(lab_class) if kept.pk and kept.hours is not None else []
    context = tab_context(request, lab_class, "timetable", form=form, people=people, most=MOST_EXTRA_HOURS)
    context["stops"] = standing.recent(lab_class)
    return render(request, "classes/hours.html", context, status=400 if form.errors else 200)


def _people(lab_class: LabClass) -> list[tuple[Membership, hours.Meter | None]]:
    members = Membership.objects.joined().filter(lab_class=lab_class).select_related("user")
    found = hours.meters([lab_class.pk])
    unused = hours.unused(lab_class)
    return [
        (member, found.get((lab_class.pk, member.user_id), unused)) for member in members.order_by("user__username")
    ]


@require_POST
@login_required
def extra(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """Extra hours for one person of the class."""
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    form = ExtraHoursForm(request.POST, lab_class=lab_class)
    if form.is_valid():
        given = hours.give(lab_class, form.cleaned_data["person"], form.cleaned_data["hours"], by=request.user)
        text = _("%(person)s has %(hours)d hours more.")
        messages.success(request, text % {"person": given.user.get_username(), "hours": given.hours})
    else:
        messages.error(
            request, _("Choose a person of the class, and 1 to %(most)d hours.") % {"most": MOST_EXTRA_HOURS}
        )
    return redirect("classes-hours", pk)


@require_GET
@login_required
def bell(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """The part of the tab *Live* about the coming lesson."""
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    found = readiness.of_class(lab_class, request.user, timezone.now())
    return render(request, "classes/_bell.html", {"lab_class": lab_class, "bell": found})
