"""The machines of a class during the lesson: at a glance, all at once, and who asks for help."""

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from classes import access
from classes.access import Right
from classes.pages.pages import tabs
from vms.pages import machine_group
from vms.pages.machine_list import PersonRequest, login_needed


@require_GET
@login_needed
def tab(request: PersonRequest, pk: int) -> HttpResponse:
    lab_class = access.find(request.user, pk, Right.RUN)
    found = machine_group.set_or_404(request, lab_class.machine_set_id)
    empty = _("The class has no machines yet. Add some on the page “Machines”.")
    more = tabs(request, lab_class, "live", baseline=lab_class.baseline, empty=empty)
    return machine_group.page(request, found, template="classes/live.html", more=more)
