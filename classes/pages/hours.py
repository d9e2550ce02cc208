"""The page *Hours and stops* of a class, and the readiness of its machines before a lesson."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from accounts.http import AuthenticatedHttpRequest, login_required
from classes import access
from classes.access import Right
from classes.models import RunningRules
from classes.pages.tabs import tab_context
from classes.timetable import readiness
from classes.timetable.running_forms import RunningRulesForm


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
    context = tab_context(request, lab_class, "timetable", form=form)
    return render(request, "classes/hours.html", context, status=400 if form.errors else 200)


@require_GET
@login_required
def bell(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """The part of the tab *Live* about the coming lesson."""
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    found = readiness.of_class(lab_class, request.user, timezone.now())
    return render(request, "classes/_bell.html", {"lab_class": lab_class, "bell": found})
