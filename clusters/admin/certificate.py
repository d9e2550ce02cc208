"""The page of a cluster's certificate in the admin: fetch it, and decide whether to trust it.

Looking sends nothing but a handshake of TLS. Deciding pins exactly what was shown, and asks for the stored credential
again: from then on it is sent to whoever has this certificate.
"""

from functools import partial
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.core import signing
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from accounts import stored_messages
from accounts.form_fields import SecretInput
from accounts.http import changeable_or_404
from clusters import certificate_warnings, proxmox
from clusters.config import pins
from clusters.forms import STORED_AS, HostField, take_port
from clusters.models import SECRETS, Cluster

SALT = "clusters.admin.certificate"
KEPT = 15 * 60  # seconds in which a person decides
NOT_REPLACED = "none"

Admin = admin.ModelAdmin[Cluster]


# What of a new cluster's form goes to the look and back again. No secret.
class TypedForm(forms.ModelForm[Cluster]):
    class Meta:
        model = Cluster
        fields = ("cluster_id", "name", "host", "port", "user")
        field_classes = {"host": HostField}

    def clean(self) -> dict[str, Any]:
        take_port(self)
        return self.cleaned_data


class ReplacesForm(forms.Form):
    """Asks which of several pinned fingerprints the new one replaces: only a person knows."""

    replaces = forms.ChoiceField(label=gettext_lazy("It replaces"), widget=forms.RadioSelect)

    def __init__(self, pinned: tuple[str, ...], data: Any = None) -> None:
        super().__init__(data)
        none = (NOT_REPLACED, _("none of them: the certificate is from another node"))
        self.fields["replaces"].choices = [*zip(pinned, pinned, strict=True), none]  # type: ignore[attr-defined]


def urls(model_admin: Admin) -> list[URLPattern]:
    wrap = model_admin.admin_site.admin_view
    look, decide = wrap(require_POST(partial(fetch, model_admin))), wrap(require_POST(partial(accept, model_admin)))
    return [
        path("add/certificate/", look, name="clusters_cluster_certificate_new"),
        path("<int:pk>/certificate/", look, name="clusters_cluster_certificate"),
        path("<int:pk>/certificate/accept/", decide, name="clusters_cluster_accept"),
    ]


def fetch(model_admin: Admin, request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """Show the certificate at the host and port that stand in the form."""
    stored = None
    if pk is None:
        _check_adding(model_admin, request)
    else:
        stored = _stored(model_admin, request, pk)
    typed = TypedForm(request.POST)
    problems = [f"{typed[name].label}: {error}" for name in ("host", "port") for error in typed.errors.get(name, [])]
    if problems:
        return _render(model_admin, request, stored, {"problem": " ".join(problems)})
    return _page(model_admin, request, stored, typed.cleaned_data)


def accept(model_admin: Admin, request: HttpRequest, pk: int) -> HttpResponse:
    """Pin what was shown, if it is still there and the credential was entered."""
    stored = _stored(model_admin, request, pk)
    target = {"host": stored.host, "port": stored.port}
    shown = _shown(request.POST.get("shown", ""))
    if shown is None or {**shown, "pk": pk, **target} != shown:
        note = _("The page was out of date, or the cluster was changed in the meantime. Check it again.")
        return _page(model_admin, request, stored, target, note=note)
    try:
        there = proxmox.fetch_certificate(stored.host, stored.port)
    except proxmox.ProxmoxError as error:
        return _render(model_admin, request, stored, {"problem": stored_messages.render(error.plain)})
    if there.fingerprint != shown["fingerprint"]:
        note = _(
            "The node now shows a different certificate from the one that you accepted. Nothing was saved. "
            "Check it again."
        )
        return _page(model_admin, request, stored, target, note=note, there=there)
    return _pin(model_admin, request, pk, there, seen=shown["seen"])


def _check_adding(model_admin: Admin, request: HttpRequest) -> None:
    if not model_admin.has_add_permission(request):
        raise PermissionDenied


def _stored(model_admin: Admin, request: HttpRequest, pk: int) -> Cluster:
    stored: Cluster = changeable_or_404(model_admin, request, pk)
    return stored


def _shown(token: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = signing.loads(token, salt=SALT, max_age=KEPT)
    except signing.BadSignature:
        return None
    return found


def _pin(model_admin: Admin, request: HttpRequest, pk: int, there: proxmox.Certificate, *, seen: str) -> HttpResponse:
    with transaction.atomic():
        stored = model_admin.get_object(request, str(pk))
        if stored is None:
            raise Http404
        pinned = _pinned(stored)
        choice = ReplacesForm(pinned, request.POST) if len(pinned) > 1 else None
        chosen = choice.cleaned_data["replaces"] if choice and choice.is_valid() else ""
        form = _form(model_admin, request, stored, there, kept=_kept(pinned, chosen), seen=seen)
        if form.is_valid() and (choice is None or chosen):
            before = ", ".join(pinned) or "none"
            obj = form.save(commit=False)
            model_admin.save_model(request, obj, form, change=True)
            model_admin.log_change(request, obj, f"Accepted a certificate. Pinned was {before}; now {obj.fingerprint}.")
            messages.success(
                request, _("The certificate of %(name)s is pinned. Its machines are synced now.") % {"name": obj.name}
            )
            return redirect("admin:clusters_cluster_change", pk)
    # What was filled in is not in the row, and the one at hand has it.
    stored = _stored(model_admin, request, pk)
    target = {"host": stored.host, "port": stored.port}
    return _page(model_admin, request, stored, target, there=there, form=form, choice=choice)


def _kept(pinned: tuple[str, ...], chosen: str) -> tuple[str, ...]:
    """The fingerprints that stay pinned besides the new one."""
    return tuple(pin for pin in pinned if pin != chosen) if len(pinned) > 1 else ()


def _form(
    model_admin: Admin,
    request: HttpRequest,
    stored: Cluster,
    there: proxmox.Certificate,
    *,
    kept: tuple[str, ...],
    seen: str,
) -> Any:
    """The cluster's own form, filled in with what is stored, the new fingerprint and the entered secrets."""
    kind = model_admin.get_form(request, stored, change=True)
    data = {field.name: field.value() for field in kind(instance=stored)}
    secrets = {name: request.POST.get(name, "") for name in STORED_AS if not name.startswith("remove_")}
    fingerprint = ", ".join((*kept, there.fingerprint))
    return kind(data | secrets | {"fingerprint": fingerprint, "seen": seen}, instance=stored)


def _boxes(form: Any, stored: Cluster) -> list[Any]:
    """The boxes of those stored secrets that will be sent: no password where there is a token."""
    unused = {"password"} if stored.token_secret else set()
    sent = [name for name in SECRETS if getattr(stored, name) and name not in unused]
    boxes = [name for name, columns in STORED_AS.items() if {*columns} & {*sent}]
    return [form[name] for name in boxes if name in form.fields and isinstance(form.fields[name].widget, SecretInput)]


def _pinned(stored: Cluster | None) -> tuple[str, ...]:
    try:
        return pins(stored.fingerprint) if stored and stored.fingerprint else ()
    except ValidationError:
        return ()


def _page(
    model_admin: Admin,
    request: HttpRequest,
    stored: Cluster | None,
    typed: dict[str, Any],
    *,
    note: str = "",
    there: proxmox.Certificate | None = None,
    form: Any = None,
    choice: ReplacesForm | None = None,
) -> HttpResponse:
    host, port = typed["host"], typed["port"]
    try:
        there = there or proxmox.fetch_certificate(host, port)
    except proxmox.ProxmoxError as error:
        return _render(model_admin, request, stored, {"problem": stored_messages.render(error.plain), "note": note})
    pinned = _pinned(stored)
    context = {
        "certificate": there,
        "address": f"{host}:{port}",
        "warnings": certificate_warnings.warnings_about(there, host, now=timezone.now()),
        "pinned": pinned,
        "is_pinned": there.fingerprint in pinned,
        "note": note,
    }
    if stored is None:
        return _render(model_admin, request, stored, context | {"back": _back(typed, there)})
    if (host, port) != (stored.host, stored.port):
        return _render(model_admin, request, stored, context | {"elsewhere": True})
    unbound = model_admin.get_form(request, stored, change=True)(instance=stored)
    context |= {"form": form, "boxes": _boxes(form or unbound, stored)}
    context["choice"] = choice or (ReplacesForm(pinned) if len(pinned) > 1 else None)
    shown = {"pk": stored.pk, "host": host, "port": port, "fingerprint": there.fingerprint}
    context["shown"] = signing.dumps({**shown, "seen": unbound.initial["seen"]}, salt=SALT)
    return _render(model_admin, request, stored, context)


def _back(typed: dict[str, Any], there: proxmox.Certificate) -> str:
    """The page for a new cluster, filled in with all that is no secret."""
    query = {name: value for name, value in typed.items() if value not in ("", None)}
    return f"{reverse('admin:clusters_cluster_add')}?{urlencode(query | {'fingerprint': there.fingerprint})}"


def _render(model_admin: Admin, request: HttpRequest, stored: Cluster | None, context: dict[str, Any]) -> HttpResponse:
    common = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.model._meta,
        "title": _("Certificate of %(name)s") % {"name": stored.name} if stored else _("Certificate of a new cluster"),
        "cluster": stored,
    }
    return render(request, "admin/clusters/cluster/certificate.html", common | context)
