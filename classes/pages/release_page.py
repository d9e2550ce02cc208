"""The page that asks how machines are released, and the messages after it; several class pages use both."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import ngettext

from accounts.http import AuthenticatedHttpRequest
from classes.models import LabClass
from classes.pages.tabs import tab_context
from vms.models import Preparation
from vms.pages.release_choice import ReleaseChoice


def release_page(
    request: AuthenticatedHttpRequest,
    lab_class: LabClass,
    choice: ReleaseChoice,
    what: str,
    *,
    tab: str = "machines",
    **more: Any,
) -> HttpResponse:
    context = tab_context(request, lab_class, tab, what=what, **choice.context, **more)
    return render(request, "classes/release.html", context, status=choice.status)


def show_result(request: AuthenticatedHttpRequest, freed: list[Preparation]) -> None:
    """Tell how many machines are free, and how many are being prepared."""
    waits = sum(one.state == Preparation.State.OPEN for one in freed)
    ready = len(freed) - waits
    if ready:
        text = ngettext("%(n)d machine is available.", "%(n)d machines are available.", ready)
        messages.success(request, text % {"n": ready})
    if waits:
        text = ngettext(
            "%(n)d machine is being prepared for the next person.",
            "%(n)d machines are being prepared for the next person.",
            waits,
        )
        messages.success(request, text % {"n": waits})
