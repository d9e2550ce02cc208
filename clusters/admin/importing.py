"""The import in the admin: a preview of what would happen, then exactly that."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.forms import Upload
from clusters import importing
from clusters.config import MAX_BYTES, ClusterFileError, inspect, read_bytes
from clusters.importing import Options, Plan, PlanChanged
from clusters.models import PendingImport

# Sealed text fits every cluster of this portal, so whoever found some in a backup could send it to a host of his own.
NOT_UPLOADED = gettext_lazy(
    "Sealed passwords are not taken from an upload. Put the file on the server and import it "
    "there, here or with bin/manage import_clusters; or enter the passwords."
)


class ImportForm(forms.Form):
    upload = forms.FileField(
        label=gettext_lazy("File"),
        required=False,
        widget=Upload(most_bytes=MAX_BYTES),
        help_text=gettext_lazy("Empty: the file on the server, named above."),
    )
    restore = forms.BooleanField(label=gettext_lazy("Bring back clusters that were deleted here"), required=False)
    update = forms.BooleanField(label=gettext_lazy("Apply differences to existing clusters"), required=False)
    update_secrets = forms.BooleanField(
        label=gettext_lazy("Also where addresses, user, trust or the credential differ"), required=False
    )
    partial = forms.BooleanField(label=gettext_lazy("Import the valid entries if some are wrong"), required=False)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("update_secrets") and not data.get("update"):
            self.add_error("update_secrets", _("This goes with applying differences to existing clusters."))
        return data

    @property
    def options(self) -> Options:
        names = ("partial", "restore", "update", "update_secrets")
        return Options(**{name: self.cleaned_data[name] for name in names})


def view(request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> HttpResponse:
    """GET: the form. POST: the preview. POST with `pending`: import what the preview showed."""
    if not (model_admin.has_add_permission(request) and model_admin.has_change_permission(request)):
        raise PermissionDenied
    if request.method == "POST":
        PendingImport.forget_old()
    if "pending" in request.POST:
        return _apply(request, model_admin)
    form = ImportForm(request.POST, request.FILES) if request.method == "POST" else ImportForm()
    context: dict[str, Any] = {"form": form, "server_file": importing.find_file()}
    if request.method == "POST" and form.is_valid():
        context |= _preview(request, form)
    return _page(request, model_admin, context)


def _preview(request: HttpRequest, form: ImportForm) -> dict[str, Any]:
    upload = form.cleaned_data["upload"]
    try:
        content, source = (upload.read(MAX_BYTES + 1), upload.name) if upload else _server_file()
        file = inspect(content, source=source)
    except FileNotFoundError as error:
        form.add_error(
            "upload",
            _("There is no file %(path)s on the server. Choose one to upload.") % {"path": error.filename},
        )
        return {}
    except ClusterFileError as error:
        for problem in error.problems:
            form.add_error("upload", f"{error.source}: {problem}")
        return {}
    if upload and file.has_sealed:
        form.add_error("upload", NOT_UPLOADED)
        return {}
    plan = importing.plan(file, form.options)
    pending = None if plan.is_refused else _remember(content, plan, request)
    return {"plan": plan, "pending": pending}


def _remember(content: bytes, plan: Plan, request: HttpRequest) -> PendingImport:
    return PendingImport.objects.create(
        user_id=request.user.pk or 0,
        source=plan.source[:255],
        content=content.decode("utf-8-sig"),
        options=asdict(plan.options),
        digest=plan.digest,
    )


def _server_file() -> tuple[bytes, str]:
    path: Path = importing.find_file()
    return read_bytes(path), str(path)


def _apply(request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> HttpResponse:
    pending = PendingImport.objects.filter(pk=_number(request.POST["pending"]), user=request.user.pk).first()
    if pending is None:
        messages.error(request, _("This preview is too old. Choose the file again."))
        return redirect("admin:clusters_cluster_import")
    content, options = pending.content.reveal().encode(), Options(**pending.options)
    try:
        plan = importing.import_content(content, source=pending.source, options=options, expected=pending.digest)
    except PlanChanged as error:
        messages.warning(request, str(error))
        plan = importing.plan(inspect(content, source=pending.source), options)
        pending.delete()
        fresh = None if plan.is_refused else _remember(content, plan, request)
        return _page(request, model_admin, {"form": ImportForm(), "plan": plan, "pending": fresh})
    pending.delete()
    _tell(request, plan)
    return redirect("admin:clusters_cluster_changelist")


def _tell(request: HttpRequest, plan: Plan) -> None:
    created = len(plan.ids(importing.Verdict.NEW))
    updated = len(plan.ids(importing.Verdict.DIFFERS, written=True))
    messages.success(
        request, _("%(created)s clusters created, %(updated)s updated.") % {"created": created, "updated": updated}
    )
    for notice in plan.notices:
        messages.warning(request, notice)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else 0


def _page(request: HttpRequest, model_admin: admin.ModelAdmin[Any], context: dict[str, Any]) -> HttpResponse:
    opts = model_admin.model._meta
    common = {**model_admin.admin_site.each_context(request), "opts": opts, "title": _("Import clusters")}
    return render(request, "admin/clusters/cluster/import.html", common | context)
