"""The ways into a class. What a link and a code are is shown once, when they are made."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from classes import access, inviting
from classes.access import Right
from classes.forms import InviteForm
from classes.models import ClassMachine, Invite, LabClass
from classes.views.pages import tabs
from vms.views import PersonRequest, login_needed


@require_http_methods(["GET", "HEAD", "POST"])
@login_needed
@sensitive_variables("token", "code", "made")
def tab(request: PersonRequest, pk: int) -> HttpResponse:
    """GET: the invites and the form. POST: a new one; older ones of the class end with it."""
    lab_class = access.find(request.user, pk, Right.RUN)
    size = ClassMachine.objects.filter(lab_class=lab_class).count()
    form = InviteForm(request.POST or None, initial={"max_uses": size or 30})
    if request.method == "POST" and form.is_valid():
        token, code = inviting.renew(lab_class, form.save(commit=False), by=request.user)
        link = request.build_absolute_uri(reverse("classes-join", args=[token]))
        return _page(request, lab_class, InviteForm(initial={"max_uses": size or 30}), {"link": link, "code": code})
    return _page(request, lab_class, form, None)


@sensitive_variables("made")
def _page(request: PersonRequest, lab_class: LabClass, form: InviteForm, made: dict[str, str] | None) -> HttpResponse:
    invites = Invite.objects.filter(lab_class=lab_class).select_related("created_by")
    more = {"form": form, "made": made, "invites": invites[:20], "now": timezone.now()}
    context = tabs(request, lab_class, "invite", **more)
    return render(request, "classes/invite.html", context, status=400 if form.errors else 200)


@require_POST
@login_needed
def revoke(request: PersonRequest, pk: int, invite: int) -> HttpResponse:
    lab_class = access.find(request.user, pk, Right.RUN)
    found = get_object_or_404(Invite, pk=invite, lab_class=lab_class)
    if inviting.revoke(found):
        messages.success(request, _("This invite opens nothing any more."))
    return redirect("classes-invite", pk)
