"""Every page of the admin that somebody may open, for tests that look at all of them."""

from typing import Any

from django.contrib import admin
from django.test import Client, RequestFactory
from django.urls import reverse

from accounts.models import User


def lists() -> list[str]:
    return [reverse(f"admin:{_name(model)}_changelist") for model in admin.site._registry]


def everything(person: User) -> list[str]:
    """The index, the lists, and of each model what can be added, changed, deleted and read as history."""
    request = RequestFactory().get("/")
    request.user = person
    found = ["/admin/", *lists(), "/admin/clusters/cluster/import/", "/admin/accounts/user/import/"]
    found += [f"/admin/vms/assignment/bulk/?way={way}" for way in ("table", "pattern", "share")]
    for model, pages in admin.site._registry.items():
        if pages.has_add_permission(request):
            found.append(reverse(f"admin:{_name(model)}_add"))
        row: Any = pages.get_queryset(request).first()
        if row is not None:
            found += [reverse(f"admin:{_name(model)}_{page}", args=[row.pk]) for page in ("change", "history")]
            if pages.has_delete_permission(request, row):
                found.append(reverse(f"admin:{_name(model)}_delete", args=[row.pk]))
    return found


def contents(client: Client, addresses: list[str]) -> dict[str, bytes]:
    answers = {address: client.get(address) for address in addresses}
    assert {address: answer.status_code for address, answer in answers.items() if answer.status_code != 200} == {}
    return {address: answer.content for address, answer in answers.items()}


def _name(model: Any) -> str:
    return f"{model._meta.app_label}_{model._meta.model_name}"
