"""Notices before a stop, for those who use the machine: *Keep 1 h*, and *do not stop*."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from accounts.http import AuthenticatedHttpRequest, login_required
from accounts.models import User
from classes.models import LabClass, RunningRules
from classes.timetable import notices
from vms.access import lookups
from vms.models import VirtualMachine
from vms.pages.console_banners import Banner

# Hours, and the words for them.
HOLDS = (
    (2, gettext_lazy("2 hours")),
    (8, gettext_lazy("8 hours")),
    (24, gettext_lazy("1 day")),
    (72, gettext_lazy("3 days")),
    (168, gettext_lazy("7 days")),
)


@dataclass(frozen=True)
class OwnStop:
    """A machine of a person in a class that stops machines by these rules, and until when it is to be left alone."""

    machine: VirtualMachine
    rules: RunningRules
    until: datetime | None


def own_stops(lab_class: LabClass, machines: Iterable[VirtualMachine]) -> list[OwnStop]:
    """None where the class stops no machines, or only when hours are used up."""
    either = Q(stops=True) | Q(idle_minutes__isnull=False)
    rules = RunningRules.objects.filter(either, lab_class=lab_class).first() if machines else None
    return [OwnStop(machine, rules, notices.held_until(machine.pk)) for machine in machines] if rules else []


@require_GET
@login_required
def stop_notices(request: AuthenticatedHttpRequest) -> HttpResponse:
    """The part of every page that shows the person's notices."""
    return render(request, "classes/_stop_notices.html", {"stop_notices": notices.shown_to(request.user)})


@require_POST
@login_required
def keep(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    machine = lookups.operable_or_404(request.user, pk)
    if until := notices.keep(machine, by=request.user):
        text = _("%(machine)s stays on until %(until)s.")
        messages.success(request, text % {"machine": machine.display_name, "until": _clock(until)})
    else:
        messages.error(request, _("This is not possible any more. Save your work."))
    return redirect(_back(request))


@require_POST
@login_required
def hold(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """*Do not stop* for the hours that the person chose, or no longer."""
    machine = lookups.operable_or_404(request.user, pk)
    hours = request.POST.getlist("hours")[-1:]
    chosen = int(hours[0]) if hours and hours[0] in {"0", *(str(number) for number, _words in HOLDS)} else HOLDS[0][0]
    until = notices.hold(machine, by=request.user, hours=chosen)
    if chosen:
        text = _("The portal does not stop %(machine)s by itself until %(until)s.")
        messages.success(request, text % {"machine": machine.display_name, "until": _clock(until)})
    else:
        text = _("The portal may stop %(machine)s by itself again, after a notice.")
        messages.success(request, text % {"machine": machine.display_name})
    return redirect(_back(request))


def _clock(until: datetime) -> str:
    return date_format(timezone.localtime(until), "Y-m-d H:i")


def _back(request: AuthenticatedHttpRequest) -> str:
    """To the page where the button was pressed."""
    wanted = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()}, require_https=False)
    return wanted if is_ours and wanted.startswith("/") else reverse("vms-list")


def console_banner(machine: VirtualMachine, user: User) -> Banner | None:
    """The notice of this machine on the page of its console."""
    found = notices.shown_to(user, machine=machine.pk)
    if not found:
        return None
    url = reverse("classes-keep", args=[machine.pk]) if found[0].keeps_left else ""
    return Banner(found[0].text, _("Keep 1 h") if url else "", url)
