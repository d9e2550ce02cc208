"""Making machines for a class out of a template: the plan, *One more*, and a machine for everybody who joins."""

from functools import partial
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.http import AuthenticatedHttpRequest, login_required
from accounts.plans.page import Facts
from accounts.spreadsheet import Unreadable
from classes import access
from classes.access import Right
from classes.enrolment import made_machines
from classes.enrolment.made_machines import Order
from classes.forms import JoiningForm, MakeMachinesForm
from classes.models import LabClass
from classes.pages.plans import ClassPlanPage
from classes.pages.tabs import tab_context
from vms.models import ProvisioningRun
from vms.provisioning import quotas
from vms.provisioning.machines_plan import MOST, MachinesPlan

Kind = ProvisioningRun.Kind


class MakingPage(ClassPlanPage[MachinesPlan]):
    """`facts` are those of an `Order`."""

    def plan(self, facts: Facts) -> MachinesPlan:
        return made_machines.plan(self.lab_class, _order(facts), by=self.asked.user)

    def apply(self, facts: Facts, expected: str) -> MachinesPlan:
        return made_machines.apply(self.lab_class, _order(facts), by=self.asked.user, expected=expected)

    def keep(self, facts: Facts, plan: MachinesPlan) -> Facts:
        return facts | {"before": plan.choices}

    def done(self, plan: MachinesPlan) -> HttpResponse:
        run = ProvisioningRun.objects.filter(machine_set=plan.group, requested_by=self.asked.user).first()
        return redirect("vms-run", run.pk) if run else super().done(plan)

    def page(self, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
        templates = made_machines.templates_for(self.lab_class, self.asked.user)
        clusters = set(templates.values_list("cluster_id", flat=True))
        usages = quotas.usages(clusters, self.lab_class.machine_set_id)
        more = {"title": self.title, "back": self.back_url, "usages": usages, "may_make": bool(clusters)} | context
        shown = tab_context(self.asked, self.lab_class, self.tab, **more)
        return render(self.request, "classes/make_machines.html", shown, status=status)


class MakeMachinesPage(MakingPage):
    purpose = "class-make-machines"
    title = gettext_lazy("Make machines")

    def __init__(self, request: AuthenticatedHttpRequest, lab_class: LabClass) -> None:
        super().__init__(request, lab_class)
        templates = made_machines.templates_for(lab_class, request.user)
        self.form_class: Any = partial(MakeMachinesForm, templates=templates)

    def facts(self, form: forms.Form) -> Facts:
        return _facts(self.lab_class, form)

    def initial(self, facts: Facts) -> Facts:
        return facts | {"for_everybody": bool(facts["people"])}


class OneMorePage(MakingPage):
    """One machine like those of the class's last run, for the first person who has none, or for nobody yet."""

    purpose = "class-one-more-machine"
    title = gettext_lazy("One more")

    def plan(self, facts: Facts) -> MachinesPlan:
        return super().plan(facts or self.wanted)

    def keep(self, facts: Facts, plan: MachinesPlan) -> Facts:
        return super().keep(facts or self.wanted, plan)

    @property
    def wanted(self) -> Facts:
        last = _last_run(self.lab_class)
        if last is None:
            raise Unreadable(_("No machine was made for this class yet. Make machines first."))
        needy = made_machines.in_need(self.lab_class)[:1]
        people = [row.user_id for row in needy]
        return {
            "template": last.template_id,
            "people": people,
            "spare": 1 - len(people),
            "networks": last.networks,
            "kind": Kind.ONE_MORE,
        }


def _order(facts: Facts) -> Order:
    return Order(
        facts["template"],
        tuple(facts["people"]),
        facts["spare"],
        facts["networks"],
        kind=facts.get("kind", Kind.MAKE),
        before=facts.get("before", ()),
    )


def _facts(lab_class: LabClass, form: forms.Form) -> Facts:
    """Raises Django's `ValidationError` for more machines, or fewer, than a plan may have."""
    entered = form.cleaned_data
    people = [row.user_id for row in made_machines.in_need(lab_class)] if entered["for_everybody"] else []
    if not people and not entered["spare"]:
        raise forms.ValidationError(_("Everybody in the class has a machine. Enter how many further machines to make."))
    if len(people) + entered["spare"] > MOST:
        raise forms.ValidationError(_("At most %(most)d machines at a time.") % {"most": MOST})
    networks = entered["networks"]
    return {"template": entered["template"].pk, "people": people, "spare": entered["spare"], "networks": networks}


def _last_run(lab_class: LabClass) -> ProvisioningRun | None:
    return ProvisioningRun.objects.filter(machine_set=lab_class.machine_set_id).exclude(kind=Kind.REIMAGE).first()


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def make(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    return MakeMachinesPage(request, access.class_or_404(request.user, pk, Right.RUN)).respond()


@require_GET
@login_required
def plan_json(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """The plan for the values of the form, given as a query. It writes nothing."""
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    form = MakeMachinesForm(request.GET, templates=made_machines.templates_for(lab_class, request.user))
    if not form.is_valid():
        return JsonResponse({"errors": form.errors}, status=400)
    try:
        plan = made_machines.plan(lab_class, _order(_facts(lab_class, form)), by=request.user)
    except (Unreadable, forms.ValidationError) as error:
        told = error.messages if isinstance(error, forms.ValidationError) else [str(error)]
        return JsonResponse({"errors": {"__all__": told}}, status=409)
    return JsonResponse(plan.as_json())


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def one_more(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    try:
        return OneMorePage(request, lab_class).respond()
    except Unreadable as error:
        messages.error(request, str(error))
        return redirect("classes-machines", pk)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def for_those_who_join(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """Whether a machine is made for everybody who joins and finds none free: out of which template, and how many."""
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    # The owner's rights are asked for when somebody joins.
    of_owner = made_machines.templates_for(lab_class, lab_class.owner).values("pk")
    templates = made_machines.templates_for(lab_class, request.user).filter(pk__in=of_owner)
    current = {
        "template": lab_class.joining_template_id,
        "limit": lab_class.joining_limit,
        "networks": lab_class.joining_networks,
    }
    form = JoiningForm(request.POST or None, templates=templates, initial=current)
    if request.method == "POST" and form.is_valid():
        made_machines.make_when_joining(lab_class, **form.cleaned_data)
        messages.success(request, _("A machine is made for everybody who joins and finds none available."))
        return redirect("classes-machines", pk)
    more = {"form": form, "is_on": bool(lab_class.joining_template_id), "may_make": templates.exists()}
    context = tab_context(request, lab_class, "machines", **more)
    return render(request, "classes/joining_machines.html", context, status=400 if form.errors else 200)


@require_POST
@login_required
def stop_for_those_who_join(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    made_machines.make_when_joining(lab_class, template=None, limit=None, networks=ProvisioningRun.Networks.TEMPLATE)
    messages.success(request, _("No machine is made any more when somebody joins."))
    return redirect("classes-machines", pk)
