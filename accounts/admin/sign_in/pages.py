"""The page *Test the connection* of a source, and what one typed person would become. Nobody is signed in."""

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from accounts.admin.sign_in.forms import ToldPersonForm, TypedPersonForm
from accounts.http import changeable_or_404
from accounts.models import SignInSource
from accounts.sign_in import preview, syntax, testing
from accounts.sign_in.facts import OutsidePerson
from accounts.sign_in.outages import SourceDown

Admin = admin.ModelAdmin[Any]


def urls(model_admin: Admin) -> list[URLPattern]:
    name = f"{model_admin.opts.app_label}_{model_admin.opts.model_name}_test"
    return [path("<int:pk>/test/", model_admin.admin_site.admin_view(partial(view, model_admin)), name=name)]


def view(model_admin: Admin, request: HttpRequest, pk: int) -> HttpResponse:
    """GET: the button, with the last result. POST: asks the source as it is stored, active or not."""
    source = changeable_or_404(model_admin, request, pk)
    form_class = TypedPersonForm if source.kind == SignInSource.Kind.DIRECTORY else ToldPersonForm
    form = form_class(request.POST or None)
    context: dict[str, Any] = {"form": form}
    if request.method == "POST" and form.is_valid():
        context["lines"] = testing.run_and_record(source, form.cleaned_data["person"])
        context |= _foreseen(source, form)
    common = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "original": source,
        "title": _("Test the connection"),
    }
    answer = render(request, "admin/accounts/sign_in/test.html", common | context)
    answer["Cache-Control"] = "private, no-store"  # what is known of a person
    return answer


def _foreseen(source: SignInSource, form: forms.Form) -> dict[str, Any]:
    typed = form.cleaned_data
    if not any(typed.values()):
        return {}
    if source.kind != SignInSource.Kind.DIRECTORY:
        return {"foreseen": preview.foresee(source, told_person(typed))}
    if not testing.can_find(source):
        return {}
    try:
        person = testing.find(source, typed["person"])
    except SourceDown:
        return {}  # the lines above say it
    return {"foreseen": preview.foresee(source, person)} if person else {"nobody": typed["person"]}


def told_person(typed: dict[str, str]) -> OutsidePerson:
    """Somebody as a source might tell of them. Addresses are taken for checked ones."""
    claims: dict[str, tuple[str, ...]] = {"email_verified": ("true",)}
    for line in syntax.lines(typed["claims"]):
        name, _equals, value = (part.strip() for part in line.partition("="))
        claims[name] = (*claims.get(name, ()), value)
    return OutsidePerson(
        subject=typed["subject"] or typed["person"] or "-",
        username=typed["person"],
        email=typed["email"],
        groups=frozenset(syntax.lines(typed["groups"])),
        claims=claims,
    )
