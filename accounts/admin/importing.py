"""Accounts from a table in the admin: a preview, then exactly that, then the first passwords once."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_variables

from accounts import importing, previews
from accounts.forms import TableForm
from accounts.importing import Options, Plan, PlanChanged
from accounts.spreadsheet import Unreadable

PURPOSE = "accounts"

Admin = admin.ModelAdmin[Any]


class ImportForm(TableForm):
    text_help = gettext_lazy(
        "Lines of username,first name,last name,email and, if you like, a group. Commas, "
        "semicolons or tabs; a heading is passed over; at most 5,000 lines. Everybody who is new gets a first "
        "password, which you see once and the person changes at the first login; at most 200 new people at a time."
    )

    update = forms.BooleanField(
        label=gettext_lazy("Change people who exist already"),
        required=False,
        help_text=gettext_lazy(
            "Otherwise they are left alone. Their passwords stay in any case, and so does what is empty here."
        ),
    )


def view(request: HttpRequest, model_admin: Admin) -> HttpResponse:
    """GET: the form. POST: the preview. POST with `shown`: do what that preview showed."""
    if not (model_admin.has_add_permission(request) and model_admin.has_change_permission(request)):
        raise PermissionDenied
    if "shown" in request.POST:
        return _apply(request, model_admin)
    form = ImportForm(request.POST, request.FILES) if request.method == "POST" else ImportForm()
    context: dict[str, Any] = {"form": form}
    if request.method == "POST" and form.is_valid():
        try:
            text = form.table
            options = _options(request, update=form.cleaned_data["update"])
            context |= _shown(request, text, options)
        except Unreadable as error:
            form.add_error(None, str(error))
    return _page(request, model_admin, context)


def _options(request: HttpRequest, *, update: bool) -> Options:
    return Options(update=update, by_superuser=bool(request.user.is_superuser))


def _shown(request: HttpRequest, text: str, options: Options) -> dict[str, Any]:
    plan = importing.plan(text, options)
    kept = {"text": text, "update": options.update, "digest": plan.digest}
    return {"plan": plan, "shown": "" if plan.is_empty else previews.seal(PURPOSE, request, kept)}


@sensitive_variables("made")
def _apply(request: HttpRequest, model_admin: Admin) -> HttpResponse:
    kept = previews.unseal(PURPOSE, request, request.POST["shown"])
    if kept is None:
        messages.error(request, _("This preview is too old. Choose the file again."))
        return redirect("admin:accounts_user_import")
    options = _options(request, update=kept["update"])
    try:
        done, made = importing.apply(kept["text"], options, expected=kept["digest"])
    except PlanChanged as error:
        messages.warning(request, str(error))
        return _page(request, model_admin, _shown(request, kept["text"], options))
    except Unreadable as error:
        messages.error(request, str(error))
        return redirect("admin:accounts_user_import")
    messages.success(request, _summary(done))
    if not made:
        return redirect("admin:accounts_user_changelist")
    return _page(request, model_admin, {"made": made, "title": _("First passwords")})


def _summary(done: Plan) -> str:
    new, updated = (len(done.of(verdict)) for verdict in (importing.Verdict.NEW, importing.Verdict.UPDATE))
    return _("%(new)s accounts created, %(updated)s changed.") % {"new": new, "updated": updated}


def _page(request: HttpRequest, model_admin: Admin, context: dict[str, Any]) -> HttpResponse:
    opts = model_admin.model._meta
    common = {**model_admin.admin_site.each_context(request), "opts": opts, "title": _("Import accounts")}
    response = render(request, "admin/accounts/user/import.html", common | context)
    response["Cache-Control"] = "private, no-store"  # names, and once passwords
    return response
