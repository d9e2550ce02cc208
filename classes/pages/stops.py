"""Notices before a stop, for those who use the machine: *Keep 1 h*, and *do not stop*."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

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
from classes.models import LabClass, MachineHold, RunningRules
from classes.timetable import notices
from vms.access import lookups
from vms.models import VirtualMachine
from vms.pages.console_banners import Banner
from vms.pages.machine_sections import Section

STOPS = Q(stops=True) | Q(idle_minutes__isnull=False)

# Hours, and the words for them.
HOLDS = (
    (2, gettext_lazy("2 hours")),
    (8, gettext_lazy("8 hours")),
    (24, gettext_lazy("1 day")),
    (72, gettext_lazy("3 days")),
    (168, gettext_lazy("7 days")),
)


@dataclass(frozen=True)
class MachineStop:
    """When a machine is shut down by these rules, and who wants it left alone. `manages`: the reader manages it."""

    machine: VirtualMachine
    rules: RunningRules
    reader: User
    manages: bool = False
    held: MachineHold | None = None

    @property
    def holds(self) -> tuple[tuple[int, Any], ...]:
        return HOLDS

    @property
    def until(self) -> datetime | None:
        return self.held.until if self.held else None

    @property
    def is_own(self) -> bool:
        return bool(self.held and self.held.set_by_id == self.reader.pk)

    @property
    def set_by(self) -> str:
        person = self.held.set_by if self.held else None
        return person.get_full_name() or person.get_username() if person else _("somebody")

    @property
    def may_end(self) -> bool:
        """What a manager chose, only managers end."""
        return bool(self.held and (self.manages or not self.held.by_manager))


def own_stops(lab_class: LabClass, machines: Iterable[VirtualMachine], reader: User) -> list[MachineStop]:
    """Of the reader's own machines. None where the class stops no machines, or only when hours are used up."""
    rules = RunningRules.objects.filter(STOPS, lab_class=lab_class).first() if machines else None
    return [MachineStop(one, rules, reader, held=notices.held(one.pk)) for one in machines] if rules else []


def machine_section(machine: VirtualMachine, user: User) -> Section | None:
    """On the page of a machine, for those who may choose *Do not stop*: who has it, and who manages it."""
    in_class = Q(lab_class__class_machines__vm=machine, lab_class__ended_at=None)
    rules = RunningRules.objects.filter(STOPS | Q(hours__isnull=False), in_class).first()
    if rules is None or not lookups.operable_among(user, [machine]):
        return None
    manages = VirtualMachine.objects.managed_by(user).filter(pk=machine.pk).exists()
    if not (manages or rules.stops or rules.idle_minutes):
        return None  # only hours: a student's own "Do not stop" would not hold
    return Section("classes/_machine_stop.html", MachineStop(machine, rules, user, manages, notices.held(machine.pk)))


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
