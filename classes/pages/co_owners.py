"""The tab *Teachers*. Co-owners may look; the owner adds and removes, after a page that shows the person."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts import signed
from accounts.http import AuthenticatedHttpRequest, login_required
from accounts.models import User
from classes import access, co_owners
from classes.access import Right
from classes.enrolment import class_machines
from classes.forms import PersonForm
from classes.models import LabClass
from classes.pages.tabs import tab_context

PURPOSE = "class-teacher"


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def tab(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """GET: owner and co-owners. POST: show the person to add. POST with `shown`: add that person."""
    lab_class = access.class_or_404(request.user, pk, Right.OWN if request.method == "POST" else Right.RUN)
    if "shown" in request.POST:
        return _add(request, lab_class)
    form = PersonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        person = form.cleaned_data["username"]
        if refusal := access.co_owner_refusal(person, lab_class, by=request.user):
            form.add_error("username", refusal)
        else:
            return _ask(request, lab_class, person)
    context = tab_context(
        request, lab_class, "co-owners", form=form, co_owners=lab_class.co_owners.order_by("username")
    )
    return render(request, "classes/co_owners.html", context, status=400 if form.errors else 200)


def _ask(request: AuthenticatedHttpRequest, lab_class: LabClass, person: User, *, status: int = 200) -> HttpResponse:
    shown = signed.dumps(PURPOSE, request, {"class": lab_class.pk, "person": person.pk})
    return _confirm(request, lab_class, person, "add", shown=shown, status=status)


def _add(request: AuthenticatedHttpRequest, lab_class: LabClass) -> HttpResponse:
    kept = signed.loads(PURPOSE, request, request.POST["shown"])
    person = User.objects.filter(pk=kept["person"], is_active=True).first() if kept else None
    if kept is None or person is None or kept["class"] != lab_class.pk:
        messages.error(request, _("This page is too old, or not yours. Start again."))
        return redirect("classes-teachers", lab_class.pk)
    if _lacks_tick(request, lab_class, person):
        return _ask(request, lab_class, person, status=400)
    try:
        new = co_owners.add(lab_class, person, by=request.user)
    except co_owners.NotAllowed as refusal:
        messages.error(request, str(refusal))
        return redirect("classes-teachers", lab_class.pk)
    if new:
        messages.success(request, _("%(person)s is now a co-owner.") % {"person": person.username})
    else:
        messages.info(request, _("%(person)s already runs the class.") % {"person": person.username})
    return redirect("classes-teachers", lab_class.pk)


def _co_owner(lab_class: LabClass, pk: int) -> User:
    return get_object_or_404(lab_class.co_owners, pk=pk)


def _lacks_tick(request: AuthenticatedHttpRequest, lab_class: LabClass, person: User) -> bool:
    """Whether the tick is missing by which an administrator lets a student of the class run it."""
    return access.is_student(person, lab_class) and request.POST.get("sure") != "yes"


def _confirm(
    request: AuthenticatedHttpRequest, lab_class: LabClass, person: User, what: str, *, status: int = 200, **more: Any
) -> HttpResponse:
    about = {"person": person, "what": what, "is_student": access.is_student(person, lab_class)}
    context = tab_context(request, lab_class, "co-owners", **about, unticked=status == 400, **more)
    return render(request, "classes/confirm_co_owner.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def remove(request: AuthenticatedHttpRequest, pk: int, person: int) -> HttpResponse:
    lab_class = access.class_or_404(request.user, pk, Right.OWN)
    found = _co_owner(lab_class, person)
    if request.method != "POST":
        return _confirm(request, lab_class, found, "remove")
    co_owners.remove(lab_class, found)
    messages.success(request, _("%(person)s is no longer a co-owner.") % {"person": found.username})
    return redirect("classes-teachers", pk)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def transfer(request: AuthenticatedHttpRequest, pk: int, person: int) -> HttpResponse:
    """The owner becomes a co-owner."""
    lab_class = access.class_or_404(request.user, pk, Right.OWN)
    found = _co_owner(lab_class, person)
    if refusal := access.co_owner_refusal(found, lab_class, by=request.user):
        messages.error(request, refusal)
        return redirect("classes-teachers", pk)
    if request.method != "POST":
        return _confirm(request, lab_class, found, "transfer")
    if _lacks_tick(request, lab_class, found):
        return _confirm(request, lab_class, found, "transfer", status=400)
    try:
        co_owners.transfer(lab_class, found, by=request.user)
    except class_machines.NotAvailable:
        messages.error(request, _("Nothing was changed: this person is no longer a co-owner."))
    except co_owners.NotAllowed as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, _("%(person)s is now the owner of the class.") % {"person": found.username})
    return redirect("classes-teachers", pk)
