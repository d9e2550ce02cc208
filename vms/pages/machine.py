"""The page of one machine, its note, and the file that opens its desktop."""

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRedirect

from accounts.http import AuthenticatedHttpRequest, login_required
from accounts.models import User
from clusters import gateway, proxmox
from vms import inventory, registry
from vms.access import lookups, restore_points
from vms.inventory import identity
from vms.models import VirtualMachine
from vms.pages import group_links, machine_detail, machine_sections, remote_desktop
from vms.provisioning import passwords, reimaging, replacing
from vms.sentences import say

IDENTITY_TIMEOUT = 3.0  # seconds


class NoteForm(forms.ModelForm[VirtualMachine]):
    class Meta:
        model = VirtualMachine
        fields = ("note", "guest_login")
        labels = {"note": gettext_lazy("Note"), "guest_login": gettext_lazy("Login on the machine")}
        widgets = {"note": forms.Textarea(attrs={"rows": 4})}


@require_GET
@login_required
def machine(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """The whole page; to htmx only the part that changes, or 204 when nothing changed."""
    try:
        found = lookups.visible_or_404(request.user, pk)
    except Http404:
        if present := _in_its_place(request.user, pk):
            url = reverse("vms-machine", args=[present])
            return HttpResponseClientRedirect(url) if request.htmx else redirect(url)
        raise
    inventory.look_again([found])
    return _page(request, found)


def _in_its_place(user: User, pk: int) -> int | None:
    """The primary key of the machine that took the place of this one, if the person may see it."""
    present = replacing.successor(pk)
    return present if present and lookups.visible_to(user).filter(pk=present).exists() else None


def _page(request: AuthenticatedHttpRequest, found: VirtualMachine, form: NoteForm | None = None) -> HttpResponse:
    history = machine_detail.history_page(found, request.GET.get("page"), person=request.user)
    detail = machine_detail.for_person(found, request.user, history=history)
    if request.htmx and request.GET.get("seen") == detail.fingerprint:
        return HttpResponse(status=204)
    context = {
        "machine": found,
        "detail": detail,
        "card": detail.card,
        "page": history,
        "origin": "machine",
        "save_point": restore_points.NAME,
        "busy": detail.card.busy,
        "running": int(detail.card.tone == "running"),
        "poll": f"{request.path}?page={history.number}&seen={detail.fingerprint}",
        "form": form or (NoteForm(instance=found) if detail.manages else None),
        "may_ask_for_help": bool(detail.help and not detail.help.asked_at),
        "offers_spice": settings.SPICE_FILES and found.has_spice,
        "group_links": _group_links(found, request) if detail.manages and not request.htmx else [],
        "made_row": reimaging.made_row(found.pk) if detail.manages and not request.htmx else None,
        "made_login": None if request.htmx else passwords.shown_to(request.user, found),
        "sections": [] if request.htmx else machine_sections.sections(found, request.user),
        "may_explain": lookups.sees_all(request.user),
    }
    template = "vms/_machine_detail.html" if request.htmx else "vms/machine.html"
    return render(request, template, context, status=400 if form else 200)


def _group_links(found: VirtualMachine, request: AuthenticatedHttpRequest) -> list[tuple[str, str]]:
    """Title and URL of each group of the machine that the person manages: the way back to the class."""
    groups = lookups.groups_for(request.user).filter(machines=found).order_by("name")
    return [(group.title, group_links.url_for(group, request.user)) for group in groups]


@require_POST
@login_required
def note(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """Save the note and the guest login. 404 for everybody but managers of the machine."""
    found = lookups.visible_or_404(request.user, pk)
    if not VirtualMachine.objects.managed_by(request.user).filter(pk=pk).exists():
        raise Http404
    form = NoteForm(request.POST, instance=VirtualMachine(pk=found.pk))
    if not form.is_valid():
        return _page(request, found, form)
    if found.describe(note=form.cleaned_data["note"], guest_login=form.cleaned_data["guest_login"]):
        messages.success(request, _("Saved."))
    return redirect("vms-machine", pk)


def _is_still_this(machine: VirtualMachine) -> bool:
    """Whether the VMID is still this machine's. True while the cluster cannot tell: its address may still work."""
    if not remote_desktop.address_of(machine):
        return True
    try:
        with gateway.read(registry.get(machine.cluster_id), deadline=IDENTITY_TIMEOUT) as pve:
            return identity.confirm(pve, machine)
    except (proxmox.ProxmoxError, registry.UnknownCluster):
        return True


@require_GET
@login_required
def rdp(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """An RDP file for the machine's desktop, or a page that says why there is none.

    For an address of IPv6 a page with the command: RDP files cannot hold one.
    """
    found = lookups.visible_or_404(request.user, pk)
    address = remote_desktop.address_of(found)
    why = "" if _is_still_this(found) else say("another-machine")
    if why or not address:
        return render(request, "vms/no_address.html", {"machine": found, "why": why}, status=409)
    if ":" in address:
        return render(request, "vms/rdp_by_command.html", {"machine": found, "address": address})
    return HttpResponse(
        remote_desktop.rdp_file(address),
        content_type="application/x-rdp",
        headers={"Content-Disposition": f'attachment; filename="{remote_desktop.file_name(found)}"'},
    )
