"""The page of a student's login, for teachers: unlocks it, and sets a new first password."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import first_passwords, locked_names, signed
from accounts.http import AuthenticatedHttpRequest, login_required
from accounts.models import User
from classes import access
from classes.access import Right
from classes.enrolment import student_accounts
from classes.models import LabClass, Membership
from classes.pages.tabs import tab_context

PURPOSE = "class-new-password"


@require_GET
@login_required
def page(request: AuthenticatedHttpRequest, pk: int, member: int) -> HttpResponse:
    """The teacher's actions on the login of this person. Without any, the page does not tell its state."""
    lab_class, row = _found(request, pk, member)
    held = [] if student_accounts.refusal(row.user, by=request.user) else locked_names.for_user(row.user)
    return _page(request, lab_class, row, "state", locks=held)


@require_POST
@login_required
def unlock(request: AuthenticatedHttpRequest, pk: int, member: int) -> HttpResponse:
    _lab_class, row = _found(request, pk, member)
    said = {"person": row.user.get_username()}
    if refusal := student_accounts.refusal(row.user, by=request.user):
        messages.error(request, refusal)
    elif locked_names.unlock(row.user):
        messages.success(request, _("%(person)s can log in again.") % said)
    else:
        messages.info(request, _("%(person)s was not locked.") % said)
    return redirect("classes-login", pk, member)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@sensitive_variables("password")
def new_password(request: AuthenticatedHttpRequest, pk: int, member: int) -> HttpResponse:
    """GET: the question. POST: the password, once: sent again, the page finds that it was given."""
    lab_class, row = _found(request, pk, member)
    if refusal := student_accounts.refusal(row.user, by=request.user):
        messages.error(request, refusal)
        return redirect("classes-login", pk, member)
    if request.method != "POST":
        kept = {"person": row.user_id, "state": first_passwords.state(row.user)}
        return _page(request, lab_class, row, "ask", shown=signed.dumps(PURPOSE, request, kept))
    password = _given(request, row.user)
    if not password:
        messages.error(request, _("This has already been done, or the page is out of date. Nothing was changed."))
        return redirect("classes-login", pk, member)
    return _page(request, lab_class, row, "given", password=password)


def _given(request: AuthenticatedHttpRequest, person: User) -> str:
    """Empty when another password was given meanwhile."""
    kept = signed.loads(PURPOSE, request, request.POST.get("shown", "")) or {}
    if kept.get("person") != person.pk:
        return ""
    try:
        return first_passwords.give(person, seen=kept["state"])
    except first_passwords.Changed:
        return ""


def _found(request: AuthenticatedHttpRequest, pk: int, member: int) -> tuple[LabClass, Membership]:
    lab_class = access.class_or_404(request.user, pk, Right.RUN)
    live = Membership.objects.live().filter(lab_class=lab_class).select_related("user")
    return lab_class, get_object_or_404(live, pk=member)


def _page(
    request: AuthenticatedHttpRequest, lab_class: LabClass, row: Membership, what: str, **more: Any
) -> HttpResponse:
    about = {
        "member": row,
        "person": row.user,
        "what": what,
        "refusal": student_accounts.refusal(row.user, by=request.user),
    }
    response = render(
        request, "classes/student_account.html", tab_context(request, lab_class, "people", **about, **more)
    )
    response["Cache-Control"] = "private, no-store"  # once it holds a password
    return response
