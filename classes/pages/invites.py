"""The tab *Invite*. A new link and code are shown once, on the page after the form."""

from typing import Any

from django.contrib import messages
from django.core import signing
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from accounts.http import AuthenticatedHttpRequest, login_required
from classes import access
from classes.access import Right
from classes.enrolment import invites as inviting
from classes.forms import InviteForm
from classes.models import ClassMachine, Invite, LabClass, Membership
from classes.pages.tabs import tab_context

# How a browser brings a new invite from the request that made it to the page that shows it, and keeps it no longer.
COOKIE, SALT, CARRIED = "new-invite", "classes.new-invite", 120


DEFAULT_SIZE = 30  # people, of a class without machines and list


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@sensitive_variables("token", "code", "made", "carried")
def tab(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """GET: the invites and the form. POST: create an invite, which revokes older ones."""
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    form = InviteForm(request.POST or None, initial=_proposed(lab_class))
    if request.method != "POST":
        return _page(request, lab_class, form)
    if lab_class.is_over:
        messages.error(request, _("The class has ended. Reopen it to create invites."))
    elif not form.is_valid():
        return _page(request, lab_class, form)
    else:
        invite = form.save(commit=False)
        token, code = inviting.create(lab_class, invite, by=request.user)
        return _carry(request, redirect("classes-invite", pk), invite, token, code)
    return redirect("classes-invite", pk)


def _proposed(lab_class: LabClass) -> dict[str, Any]:
    """As many uses as there are machines or people on the list, and only for these where there is a list."""
    listed = Membership.objects.live().filter(lab_class=lab_class).count()
    size = max(listed, ClassMachine.objects.filter(lab_class=lab_class).count())
    return {"max_uses": size or DEFAULT_SIZE, "restricted_to_roster": bool(listed)}


@sensitive_variables("token", "code", "carried")
def _carry(
    request: AuthenticatedHttpRequest, response: HttpResponse, invite: Invite, token: str, code: str
) -> HttpResponse:
    carried = signing.dumps({"by": request.user.pk, "invite": invite.pk, "token": token, "code": code}, salt=SALT)
    response.set_cookie(
        COOKIE, carried, max_age=CARRIED, path=reverse("classes-invite", args=[invite.lab_class_id]),
        secure=request.is_secure(), httponly=True, samesite="Strict",
    )  # fmt: skip
    return response


@sensitive_variables()
def _carried(request: AuthenticatedHttpRequest, lab_class: LabClass) -> dict[str, str] | None:
    """The invite that this person created a moment ago, if it is still valid."""
    try:
        found = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=CARRIED)
    except signing.BadSignature:
        return None
    made = Invite.objects.filter(pk=found["invite"], lab_class=lab_class, revoked_at=None)
    if found["by"] != request.user.pk or not made.exists():
        return None
    link = request.build_absolute_uri(reverse("classes-join", args=[found["token"]]))
    return {"link": link, "code": found["code"]}


@sensitive_variables("made", "more", "context")
def _page(request: AuthenticatedHttpRequest, lab_class: LabClass, form: InviteForm) -> HttpResponse:
    invites = Invite.objects.filter(lab_class=lab_class).select_related("created_by")
    made = _carried(request, lab_class)
    door = request.build_absolute_uri(reverse("classes-join-code"))
    more = {"form": form, "made": made, "door": door, "invites": invites[:20], "now": timezone.now()}
    context = tab_context(request, lab_class, "invite", **more)
    response = render(request, "classes/invite.html", context, status=400 if form.errors else 200)
    if COOKIE in request.COOKIES:
        response.delete_cookie(COOKIE, path=request.path, samesite="Strict")
    return response


@require_POST
@login_required
def revoke(request: AuthenticatedHttpRequest, pk: int, invite: int) -> HttpResponse:
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    found = get_object_or_404(Invite, pk=invite, lab_class=lab_class)
    if inviting.revoke(found):
        messages.success(request, _("The invite was revoked."))
    return redirect("classes-invite", pk)
