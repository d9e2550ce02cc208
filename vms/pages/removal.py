"""The pages *Undo this run* and *Remove made machines*: what will be lost, who used it since, and a word to type."""

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from accounts.http import AuthenticatedHttpRequest, login_required
from vms.access import lookups
from vms.models import MachineSet, MadeMachine, ProvisioningRun
from vms.pages import group_links
from vms.provisioning import removal


class WordForm(forms.Form):
    """`word` has to be typed. `is_current`: the page showed what is true."""

    typed = forms.CharField(max_length=200, widget=forms.TextInput(attrs={"autocomplete": "off"}))

    def __init__(self, *args: Any, word: str, is_current: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._word, self._is_current = word, is_current
        self.fields["typed"].label = _("Type “%(word)s” to remove them") % {"word": word}

    def clean_typed(self) -> str:
        typed: str = self.cleaned_data["typed"]
        if typed.strip() != self._word:
            raise forms.ValidationError(_("Type exactly “%(word)s”.") % {"word": self._word})
        return typed

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if not self._is_current:
            raise forms.ValidationError(_("The machines changed in the meantime. Look at the list again."))
        return data


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def undo_run(request: AuthenticatedHttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Remove all that a run made."""
    runs = ProvisioningRun.objects.filter(machine_set__in=lookups.groups_for(request.user))
    run = get_object_or_404(runs.select_related("machine_set"), pk=pk)
    return _page(request, run.machine_set, removal.of_run(run), _("Undo this run"), run)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def remove_made(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """Remove all that was made for a machine group, also earlier machines."""
    group = get_object_or_404(lookups.groups_for(request.user), pk=pk)
    return _page(request, group, removal.of_group(group), _("Remove the machines that were made"), None)


def _page(
    request: AuthenticatedHttpRequest,
    group: MachineSet,
    machines: "QuerySet[MadeMachine]",
    title: str,
    run: ProvisioningRun | None,
) -> HttpResponse:
    if not lookups.operates_group(request.user, group):
        raise Http404
    losses = removal.losses(machines)
    back = group_links.url_for(group, request.user) if run is None else reverse("vms-run", args=[run.pk])
    given = request.POST if request.method == "POST" else None
    shown = removal.digest(losses)
    form = WordForm(given, word=group.title, is_current=request.POST.get("shown") == shown)
    if losses and form.is_valid():
        chosen = machines.filter(pk__in=[loss.made.pk for loss in losses])
        count = removal.begin(chosen, by=request.user)
        text = ngettext("%(n)d machine is being removed.", "%(n)d machines are being removed.", count)
        messages.success(request, text % {"n": count})
        return redirect(back)
    context = {"title": title, "group": group, "losses": losses, "form": form, "shown": shown, "back": back}
    return render(request, "vms/removal.html", context, status=400 if form.is_bound and losses else 200)
