"""Creating a class and changing its settings."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from accounts.http import AuthenticatedHttpRequest, login_required
from classes import access, lifecycle
from classes.access import Right
from classes.enrolment import class_machines
from classes.forms import GrantsForm, LabClassForm
from classes.models import LabClass
from classes.pages.tabs import tab_context
from vms.models import ClusterGrant


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def create(request: AuthenticatedHttpRequest) -> HttpResponse:
    if not access.may_create(request.user):
        raise PermissionDenied
    form = LabClassForm(request.POST or None)
    grants_form = GrantsForm(request.POST or None, teacher=request.user)
    if request.method == "POST" and form.is_valid() and grants_form.is_valid():
        grants = grants_form.cleaned_data["grants"]
        lab_class = lifecycle.create(form.save(commit=False), owner=request.user, grants=grants)
        messages.success(request, _("The class was created. Now add machines, then invite people."))
        return redirect("classes-machines", lab_class.pk)
    may_choose = access.own_grants(request.user).exists()
    context = {"form": form, "grants_form": grants_form, "may_choose": may_choose}
    return render(request, "classes/create.html", context, status=400 if form.errors or grants_form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def settings(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    name = lab_class.name  # a form that is refused leaves its values in the object
    form = LabClassForm(request.POST or None, instance=lab_class)
    if request.method == "POST" and form.is_valid():
        lifecycle.save(form.save(commit=False), changed=form.changed_data)
        messages.success(request, _("Saved."))
        return redirect("classes-settings", pk)
    lab_class.name = name
    may_pass_on = access.may(request.user, lab_class, Right.GRANT)
    granted = ClusterGrant.objects.filter(machine_set=lab_class.machine_set_id).select_related("cluster")
    grants_form = GrantsForm(teacher=request.user, lab_class=lab_class) if may_pass_on else None
    offers = grants_form if grants_form and grants_form.offered.exists() else None
    more = {"form": form, "granted": granted, "grants_form": offers, "may_pass_on": may_pass_on}
    context = tab_context(request, lab_class, "settings", **more)
    return render(request, "classes/settings.html", context, status=400 if form.errors else 200)


@require_POST
@login_required
def pass_on_grants(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """The owner gives the class grants of their own, or takes one back (`remove`)."""
    lab_class = access.class_or_404(request.user, pk, Right.GRANT)
    if (grant := request.POST.get("remove", "")).isdecimal():
        return _take_back(request, lab_class, int(grant[:18]))
    form = GrantsForm(request.POST, teacher=request.user)
    if form.is_valid():
        class_machines.pass_on_grants(lab_class, form.cleaned_data["grants"], by=request.user)
        messages.success(request, _("The class can now use these clusters and pools."))
    else:
        messages.error(request, _("Choose at least one cluster or pool."))
    return redirect("classes-settings", pk)


def _take_back(request: AuthenticatedHttpRequest, lab_class: LabClass, grant: int) -> HttpResponse:
    try:
        if class_machines.take_back_grant(lab_class, grant):
            messages.success(request, _("The class can no longer use it."))
    except class_machines.GrantInUse as used:
        text = ngettext(
            "The class has %(n)d machine there. Remove it from the class first.",
            "The class has %(n)d machines there. Remove them from the class first.",
            used.machines,
        )
        messages.error(request, text % {"n": used.machines})
    return redirect("classes-settings", lab_class.pk)
