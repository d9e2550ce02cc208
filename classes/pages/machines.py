"""The tab *Machines* of a class: its machines with their assignees, and those that can be added."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.http import AuthenticatedHttpRequest, login_required
from accounts.models import User
from classes import access
from classes.access import Right
from classes.enrolment import class_machines, made_machines, releasing
from classes.forms import AssignForm
from classes.models import ClassMachine, LabClass, Membership
from classes.pages import release_page
from classes.pages.tabs import tab_context
from vms import preparation
from vms.models import MadeMachine, ProvisioningRun, VirtualMachine
from vms.pages import cards
from vms.pages.release_choice import ReleaseChoice, changed_message
from vms.provisioning import quotas

# Boxes to tick on one page; more are found by name.
SHOWN = 200

# Of the runs that made machines for the class, the latest.
RUNS_SHOWN = 5


@dataclass(frozen=True)
class MachineRow:
    """A machine of the class on the page: its card, its assignee, and whether it can be assigned."""

    card: cards.Card
    cluster: str
    assignee: User | None
    outlook: preparation.Outlook | None
    is_granted: bool
    is_gone: bool
    is_leaving: bool


def machine_rows(lab_class: LabClass) -> list[MachineRow]:
    """In a number of queries that does not grow with the machines."""
    own = VirtualMachine.objects.filter(class_machine__lab_class=lab_class)
    machines = list(own.select_related("cluster__health", "cluster__sync").order_by("cluster__name", "name", "vmid"))
    outlooks = {one.machine.pk: one for one in preparation.outlooks_for(releasing.unreleased(lab_class))}
    assignees = {pk: one.assignment.user for pk, one in outlooks.items() if one.is_live}
    leaving = set(ClassMachine.objects.filter(lab_class=lab_class, is_leaving=True).values_list("vm", flat=True))
    granted = set(class_machines.granted(lab_class).filter(pk__in=own).values_list("pk", flat=True))
    gone = {machine.pk for machine in machines if machine.gone_at}
    groups = cards.groups(machines, operable={machine.pk for machine in machines}, for_staff=False)
    return [
        MachineRow(
            card, group.name, assignees.get(card.pk), outlooks.get(card.pk),
            is_granted=card.pk in granted, is_gone=card.pk in gone, is_leaving=card.pk in leaving,
        )
        for group in groups
        for card in group.cards
    ]  # fmt: skip


@require_GET
@login_required
def tab(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    return _page(request, lab_class)


def _page(request: AuthenticatedHttpRequest, lab_class: LabClass, form: AssignForm | None = None) -> HttpResponse:
    wanted = request.GET.get("q", "").replace("\0", "").strip()[:100]
    available = class_machines.available(lab_class)
    if wanted:
        available = available.filter(name__icontains=wanted)
    offered = list(available[: SHOWN + 1])
    rows = machine_rows(lab_class)
    more: dict[str, Any] = {
        "rows": rows,
        "may_free": any(row.outlook and not row.outlook.is_under_way for row in rows),
        "available": offered[:SHOWN],
        "has_more": len(offered) > SHOWN,
        "q": wanted,
        "form": form or AssignForm(lab_class=lab_class),
        "waiting": Membership.objects.waiting().filter(lab_class=lab_class).count(),
    }
    context = tab_context(request, lab_class, "machines", **more, **_making(request, lab_class))
    return render(request, "classes/machines.html", context, status=400 if form else 200)


def _making(request: AuthenticatedHttpRequest, lab_class: LabClass) -> dict[str, Any]:
    """What the page says about making machines, and the bars of quotas."""
    clusters = set(made_machines.templates_for(lab_class, request.user).values_list("cluster_id", flat=True))
    being_made = MadeMachine.objects.to_do().filter(run__machine_set=lab_class.machine_set_id)
    runs = ProvisioningRun.objects.filter(machine_set=lab_class.machine_set_id).select_related("template")
    return {
        "may_make": bool(clusters),
        "being_made": being_made.exclude(state=MadeMachine.State.REMOVING).count(),
        "runs": list(runs[:RUNS_SHOWN]),
        "usages": quotas.usages(clusters, lab_class.machine_set_id),
    }


def _numbers(sent: list[str]) -> set[int]:
    return {int(one) for one in sent if one.isascii() and one.isdigit() and len(one) < 12}


@require_POST
@login_required
def add(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """Add the selected machines to the class: all of them, or none."""
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    chosen = _numbers(request.POST.getlist("vm"))
    try:
        added = class_machines.add(lab_class, chosen, by=request.user)
    except class_machines.NotAvailable:
        messages.error(request, _("No machine was added: one of them is no longer available. Choose again."))
    else:
        text = ngettext("%(n)d machine was added.", "%(n)d machines were added.", added)
        messages.success(request, text % {"n": added})
    return redirect("classes-machines", pk)


@require_POST
@login_required
def assign(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """Assign one machine to one person."""
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    form = AssignForm(request.POST, lab_class=lab_class)
    if not form.is_valid():
        return _page(request, lab_class, form)
    machine, person = form.cleaned_data["vm"], form.cleaned_data["person"]
    member = Membership.objects.joined().filter(lab_class=lab_class, user=person).first()
    try:
        if member is None:
            raise class_machines.NotAvailable
        class_machines.assign(member, machine)
    except class_machines.NotPrepared:
        text = _("%(machine)s is not ready for the next person. Wait until it is, or choose below how to prepare it.")
        messages.error(request, text % {"machine": machine.display_name})
    except class_machines.NotAvailable:
        messages.error(
            request,
            _(
                "Nothing was changed: the machine is no longer available, or the person already has one. Check the "
                "page and try again."
            ),
        )
    else:
        said = {"machine": machine.display_name, "person": person.username}
        messages.success(request, _("%(machine)s is now assigned to %(person)s.") % said)
    return redirect("classes-machines", pk)


def _own_machine(lab_class: LabClass, vm: int) -> VirtualMachine:
    """The machine, if it is in this class; 404 otherwise."""
    found = ClassMachine.objects.filter(lab_class=lab_class, vm=vm).select_related("vm__cluster").first()
    if found is None:
        raise Http404
    return found.vm


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def unassign(request: AuthenticatedHttpRequest, pk: int, vm: int) -> HttpResponse:
    """GET: the release page. POST: unassign the machine, or decide about one that is kept."""
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    return _unassign(request, lab_class, [_own_machine(lab_class, vm).pk])


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def unassign_many(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """Unassigns the selected machines."""
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    ticked = _numbers(request.POST.getlist("vm") or request.GET.getlist("vm"))
    own = ClassMachine.objects.filter(lab_class=lab_class, vm__in=ticked).values_list("vm", flat=True)
    if not own:
        messages.error(request, _("No machine is selected. Select machines first."))
        return redirect("classes-machines", pk)
    return _unassign(request, lab_class, list(own))


def _unassign(request: AuthenticatedHttpRequest, lab_class: LabClass, machines: list[int]) -> HttpResponse:
    choice = ReleaseChoice(request, releasing.unreleased(lab_class).filter(vm__in=machines))
    if not choice.outlooks:
        messages.info(request, _("This machine is not assigned, or it is already being prepared."))
        return redirect("classes-machines", lab_class.pk)
    if choice.is_made:
        try:
            freed = releasing.unassign(lab_class, machines, way=choice.way, by=request.user, shown=choice.shown)
        except preparation.Changed:
            messages.warning(request, changed_message())
            return redirect(request.get_full_path())
        release_page.show_result(request, freed)
        return redirect("classes-machines", lab_class.pk)
    waiting = Membership.objects.waiting().filter(lab_class=lab_class).select_related("user").first()
    return release_page.release_page(request, lab_class, choice, "unassign", machines=machines, next=waiting)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def remove(request: AuthenticatedHttpRequest, pk: int, vm: int) -> HttpResponse:
    """GET: the release page. POST: remove the machine from the class."""
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    machine = _own_machine(lab_class, vm)
    choice = ReleaseChoice(request, releasing.unreleased(lab_class).filter(vm=machine))
    if not choice.is_made:
        return release_page.release_page(request, lab_class, choice, "drop", machine=machine)
    try:
        freed = releasing.remove_machines(lab_class, [machine.pk], way=choice.way, by=request.user, shown=choice.shown)
    except preparation.Changed:
        messages.warning(request, changed_message())
        return redirect(request.path)
    release_page.show_result(request, freed)
    if ClassMachine.objects.filter(vm=machine).exists():
        text = _("%(machine)s leaves the class when it is ready.")
    else:
        text = _("%(machine)s was removed from the class.")
    messages.success(request, text % {"machine": machine.display_name})
    return redirect("classes-machines", pk)


@require_POST
@login_required
def keep_longer(request: AuthenticatedHttpRequest, pk: int, vm: int) -> HttpResponse:
    """Keep a machine that is kept for longer."""
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    machine = _own_machine(lab_class, vm)
    if preparation.keep_longer(releasing.unreleased(lab_class).filter(vm=machine)):
        messages.success(request, _("%(machine)s will be kept longer.") % {"machine": machine.display_name})
    return redirect("classes-machines", pk)
