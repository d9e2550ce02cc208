"""The tab *Live*: the machines during the lesson, bulk actions, and help requests."""

from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts.http import AuthenticatedHttpRequest, login_required
from classes import access
from classes.access import Right
from classes.pages.tabs import tab_context
from classes.timetable import readiness, standing
from vms.pages import machine_group


@require_GET
@login_required
def tab(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    found = machine_group.group_or_404(request, lab_class.machine_set_id)
    empty = _("The class has no machines yet. Add some on the page “Machines”.")
    more = tab_context(request, lab_class, "live", baseline=lab_class.baseline, empty=empty)
    more["bell"] = None if request.htmx else readiness.of_class(lab_class, request.user, timezone.now())
    notes = standing.on_tiles(lab_class)
    return machine_group.group_page(request, found, template="classes/live.html", more=more, notes=notes)
