"""Who runs a class. Co-owners may look; the owner decides."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.models import User
from classes import access, running
from classes.access import Right
from classes.forms import PersonForm
from classes.models import LabClass
from classes.views.pages import tabs
from vms.views import PersonRequest, login_needed


@require_http_methods(["GET", "HEAD", "POST"])
@login_needed
def tab(request: PersonRequest, pk: int) -> HttpResponse:
    """GET: who runs it. POST: one more."""
    lab_class = access.find(request.user, pk, Right.PEOPLE if request.method == "POST" else Right.RUN)
    form = PersonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        person = form.cleaned_data["username"]
        if running.add_co_owner(lab_class, person):
            messages.success(request, _("%(person)s runs the class with you now.") % {"person": person.username})
        else:
            messages.info(request, _("%(person)s runs the class already.") % {"person": person.username})
        return redirect("classes-teachers", pk)
    context = tabs(request, lab_class, "co-owners", form=form, co_owners=lab_class.co_owners.order_by("username"))
    return render(request, "classes/teachers.html", context, status=400 if form.errors else 200)


def _co_owner(lab_class: LabClass, pk: int) -> User:
    return get_object_or_404(lab_class.co_owners, pk=pk)


def _confirm(request: PersonRequest, lab_class: LabClass, **more: Any) -> HttpResponse:
    return render(request, "classes/confirm_teacher.html", tabs(request, lab_class, "co-owners", **more))


@require_http_methods(["GET", "HEAD", "POST"])
@login_needed
def remove(request: PersonRequest, pk: int, person: int) -> HttpResponse:
    lab_class = access.find(request.user, pk, Right.PEOPLE)
    found = _co_owner(lab_class, person)
    if request.method != "POST":
        return _confirm(request, lab_class, person=found, what="remove")
    running.remove_co_owner(lab_class, found)
    messages.success(request, _("%(person)s does not run the class any more.") % {"person": found.username})
    return redirect("classes-teachers", pk)


@require_http_methods(["GET", "HEAD", "POST"])
@login_needed
def transfer(request: PersonRequest, pk: int, person: int) -> HttpResponse:
    """The owner becomes a co-owner."""
    lab_class = access.find(request.user, pk, Right.PEOPLE)
    found = _co_owner(lab_class, person)
    if request.method != "POST":
        return _confirm(request, lab_class, person=found, what="transfer")
    try:
        running.transfer(lab_class, found)
    except running.Taken:
        messages.error(request, _("Nothing was changed: this person is not a co-owner any more."))
    else:
        messages.success(request, _("The class belongs to %(person)s now.") % {"person": found.username})
    return redirect("classes-teachers", pk)
