"""Saving, reverting to and deleting snapshots: each on a page that says what is lost."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from accounts.http import AuthenticatedHttpRequest, login_required
from accounts.printable import validate_printable_line
from vms import operations
from vms.access import lookups, restore_points, rules
from vms.access.context import context_for
from vms.models import Operation, Snapshot, VirtualMachine
from vms.operations.requesting import MAX_DESCRIPTION, incomplete_snapshot

Action = Operation.Action


class SnapshotForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=40,
        help_text=gettext_lazy("Letters, digits, hyphens and underscores, beginning with a letter."),
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}),
    )
    description = forms.CharField(
        label=gettext_lazy("Description"),
        max_length=MAX_DESCRIPTION,
        required=False,
        validators=[validate_printable_line],
    )


@require_http_methods(["GET", "POST"])
@login_required
def restore_point(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """Save the assignee's restore point. Replacing one needs a confirmation."""
    machine = lookups.operable_or_404(request.user, pk)
    rows = list(machine.snapshots.all())
    there, free = restore_points.complete(rows), restore_points.free_name(rows)
    old = there[-1] if there else None
    if old is None and request.method == "POST":
        return _ask(request, machine, Action.SNAPSHOT, snapshot=free or restore_points.NAME)
    if old and _is_confirmed(request):
        return _replace(request, machine, there, free)
    return _confirm(request, machine, Action.SNAPSHOT, snapshot=old, name=old.name if old else restore_points.NAME)


def _replace(
    request: AuthenticatedHttpRequest, machine: VirtualMachine, there: list[Snapshot], free: str
) -> HttpResponse:
    """Save the new restore point, then delete the old one. A second one, left by a failure, is deleted first.

    The person can choose to delete first where the storage has room for one only.
    """
    oldest = there[0].name
    if len(there) > 1 or request.POST.get("first") == "yes":
        return _ask(request, machine, Action.DELETE_SNAPSHOT, snapshot=oldest, then=Action.SNAPSHOT)
    if not free:
        messages.error(request, _("An incomplete restore point is in the way. Delete the old one first, with the box."))
        return redirect("vms-save-point", machine.pk)
    return _ask(request, machine, Action.SNAPSHOT, snapshot=free, then=Action.DELETE_SNAPSHOT)


@require_http_methods(["GET", "POST"])
@login_required
def revert(request: AuthenticatedHttpRequest, pk: int, name: str) -> HttpResponse:
    """Needs a ticked box: everything since the snapshot is lost."""
    return _about(request, pk, name, Action.ROLLBACK)


@require_http_methods(["GET", "POST"])
@login_required
def delete(request: AuthenticatedHttpRequest, pk: int, name: str) -> HttpResponse:
    return _about(request, pk, name, Action.DELETE_SNAPSHOT)


@require_http_methods(["GET", "POST"])
@login_required
def create(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """Save a snapshot with any name. 404 for everybody but managers of the machine."""
    machine = lookups.operable_or_404(request.user, pk)
    if not VirtualMachine.objects.managed_by(request.user).filter(pk=pk).exists():
        raise Http404
    form = SnapshotForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            words = form.cleaned_data
            if machine.snapshots.filter(name=words["name"]).exists():
                raise operations.Refused(_("A snapshot with this name already exists. Choose another name."))
            operations.request(
                machine, Action.SNAPSHOT, by=request.user, snapshot=words["name"], description=words["description"]
            )
            return redirect("vms-machine", pk)
        except operations.Refused as refusal:
            form.add_error(None, str(refusal))
    return render(request, "vms/snapshot.html", {"machine": machine, "form": form}, status=400 if form.errors else 200)


def _about(request: AuthenticatedHttpRequest, pk: int, name: str, action: Operation.Action) -> HttpResponse:
    machine = lookups.operable_or_404(request.user, pk)
    snapshot = get_object_or_404(machine.snapshots, name=name)
    if _is_confirmed(request):
        return _ask(request, machine, action, snapshot=name)
    return _confirm(request, machine, action, snapshot=snapshot, name=name)


def _is_confirmed(request: AuthenticatedHttpRequest) -> bool:
    return request.method == "POST" and request.POST.get("sure") == "yes"


def _ask(
    request: AuthenticatedHttpRequest, machine: VirtualMachine, action: Operation.Action, **words: Any
) -> HttpResponse:
    try:
        _operation, new = operations.request(machine, action, by=request.user, **words)
    except operations.Refused as refusal:
        messages.error(request, f"{machine.display_name}: {refusal}")
    else:
        if not new:
            messages.info(request, _("%(name)s: this is already in progress.") % {"name": machine.display_name})
    return redirect("vms-machine", machine.pk)


def _confirm(
    request: AuthenticatedHttpRequest,
    machine: VirtualMachine,
    action: Operation.Action,
    *,
    snapshot: Snapshot | None,
    name: str,
) -> HttpResponse:
    """Status 409 when it is not possible now, 400 when the box was not ticked."""
    refusal = rules.refusal(context_for(machine, person=request.user, snapshot=name), action)
    refusal = refusal or incomplete_snapshot(machine, action, name)
    unticked = request.method == "POST"
    context = {
        "machine": machine,
        "action": action,
        "snapshot": snapshot,
        "name": restore_points.label(name),
        "refusal": refusal,
        "unticked": unticked,
    }
    status = 409 if refusal else 400 if unticked else 200
    return render(request, "vms/confirm_snapshot.html", context, status=status)
