"""My classes, one of them, and what it is."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.http import AuthenticatedHttpRequest, login_required
from accounts.models import User
from classes import access, releasing, running
from classes.access import Right
from classes.enrolment import waiting_list
from classes.forms import GrantsForm, LabClassForm
from classes.models import LabClass, Membership
from vms.access.lookups import operable_among, unfit_managers
from vms.access.lookups import visible_to as machines_visible_to
from vms.models import Assignment, ClusterGrant, HelpRequest
from vms.pages import cards


def tabs(request: AuthenticatedHttpRequest, lab_class: LabClass, tab: str, **more: Any) -> dict[str, Any]:
    """What every page of a teacher says."""
    decides = access.may(request.user, lab_class, Right.PEOPLE)
    undecided = releasing.undecided(lab_class).count()
    return {"lab_class": lab_class, "tab": tab, "decides": decides, "undecided": undecided, **more}


@require_GET
@login_required
def class_list(request: AuthenticatedHttpRequest) -> HttpResponse:
    user = request.user
    context = _listed(user, LabClass.objects.filter(ended_at=None))
    ended = access.visible_to(user).exclude(ended_at=None).count()
    unfit = unfit_managers().select_related("machineset__lab_class") if access.is_administrator(user) else ()
    more = {"ended": ended, "unfit": unfit, "may_create": access.may_create(user)}
    return render(request, "classes/list.html", context | more)


@require_GET
@login_required
def archive(request: AuthenticatedHttpRequest) -> HttpResponse:
    """Classes that have ended, with their people and lessons."""
    return render(request, "classes/archive.html", _listed(request.user, LabClass.objects.ended()))


def _listed(user: User, classes: QuerySet[LabClass]) -> dict[str, Any]:
    taught = classes & LabClass.objects.taught_by(user)
    taken = classes & LabClass.objects.joined_by(user)
    others = classes.exclude(pk__in=taught.values("pk")) if access.is_administrator(user) else classes.none()
    return {
        "taught": taught.select_related("owner"),
        "taken": taken.select_related("owner"),
        "others": others.select_related("owner"),
    }


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def create(request: AuthenticatedHttpRequest) -> HttpResponse:
    if not access.may_create(request.user):
        raise PermissionDenied
    form = LabClassForm(request.POST or None)
    places_form = GrantsForm(request.POST or None, teacher=request.user)
    if request.method == "POST" and form.is_valid() and places_form.is_valid():
        grants = places_form.cleaned_data["grants"]
        lab_class = running.create(form.save(commit=False), owner=request.user, grants=grants)
        messages.success(request, _("The class was created. Now add machines, then invite people."))
        return redirect("classes-machines", lab_class.pk)
    may_choose = access.own_grants(request.user).exists()
    context = {"form": form, "places": places_form, "may_choose": may_choose}
    return render(request, "classes/create.html", context, status=400 if form.errors or places_form.errors else 200)


@require_GET
@login_required
def page(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """What everybody in the class sees: the lesson, and the machine that one has in it."""
    lab_class = access.find(request.user, pk, Right.SEE)
    mine = Assignment.objects.live().filter(user=request.user, vm__class_machine__lab_class=lab_class).values("vm")
    shown = (
        machines_visible_to(request.user).filter(pk__in=mine).annotate(is_helped=HelpRequest.available_to(request.user))
    )
    machines = list(shown.select_related("cluster__health", "cluster__sync"))
    operable = operable_among(request.user, machines)
    member = Membership.objects.joined().filter(lab_class=lab_class, user=request.user).first()
    waits = bool(member and member.waiting_since and not machines)
    context = {
        "lab_class": lab_class,
        "groups": cards.groups(machines, operable=operable, for_staff=request.user.is_staff),
        "member": member,
        "waits": waits,
        "before": waiting_list.before(member) if member and waits else 0,
        "runs": access.may(request.user, lab_class, Right.RUN),
        "origin": "all",
    }
    return render(request, "classes/page.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def settings(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    lab_class = access.find(request.user, pk, Right.RUN)
    name = lab_class.name  # a form that is refused leaves its values in the object
    form = LabClassForm(request.POST or None, instance=lab_class)
    if request.method == "POST" and form.is_valid():
        running.save(form.save(commit=False), changed=form.changed_data)
        messages.success(request, _("Saved."))
        return redirect("classes-settings", pk)
    lab_class.name = name
    hands_on = access.may(request.user, lab_class, Right.HAND_ON)
    granted = ClusterGrant.objects.filter(machine_set=lab_class.machine_set_id).select_related("cluster")
    places_form = GrantsForm(teacher=request.user, lab_class=lab_class) if hands_on else None
    offers = places_form if places_form and places_form.offered.exists() else None
    more = {"form": form, "granted": granted, "places": offers}
    context = tabs(request, lab_class, "settings", **more)
    return render(request, "classes/settings.html", context, status=400 if form.errors else 200)


@require_POST
@login_required
def places(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """The owner hands on grants of his own."""
    lab_class = access.find(request.user, pk, Right.HAND_ON)
    form = GrantsForm(request.POST, teacher=request.user)
    if form.is_valid():
        running.hand_on(lab_class, form.cleaned_data["grants"], by=request.user)
        messages.success(request, _("The class can now use these clusters and pools."))
    else:
        messages.error(request, _("Choose at least one cluster or pool."))
    return redirect("classes-settings", pk)
