"""The machines of a class: which it has, who holds them, and which it may take."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import User
from classes import access, enrolling, running
from classes.access import Right
from classes.forms import AssignForm
from classes.models import ClassMachine, LabClass, Membership
from classes.views.pages import tabs
from vms import cards
from vms.models import Assignment, VirtualMachine
from vms.views import PersonRequest, login_needed

# Boxes to tick on one page; more are found by name.
SHOWN = 200


@dataclass(frozen=True)
class Row:
    """A machine of the class on the page: what it is doing, who holds it, and whether it may be given away."""

    card: cards.Card
    cluster: str
    holder: User | None
    is_granted: bool
    is_gone: bool


def rows_of(lab_class: LabClass) -> list[Row]:
    """In a number of queries that does not grow with the machines."""
    own = VirtualMachine.objects.filter(class_machine__lab_class=lab_class)
    machines = list(own.select_related("cluster__health", "cluster__sync").order_by("cluster__name", "name", "vmid"))
    holders = {
        row.vm_id: row.user
        for row in Assignment.objects.live().filter(vm__class_machine__lab_class=lab_class).select_related("user")
    }
    granted = set(running.granted_machines(lab_class).filter(pk__in=own).values_list("pk", flat=True))
    gone = {machine.pk for machine in machines if machine.gone_at}
    groups = cards.groups(machines, operable={machine.pk for machine in machines}, for_staff=False)
    return [
        Row(card, group.name, holders.get(card.pk), card.pk in granted, card.pk in gone)
        for group in groups
        for card in group.cards
    ]


@require_GET
@login_needed
def tab(request: PersonRequest, pk: int) -> HttpResponse:
    lab_class = access.find(request.user, pk, Right.RUN)
    return _page(request, lab_class)


def _page(request: PersonRequest, lab_class: LabClass, form: AssignForm | None = None) -> HttpResponse:
    wanted = request.GET.get("q", "").replace("\0", "").strip()[:100]
    adoptable = running.adoptable(lab_class)
    if wanted:
        adoptable = adoptable.filter(name__icontains=wanted)
    offered = list(adoptable[: SHOWN + 1])
    more: dict[str, Any] = {
        "rows": rows_of(lab_class),
        "adoptable": offered[:SHOWN],
        "has_more": len(offered) > SHOWN,
        "q": wanted,
        "form": form or AssignForm(lab_class=lab_class),
        "waiting": Membership.objects.waiting().filter(lab_class=lab_class).count(),
    }
    context = tabs(request, lab_class, "machines", **more)
    return render(request, "classes/machines.html", context, status=400 if form else 200)


@require_POST
@login_needed
def adopt(request: PersonRequest, pk: int) -> HttpResponse:
    """Take the ticked machines into the class: all of them, or none."""
    lab_class = access.find(request.user, pk, Right.RUN)
    chosen = {int(one) for one in request.POST.getlist("vm") if one.isascii() and one.isdigit() and len(one) < 12}
    try:
        taken = running.adopt(lab_class, chosen, by=request.user)
    except running.Taken:
        messages.error(request, _("Nothing was taken: one of these machines is not offered any more. Choose again."))
    else:
        text = ngettext("%(n)d machine is in the class now.", "%(n)d machines are in the class now.", taken)
        messages.success(request, text % {"n": taken})
    return redirect("classes-machines", pk)


@require_POST
@login_needed
def assign(request: PersonRequest, pk: int) -> HttpResponse:
    """One machine to one person, by hand."""
    lab_class = access.find(request.user, pk, Right.RUN)
    form = AssignForm(request.POST, lab_class=lab_class)
    if not form.is_valid():
        return _page(request, lab_class, form)
    machine, person = form.cleaned_data["vm"], form.cleaned_data["person"]
    member = Membership.objects.joined().filter(lab_class=lab_class, user=person).first()
    try:
        if member is None:
            raise running.Taken
        running.assign(member, machine)
    except running.Taken:
        messages.error(
            request, _("Nothing was changed: the machine, or the person, is not free for this any more. Look again.")
        )
    else:
        said = {"machine": machine.display_name, "person": person.username}
        messages.success(request, _("%(person)s has %(machine)s now.") % said)
    return redirect("classes-machines", pk)


def _own_machine(lab_class: LabClass, vm: int) -> VirtualMachine:
    """404 for a machine of another class, whatever else it is."""
    found = ClassMachine.objects.filter(lab_class=lab_class, vm=vm).select_related("vm__cluster").first()
    if found is None:
        raise Http404
    return found.vm


@require_http_methods(["GET", "HEAD", "POST"])
@login_needed
def unassign(request: PersonRequest, pk: int, vm: int) -> HttpResponse:
    """GET asks, POST takes the machine from who holds it."""
    lab_class = access.find(request.user, pk, Right.RUN)
    machine = _own_machine(lab_class, vm)
    if request.method == "POST":
        if enrolling.unassign(lab_class, machine):
            messages.success(request, _("%(machine)s was taken back.") % {"machine": machine.display_name})
        else:
            messages.info(request, _("Nobody held %(machine)s.") % {"machine": machine.display_name})
        return redirect("classes-machines", pk)
    return _confirm(request, lab_class, machine, "unassign")


@require_http_methods(["GET", "HEAD", "POST"])
@login_needed
def drop(request: PersonRequest, pk: int, vm: int) -> HttpResponse:
    """GET asks, POST takes the machine out of the class."""
    lab_class = access.find(request.user, pk, Right.RUN)
    machine = _own_machine(lab_class, vm)
    if request.method == "POST":
        running.drop(lab_class, machine)
        messages.success(request, _("%(machine)s is not in the class any more.") % {"machine": machine.display_name})
        return redirect("classes-machines", pk)
    return _confirm(request, lab_class, machine, "drop")


def _confirm(request: PersonRequest, lab_class: LabClass, machine: VirtualMachine, what: str) -> HttpResponse:
    holder = Assignment.objects.live().filter(vm=machine).select_related("user").first()
    waiting = Membership.objects.waiting().filter(lab_class=lab_class).select_related("user").first()
    more = {"machine": machine, "holder": holder.user if holder else None, "what": what, "next": waiting}
    return render(request, "classes/confirm_machine.html", tabs(request, lab_class, "machines", **more))
