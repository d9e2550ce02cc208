"""The tab *People*: members, adding people to the roster, and removing them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import spreadsheet
from accounts.http import AuthenticatedHttpRequest, login_required
from accounts.plans.page import Facts
from accounts.sign_in import leaving, looking_up
from classes import access
from classes.access import Right
from classes.enrolment import membership, roster
from classes.enrolment.roster import RosterPlan
from classes.forms import RosterForm
from classes.models import LabClass, Membership
from classes.pages import release_page
from classes.pages.plans import ClassPlanPage
from classes.pages.tabs import tab_context
from vms import preparation
from vms.models import Assignment, VirtualMachine
from vms.pages.release_choice import ReleaseChoice, changed_message

# What the page of somebody who goes offers besides.
STAYS = [(membership.KEEP, gettext_lazy("The person keeps the machine outside the class"))]


@dataclass(frozen=True)
class MemberRow:
    """A person on the page. `place` is the position on the waiting list, from 1; 0: does not wait.

    `left_at`: when the person left the school's directory. Their machine is kept until then, at least.
    """

    member: Membership
    machines: tuple[VirtualMachine, ...]
    place: int
    left_at: datetime | None = None

    @property
    def kept_until(self) -> datetime | None:
        return self.left_at + timedelta(days=settings.KEEP_MACHINES_DAYS) if self.left_at else None


def member_rows(lab_class: LabClass) -> list[MemberRow]:
    members = Membership.objects.live().filter(lab_class=lab_class).select_related("user").order_by("user__username")
    held: dict[int, list[VirtualMachine]] = {}
    for row in Assignment.objects.live().filter(vm__class_machine__lab_class=lab_class).select_related("vm"):
        held.setdefault(row.user_id, []).append(row.vm)
    waiting = Membership.objects.waiting().filter(lab_class=lab_class).values_list("pk", flat=True)
    places = {pk: place for place, pk in enumerate(waiting, 1)}
    left = leaving.left_at(members.values("user"))
    return [
        MemberRow(member, tuple(held.get(member.user_id, ())), places.get(member.pk, 0), left.get(member.user_id))
        for member in members
    ]


@require_GET
@login_required
def tab(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    context = tab_context(
        request, lab_class, "people", rows=member_rows(lab_class), has_directory=looking_up.is_possible()
    )
    return render(request, "classes/people.html", context)


class RosterPage(ClassPlanPage[RosterPlan]):
    purpose = "class-people"
    title = gettext_lazy("Add people")
    tab = "people"
    back = "classes-people"
    form_class = RosterForm

    def facts(self, form: forms.Form) -> Facts:
        return {"text": form.cleaned_data["table"], "at_once": form.cleaned_data["at_once"]}

    def plan(self, facts: Facts) -> RosterPlan:
        return roster.plan(self.lab_class, **facts)

    def apply(self, facts: Facts, expected: str) -> RosterPlan:
        return roster.apply(self.lab_class, **facts, expected=expected)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def add(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    return RosterPage(request, access.class_or_404(request.user, pk, Right.RUN)).respond()


def _member(lab_class: LabClass, pk: int) -> Membership:
    """404 for who is in another class."""
    members = Membership.objects.live().filter(lab_class=lab_class).select_related("user", "lab_class__machine_set")
    found: Membership = get_object_or_404(members, pk=pk)
    return found


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def remove(request: AuthenticatedHttpRequest, pk: int, member: int) -> HttpResponse:
    """GET asks what becomes of the machine, POST ends the membership."""
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    leaving = _member(lab_class, member)
    held = leaving.assignments.exists()
    choice = ReleaseChoice(request, membership.unreleased(leaving), more=STAYS if held else [])
    if not choice.is_made:
        return release_page.release_page(request, lab_class, choice, "remove", tab="people", member=leaving)
    try:
        freed = membership.remove(leaving, way=choice.way, by=request.user, shown=choice.shown)
    except preparation.Changed:
        messages.warning(request, changed_message())
        return redirect(request.path)
    release_page.show_result(request, freed)
    messages.success(request, _("%(person)s was removed from the class.") % {"person": leaving.user.username})
    return redirect("classes-people", pk)


@require_POST
@login_required
def wait(request: AuthenticatedHttpRequest, pk: int, member: int) -> HttpResponse:
    """Put somebody without a machine into the queue."""
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    waiting = _member(lab_class, member)
    if membership.requeue(waiting):
        said = {"person": waiting.user.username}
        messages.success(request, _("%(person)s is now in line for a machine.") % said)
    return redirect("classes-people", pk)


@require_GET
@login_required
def export(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """The list as a table, in which no cell is a formula."""
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    return roster_table(lab_class)


def roster_table(lab_class: LabClass) -> HttpResponse:
    """The people as CSV, to be saved."""
    header = ("username", "first name", "last name", "joined", "waiting", "machine", "cluster", "vmid")
    name = f"{slugify(lab_class.name) or 'class'}-people.csv"
    return spreadsheet.download(name, header, (_cells(row) for row in member_rows(lab_class)))


def _cells(row: MemberRow) -> tuple[object, ...]:
    person, first = row.member.user, row.machines[0] if row.machines else None
    joined = row.member.joined_at
    when = timezone.localtime(joined).isoformat(sep=" ", timespec="minutes") if joined else ""
    machine = (first.name, first.cluster_id, first.vmid) if first else ("", "", "")
    return (person.username, person.first_name, person.last_name, when, row.place or "", *machine)
