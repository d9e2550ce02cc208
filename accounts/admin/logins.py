"""Unlocking an account in the admin, and giving it a new first password: a question, then that."""

from typing import Any

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts import first_passwords, locked_names, signed
from accounts.http import changeable_or_404
from accounts.models import User

PURPOSE = "new-password"

Admin = admin.ModelAdmin[Any]


def unlock(request: HttpRequest, model_admin: Admin, pk: int) -> HttpResponse:
    person = _person(request, model_admin, pk)
    if request.method != "POST":
        return _page(request, model_admin, person, {"what": "unlock", "locks": locked_names.for_user(person)})
    if locked_names.unlock(person):
        model_admin.log_change(request, person, "Unlocked.")
        messages.success(request, _("%(name)s can log in again.") % {"name": person.get_username()})
    else:
        messages.info(request, _("%(name)s was not locked.") % {"name": person.get_username()})
    return redirect("admin:accounts_user_change", pk)


@sensitive_variables("password")
def new_password(request: HttpRequest, model_admin: Admin, pk: int) -> HttpResponse:
    """GET: the question. POST: the password, once: sent again, the page finds that it was given."""
    person = _person(request, model_admin, pk)
    if person == request.user:
        return redirect("password_change")
    if person.signs_in_elsewhere:
        raise Http404
    if request.method != "POST":
        kept = {"person": pk, "state": first_passwords.state(person)}
        return _page(request, model_admin, person, {"what": "ask", "shown": signed.dumps(PURPOSE, request, kept)})
    kept = signed.loads(PURPOSE, request, request.POST.get("shown", "")) or {}
    try:
        if kept.get("person") != pk:
            raise first_passwords.Changed
        password = first_passwords.give(person, seen=str(kept["state"]))
    except first_passwords.Changed:
        messages.error(request, _("This has already been done, or the page is out of date. Nothing was changed."))
        return redirect("admin:accounts_user_change", pk)
    model_admin.log_change(request, person, "A new first password was given.")
    return _page(request, model_admin, person, {"what": "given", "password": password})


def _person(request: HttpRequest, model_admin: Admin, pk: int) -> User:
    person: User = changeable_or_404(model_admin, request, pk)
    return person


def _page(request: HttpRequest, model_admin: Admin, person: User, context: dict[str, Any]) -> HttpResponse:
    title = _("Unlock %(name)s") if context["what"] == "unlock" else _("New password for %(name)s")
    common = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.model._meta,
        "person": person,
        "title": title % {"name": person.get_username()},
    }
    response = render(request, "admin/accounts/user/login.html", common | context)
    response["Cache-Control"] = "private, no-store"  # once it holds a password
    return response
